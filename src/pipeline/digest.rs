//! The daily digest: when it is due, and what goes into it.
//!
//! When the last one was said is kept together with what it says, so that each instant of the schedule is said once, whenever
//! the process ends. So is what was counted since then.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Pipeline;
use crate::config::{Digest, Schedule};
use crate::expiry::{
    Asked, Condition, DailyDigest, Ending, Event, Facts, News, Occasion, RowId, Severity, Stand,
    Timestamp, Topic, Unproven, event_id,
};
use crate::store::Post;

/// One that is later than this, in seconds, is left out: the next one says the same.
const LATEST: i64 = 86_400;

/// So many certificates are named, in files that go with a message.
const MOST_NAMED: usize = 500;

/// Before everything that is stored of it.
const KEY: &str = "digest\u{1f}";

/// Where it is stored when the last one was said.
const LAST: &str = "digest\u{1f}last";

/// Where it is stored what is new since then: numbers, kept as seconds.
const NEWS: [&str; 3] = ["digest\u{1f}renewed", "digest\u{1f}gone", "digest\u{1f}undated"];

/// Why a digest is said.
const SCHEDULED: &str = "scheduled";

/// Returns whether something of the digest is stored under a key.
pub(super) fn is_key(key: &str) -> bool {
    key.starts_with(KEY)
}

/// When the digest is due, and what is new since the last.
#[derive(Debug, Default)]
pub(super) struct Bell {
    last: Option<Timestamp>,
    next: Option<Timestamp>,
    news: News,
}

/// What the bell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ring {
    /// It is counted from now on.
    Begins,
    /// A digest is due since then.
    Due(Timestamp),
    /// One was due long ago, and is left out.
    TooLate,
}

impl Bell {
    /// Goes on where the last process was.
    pub(super) fn restored(stored: &[(String, Timestamp)]) -> Self {
        let of = |key: &str| stored.iter().find(|(one, _)| one == key).map(|(_, at)| *at);
        let count =
            |key: &str| of(key).and_then(|at| u64::try_from(at.seconds()).ok()).unwrap_or(0);
        let [renewed, gone, undated] = NEWS.map(count);
        Self { last: of(LAST), next: None, news: News { inside: 0, renewed, gone, undated } }
    }

    /// Returns when the next one is due.
    pub(super) const fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// The schedule may be another one.
    pub(super) fn follow(&mut self, digest: Option<&Digest>) {
        self.next = digest.zip(self.last).and_then(|(it, last)| it.schedule.next_after(last));
    }

    /// Returns what is to be done now.
    fn ring(&self, schedule: &Schedule, now: Timestamp) -> Option<Ring> {
        // What is from the future is overwritten, never believed.
        let Some(last) = self.last.filter(|last| *last <= now) else { return Some(Ring::Begins) };
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        let due = schedule.latest_within(last, now)?;
        let is_late = now.since(due) > LATEST;
        Some(if is_late { Ring::TooLate } else { Ring::Due(due) })
    }

    /// Counts what is new. Answers with what is to be written of it.
    fn count(&mut self, news: News) -> Vec<(String, Option<Timestamp>)> {
        let before = self.counts();
        self.news.renewed += news.renewed;
        self.news.gone += news.gone;
        self.news.undated += news.undated;
        let counts = NEWS.into_iter().zip(self.counts()).zip(before);
        let changed = counts.filter(|((_, now), before)| now != before);
        changed.map(|((key, count), _)| (key.to_owned(), Some(number(count)))).collect()
    }

    const fn counts(&self) -> [u64; 3] {
        [self.news.renewed, self.news.gone, self.news.undated]
    }

    /// Begins to count anew at `at`. Answers with what is to be written of it.
    fn begin(&mut self, at: Option<Timestamp>) -> Vec<(String, Option<Timestamp>)> {
        let counts = NEWS.into_iter().zip(self.counts()).filter(|(_, count)| *count > 0);
        let mut changes: Vec<_> = counts.map(|(key, _)| (key.to_owned(), None)).collect();
        if self.last != at {
            changes.push((LAST.to_owned(), at));
        }
        (self.last, self.next, self.news) = (at, None, News::default());
        changes
    }
}

fn number(count: u64) -> Timestamp {
    Timestamp::from_seconds(i64::try_from(count).unwrap_or(i64::MAX))
}

impl Pipeline {
    /// The configuration may have another digest, or none any more.
    pub(super) fn follow_digest(&mut self) {
        if self.settings.config.digest.is_none() {
            let changes = self.bell.begin(None);
            self.draft_all(changes);
        }
        self.bell.follow(self.settings.config.digest.as_ref());
    }

    /// Counts what the draft holds that is new, with what is saved of it.
    pub(super) fn count_news(&mut self) {
        let news = self.draft.take_news();
        if self.settings.config.digest.is_some() {
            let changes = self.bell.count(news);
            self.draft_all(changes);
        }
    }

    /// Says how everything stands, where that is due.
    pub(super) async fn notify_digest(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let config = Arc::clone(&self.settings.config);
        let Some(digest) = &config.digest else { return Ok(()) };
        let ring = self.bell.ring(&digest.schedule, now);
        match ring {
            None => return Ok(()),
            Some(Ring::Begins) => {}
            Some(Ring::TooLate) => {
                tracing::info!("the daily digest was missed by more than a day and is left out");
            }
            Some(Ring::Due(due)) => {
                self.count_news();
                let daily = self.daily(due, now).await?;
                digest.channels.iter().for_each(|name| self.say_daily(&daily, name));
            }
        }
        let changes = self.bell.begin(Some(now));
        self.draft_all(changes);
        self.bell.follow(Some(digest));
        Ok(())
    }

    /// Answers what the digest would say now, and when it is due.
    pub(super) async fn tell_daily(
        &mut self,
        answer: oneshot::Sender<(Option<Timestamp>, DailyDigest)>,
    ) -> anyhow::Result<()> {
        let now = self.parts.clock.now();
        let daily = self.daily(now, now).await?;
        if answer.send((self.bell.next(), daily)).is_err() {
            tracing::debug!("nobody waited to hear how everything stands");
        }
        Ok(())
    }

    fn say_daily(&mut self, daily: &DailyDigest, channel: &str) {
        let at = self.parts.clock.now();
        let daily = DailyDigest { channel: channel.to_owned(), ..daily.clone() };
        let since = Occasion::Since(daily.scheduled);
        let topic = Topic::DailyDigest(Box::new(daily));
        let id = event_id(&topic, Severity::Info, &since);
        let event = Event { id, at, severity: Severity::Info, topic };
        self.parts.metrics.event(event.kind(), SCHEDULED);
        let channels = vec![channel.to_owned()];
        self.draft.decided(&event, SCHEDULED, &channels);
        self.draft.post(Post::from((event, channels)));
    }

    async fn daily(&mut self, scheduled: Timestamp, now: Timestamp) -> anyhow::Result<DailyDigest> {
        let since = self.bell.last;
        let stand = self.stand(since.unwrap_or(now), now);
        let rows: Vec<RowId> = stand.soonest.iter().map(|(row, _)| *row).collect();
        let facts = self.facts(&rows).await?;
        let next = self.facts_of_some(&[stand.next]).await?;
        let ending = |(facts, (_, rung)): (Option<Facts>, &(RowId, _))| {
            Some(Ending { facts: facts?, rung: *rung })
        };
        let soonest = facts.into_iter().zip(&stand.soonest).filter_map(ending).collect();
        let daily = DailyDigest::of(&stand, scheduled);
        Ok(DailyDigest {
            since,
            next: next.into_iter().flatten().next(),
            news: News { inside: daily.news.inside, ..self.bell.news },
            soonest,
            snoozes: self.quiet.noteworthy(now),
            dead: self.parts.store.given_up().await?,
            unproven: self.unproven(),
            ..daily
        })
    }

    fn stand(&mut self, since: Timestamp, now: Timestamp) -> Stand {
        let view = self.inventory.view();
        let is_snoozed = |row: RowId| self.quiet.is_hushed(row);
        let is_news = |row: RowId| {
            let said = self.ledger.get(row);
            said.is_some_and(|said| said.count == 0 && said.at > since)
        };
        view.stand(&Asked {
            ladders: &self.settings.config.alerts.ladders,
            now,
            since,
            most: MOST_NAMED,
            is_snoozed: &is_snoozed,
            is_news: &is_news,
        })
    }

    fn unproven(&self) -> Vec<Unproven> {
        let sources = self.sources.published(&self.settings.watched).into_iter();
        let unproven = sources.filter_map(|source| {
            let proven = source.scans.iter().filter_map(|scan| scan.last_proven).max();
            let is_stale = self.checks.holds(&Condition::Source(source.name.clone()));
            let unproven =
                Unproven { source: source.name, last_proven: proven, error: source.last_error };
            (is_stale || proven.is_none()).then_some(unproven)
        });
        unproven.collect()
    }

    fn draft_all(&mut self, changes: Vec<(String, Option<Timestamp>)>) {
        for (key, at) in changes {
            self.draft.condition(key, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    const DAY: i64 = 86_400;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_seconds(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp())
    }

    fn rings(last: Option<&str>, now: &str) -> Option<Ring> {
        let schedule = Schedule::parse("30 9 * * 1-5", Tz::Asia__Shanghai).unwrap();
        let bell = Bell { last: last.map(at), ..Bell::default() };
        bell.ring(&schedule, at(now))
    }

    #[test]
    fn each_instant_is_said_once_and_late_ones_for_a_day() {
        let friday = "2026-11-27T01:30:00Z";
        for (last, now, expected) in [
            (None, friday, Some(Ring::Begins)),
            (Some("2026-11-28T00:00:00Z"), friday, Some(Ring::Begins)),
            (Some("2026-11-26T01:30:00Z"), "2026-11-27T01:29:59Z", None),
            (Some("2026-11-26T01:30:00Z"), friday, Some(Ring::Due(at(friday)))),
            (Some(friday), friday, None),
            (Some(friday), "2026-11-29T20:00:00Z", None),
            (Some("2026-11-20T01:30:00Z"), "2026-11-28T01:30:00Z", Some(Ring::Due(at(friday)))),
            (Some("2026-11-20T01:30:00Z"), "2026-11-28T01:30:01Z", Some(Ring::TooLate)),
        ] {
            assert_eq!(rings(last, now), expected, "{last:?} {now}");
        }
    }

    #[test]
    fn what_is_new_is_counted_over_a_restart_and_anew_after_a_digest() {
        let mut bell = Bell::default();
        let now = Timestamp::from_seconds(20_000 * DAY);
        let mut stored = bell.begin(Some(now));
        let news = News { inside: 7, renewed: 2, gone: 0, undated: 1 };
        stored.extend(bell.count(news));
        stored.retain(|(key, _)| is_key(key));
        let stored: Vec<_> = stored.into_iter().map(|(key, at)| (key, at.unwrap())).collect();
        let mut bell = Bell::restored(&stored);
        assert_eq!((bell.last, bell.news), (Some(now), News { inside: 0, ..news }));
        assert_eq!(bell.count(News::default()), [], "nothing is written where nothing is new");
        let keys: Vec<_> =
            bell.begin(Some(now.plus(DAY))).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [NEWS[0], NEWS[2], LAST]);
        assert_eq!(bell.news, News::default());
        assert_eq!(bell.begin(None), [(LAST.to_owned(), None)]);
    }
}
