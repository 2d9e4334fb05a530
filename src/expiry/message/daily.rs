//! What the daily digest says: how many stand where, what is new, and whom that waits for.

use super::Language::{En, Zh};
use super::phrases::{FACT, NAME, Phrases, SENTENCE, certificate_name, place};
use super::{Entry, Fact, Manner, Message, event_link, root_link, urgency, words};
use crate::expiry::certificate::Timestamp;
use crate::expiry::digest::{DailyDigest, DigestSnooze, Ending, News, SourceCount, Unproven};
use crate::expiry::event::{Event, Severity};
use crate::expiry::text::inert;

/// So many certificates are named in a message for people; files that go with it name more.
const MOST_NAMED: usize = 20;

/// So many sources, snoozes and channels are named each.
const MOST_OTHERS: usize = 10;

impl Message {
    /// Composes the daily digest, with what waited for it.
    pub(super) fn compose_daily(
        id: String,
        at: Timestamp,
        manner: Manner,
        (digest, mut others): (Event, Vec<Event>),
        external_url: Option<&str>,
    ) -> Self {
        others.sort_by_cached_key(|event| urgency(event, at));
        let daily = digest.daily();
        let language = manner.language;
        let say = Phrases { language, zone: manner.zone, at };
        let (title, facts) = (words::envelope(&say.headline(&digest)), say.facts(&digest));
        let waited = others.iter().map(|event| Entry {
            text: say.line(event),
            name: event.facts().map_or(0, |_| super::phrases::name(event).len()),
            link: event_link(event, external_url),
        });
        let own = daily.map(|daily| say.daily_entries(daily)).unwrap_or_default();
        let entries = own.into_iter().chain(waited).collect();
        let severity = others.iter().map(|event| event.severity).max();
        Self {
            id,
            at,
            severity: severity.unwrap_or(Severity::Info),
            language,
            zone: manner.zone,
            title,
            facts,
            entries,
            link: root_link(external_url),
            snooze: None,
            detail: super::Detail::Full,
            events: std::iter::once(digest).chain(others).collect(),
        }
    }
}

impl Phrases {
    /// Returns the sign of life: how many are watched, and which ends next.
    pub(super) fn daily_headline(self, digest: &DailyDigest) -> String {
        let watched = match (self.language, digest.total) {
            (En, 1) => "watching 1 certificate".to_owned(),
            (En, total) => format!("watching {} certificates", grouped(total)),
            (Zh, total) => format!("正在监控 {} 张证书", grouped(total)),
        };
        let on = digest.on_a_rung();
        let urgent = match self.language {
            En if on > 0 => format!(", {} near or past the end", grouped(on)),
            Zh if on > 0 => format!("，{} 张临近或已过期", grouped(on)),
            _ => String::new(),
        };
        let next = digest.next.as_ref().and_then(|next| Some((next.not_after?, next)));
        let next = next.map(|(end, next)| (self.day(end), certificate_name(next)));
        let next = match (self.language, next) {
            (En, Some((day, name))) => format!(", the next ends {day} ({name})"),
            (Zh, Some((day, name))) => format!("，下一张于 {day} 到期（{name}）"),
            (_, None) => String::new(),
        };
        format!("{watched}{urgent}{next}")
    }

    /// Returns a day, as a clock on the wall shows it.
    fn day(self, time: Timestamp) -> String {
        self.wall(time).chars().take_while(|c| *c != ' ').collect()
    }

    /// Returns the counts: by rung, what is new, by source.
    pub(super) fn daily_facts(self, digest: &DailyDigest) -> Vec<Fact> {
        let rungs = digest.rungs.iter().map(|(rung, count)| {
            let within = words::within(*rung, self.language);
            (within, grouped(*count))
        });
        let some = |(en, zh): (&str, &str), count: u64| {
            (count > 0).then(|| (self.word(en, zh), grouped(count)))
        };
        let rest = [
            some(("ended more than 30 days ago", "30 天前已过期"), digest.long_ended),
            some(("without a known end", "到期时间未知"), digest.undated),
            some(("snoozed", "已暂停提醒"), digest.snoozed),
        ];
        let news = digest.since.map(|since| {
            let label = match self.language {
                En => format!("new since {}", self.wall(since)),
                Zh => format!("自 {} 以来", self.wall(since)),
            };
            (label, self.news(digest.news))
        });
        let facts = rungs.chain(rest.into_iter().flatten()).chain(news);
        let facts = facts.chain(self.daily_sources(digest));
        facts.map(|(label, value)| Fact { label, value, is_end: false }).collect()
    }

    fn word(self, en: &str, zh: &str) -> String {
        match self.language {
            En => en.to_owned(),
            Zh => zh.to_owned(),
        }
    }

    fn news(self, news: News) -> String {
        let News { inside, renewed, gone, undated } = news;
        let [inside, renewed, gone, undated] = [inside, renewed, gone, undated].map(grouped);
        match self.language {
            En => format!(
                "{inside} crossed a threshold, {renewed} renewed, {gone} gone, {undated} without a known end"
            ),
            Zh => format!(
                "{inside} 张跨过阈值，{renewed} 张已续期，{gone} 张已移除，{undated} 张到期时间未知"
            ),
        }
    }

    fn daily_sources(self, digest: &DailyDigest) -> Vec<(String, String)> {
        let fact = |source: &SourceCount| {
            let (total, on) = (grouped(source.total), grouped(source.on_a_rung));
            let value = match self.language {
                En => format!("{total}, {on} near or past the end"),
                Zh => format!("{total} 张，{on} 张临近或已过期"),
            };
            (inert(&source.source, NAME), value)
        };
        let mut facts: Vec<_> = digest.sources.iter().take(MOST_OTHERS).map(fact).collect();
        let more = digest.sources.len().saturating_sub(MOST_OTHERS);
        if more > 0 {
            facts.push((self.word("other sources", "其他来源"), more.to_string()));
        }
        facts
    }

    /// Returns what waits for somebody, a line each, the most urgent first.
    fn daily_entries(self, digest: &DailyDigest) -> Vec<Entry> {
        let plain = |text: String| Entry { text, name: 0, link: None };
        let unproven = digest.unproven.iter().take(MOST_OTHERS).map(|one| self.unproven(one));
        let dead = digest.dead.iter().take(MOST_OTHERS).map(|one| self.dead(one));
        let before = unproven.chain(dead).map(plain).collect::<Vec<_>>();
        let soonest = digest.soonest.iter().take(MOST_NAMED).map(|ending| self.ending(ending));
        let shown = digest.soonest.len().min(MOST_NAMED);
        let left_out = usize::try_from(digest.left_out(shown)).unwrap_or(usize::MAX);
        let more = (left_out > 0).then(|| plain(words::and_more(left_out, self.language)));
        let snoozes = digest.snoozes.iter().take(MOST_OTHERS).map(|one| plain(self.snooze(one)));
        before.into_iter().chain(soonest).chain(more).chain(snoozes).collect()
    }

    fn ending(self, ending: &Ending) -> Entry {
        let facts = &ending.facts;
        let name = certificate_name(facts);
        let wall = facts.not_after.map(|end| self.wall(end)).unwrap_or_default();
        let inside = if facts.place.is_empty() { &facts.scope } else { &facts.place };
        let place = place(&inert(&facts.source, NAME), inside);
        let text = [name.clone(), self.when(facts.not_after), wall, place].join(" · ");
        Entry { text, name: name.len(), link: None }
    }

    fn unproven(self, one: &Unproven) -> String {
        let name = inert(&one.source, NAME);
        let said = self.stale(&name, one.last_proven);
        match one.error.as_deref().filter(|error| !error.is_empty()) {
            Some(error) => format!("{said} · {}", inert(error, SENTENCE)),
            None => said,
        }
    }

    fn dead(self, (channel, count): &(String, u64)) -> String {
        let channel = inert(channel, NAME);
        match self.language {
            En => format!("{} to {channel} given up", words::counted(*count, "message")),
            Zh => format!("发往 {channel} 的 {count} 条消息已放弃投递"),
        }
    }

    fn snooze(self, one: &DigestSnooze) -> String {
        let (author, reason) = (inert(&one.author, NAME), inert(&one.reason, FACT));
        let until = self.wall(one.until);
        match (self.language, one.idle) {
            (En, false) => format!("snooze by {author} ends {until} · {reason}"),
            (En, true) => {
                format!("snooze by {author} covers nothing, ends {until} · {reason}")
            }
            (Zh, false) => format!("{author} 的暂停提醒于 {until} 结束 · {reason}"),
            (Zh, true) => format!("{author} 的暂停提醒未匹配任何证书，于 {until} 结束 · {reason}"),
        }
    }
}

/// Returns a number with its thousands apart: `12 003`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = digits.as_str();
    while let Some((front, last)) = rest.split_at_checked(rest.len().saturating_sub(3)) {
        parts.push(last);
        rest = front;
        if front.is_empty() {
            break;
        }
    }
    parts.reverse();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let said = [0, 7, 999, 1000, 12_003, 40_000_000].map(grouped);
        assert_eq!(said, ["0", "7", "999", "1 000", "12 003", "40 000 000"]);
    }
}
