//! Events become one channel-neutral message in a language.

use std::cmp::Reverse;

use chrono_tz::Tz;

use super::certificate::{Status, Timestamp};
use super::event::{Event, Severity, Topic};
use super::ladder::Rung;
use super::text;

mod counts;
mod daily;
mod facts;
mod manner;
mod phrases;
mod tone;
mod words;

pub use manner::Manner;
pub use tone::Tone;

/// More events than this for one channel at once become a digest.
const MOST_LISTED: usize = 5;

/// A link that is longer would crowd out the message; providers set no limit to a serial.
const LONGEST_QUERY: usize = 1000;

/// What ended longer ago than this, in seconds, matters least.
const LONG_AGO: i64 = 30 * 86_400;

/// The language of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// Returns the word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// Returns the language that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.as_str() == word)
    }
}

/// How much of a message a channel is asked to send; lowered when a service refuses the fuller form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detail {
    /// Everything that fits.
    Full,
    /// At most 70 % of the limit.
    Shorter,
    /// Plain text, no links.
    Plain,
    /// One line.
    OneLine,
}

impl Detail {
    /// Every detail, the fullest first.
    pub const ALL: [Self; 4] = [Self::Full, Self::Shorter, Self::Plain, Self::OneLine];

    /// Returns the detail that the store keeps as `index`; one that is not known is the last.
    pub fn from_index(index: u8) -> Self {
        Self::ALL.get(usize::from(index)).copied().unwrap_or(Self::OneLine)
    }

    /// Returns the number that the store keeps.
    pub const fn index(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::Shorter => 1,
            Self::Plain => 2,
            Self::OneLine => 3,
        }
    }

    /// Returns the next step down, if there is one.
    pub fn lower(self) -> Option<Self> {
        Self::ALL.into_iter().find(|detail| *detail > self)
    }
}

/// One thing that is known, already inert: a column of labels, a column of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What the value is, in words of ours.
    pub label: String,
    /// The value.
    pub value: String,
    /// Whether it is an end, which is what the message is about. Such a value is written by us alone.
    pub is_end: bool,
}

impl Fact {
    /// Returns the fact in one line.
    pub fn line(&self, language: Language) -> String {
        words::labelled(&self.label, &self.value, language)
    }
}

/// One line about one event, already inert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line, ready for any dialect.
    pub text: String,
    /// How many bytes of it are the certificate's name; none where it is a sentence.
    pub name: usize,
    /// Where to read more, when an external URL is configured.
    pub link: Option<String>,
}

impl Entry {
    /// Returns the name of the certificate, which may be empty, and what is said of it.
    pub fn parts(&self) -> (&str, &str) {
        self.text.split_at_checked(self.name).unwrap_or(("", &self.text))
    }
}

/// What a channel is given to deliver. Every text in it is inert in every chat dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Stays the same over retries: the receiver's idempotency key.
    pub id: String,
    /// When it was composed.
    pub at: Timestamp,
    /// The most severe of its events.
    pub severity: Severity,
    /// The language of its texts.
    pub language: Language,
    /// The zone of the times in them.
    pub zone: Tz,
    /// One line that says it all, with the constant envelope `[notafter]` in front.
    pub title: String,
    /// What is sent first: counts by rung for a list of many, what is known about a single event.
    pub facts: Vec<Fact>,
    /// One line an event, the most urgent first; a channel sends as many as fit.
    pub entries: Vec<Entry>,
    /// Where to see everything, when an external URL is configured.
    pub link: Option<String>,
    /// Where whoever reads it may snooze the only certificate that it is about.
    pub snooze: Option<String>,
    /// How much of it to send.
    pub detail: Detail,
    /// The events themselves, for channels that speak to programs.
    pub events: Vec<Event>,
}

impl Message {
    /// Composes one message that says all of `events`, as things stand at `at`.
    ///
    /// One event is told with its facts, up to five become a list, more become a digest. Events about certificates
    /// that are not in use are only ever told in a digest. Events and entries end up in the same order.
    pub fn compose(
        id: impl Into<String>,
        at: Timestamp,
        manner: impl Into<Manner>,
        mut events: Vec<Event>,
        external_url: Option<&str>,
    ) -> Self {
        let manner = manner.into();
        if let Some(index) = events.iter().position(|event| event.daily().is_some()) {
            let digest = events.remove(index);
            return Self::compose_daily(id.into(), at, manner, (digest, events), external_url);
        }
        let language = manner.language;
        events.sort_by_cached_key(|event| urgency(event, at));
        let severity = events.iter().map(|event| event.severity).max().unwrap_or(Severity::Info);
        let digest = events.len() > MOST_LISTED
            || events.iter().any(is_digest_only)
            || events.iter().all(had_long_ended);
        let say = phrases::Phrases { language, zone: manner.zone, at };
        let (title, facts, link) = match events.as_slice() {
            [event] if !digest => {
                (say.headline(event), say.facts(event), event_link(event, external_url))
            }
            _ if digest => (
                counts::title(&events, language),
                counts::facts(&events, language),
                root_link(external_url),
            ),
            _ => (counts::title(&events, language), Vec::new(), root_link(external_url)),
        };
        let entry = |event: &Event| Entry {
            text: say.line(event),
            name: event.facts().map_or(0, |_| phrases::name(event).len()),
            link: event_link(event, external_url).filter(|_| !digest),
        };
        let entries = if events.len() == 1 && !digest {
            Vec::new()
        } else {
            let (ended_long_ago, listed): (Vec<&Event>, Vec<&Event>) =
                events.iter().partition(|event| had_long_ended(event));
            let count = u64::try_from(ended_long_ago.len()).unwrap_or(u64::MAX);
            let text = words::long_ended(count, language);
            let last_line = Entry { text, name: 0, link: None };
            let tail = Some(last_line).filter(|_| count > 0);
            listed.into_iter().map(entry).chain(tail).collect()
        };
        let title = words::envelope(&title);
        let id = id.into();
        Self {
            id,
            at,
            severity,
            language,
            zone: manner.zone,
            title,
            facts,
            entries,
            link,
            snooze: None,
            detail: Detail::Full,
            events,
        }
    }

    /// Returns one message for each of its events, as if each were told alone.
    pub fn parts(&self) -> Vec<Self> {
        if self.events.len() == 1 {
            return vec![self.clone()];
        }
        let manner = Manner { language: self.language, zone: self.zone };
        let alone = |event: &Event| {
            let events = vec![event.clone()];
            let link = self.link.as_deref();
            Self {
                detail: self.detail,
                ..Self::compose(self.id.clone(), self.at, manner, events, link)
            }
        };
        self.events.iter().map(alone).collect()
    }

    /// Returns the only alert that it tells of, with its facts.
    pub fn only_alert(&self) -> Option<&Event> {
        let [event] = self.events.as_slice() else { return None };
        (self.entries.is_empty() && is_alert(event)).then_some(event)
    }

    /// Returns how it looks: by its severity, but for good news.
    pub fn tone(&self) -> Tone {
        Tone::of(self.severity, &self.events)
    }

    /// Returns the last resort: one line of constant words, with nothing from any certificate.
    pub fn one_line(&self) -> String {
        words::envelope(&words::need_attention(self.events.len(), self.language))
    }

    /// Returns the line that says how many entries are left out.
    pub fn left_out(&self, count: usize) -> String {
        words::and_more(count, self.language)
    }

    /// Returns the text of the link to the form for a snooze.
    pub const fn snooze_label(&self) -> &'static str {
        words::snooze(self.language)
    }

    /// Returns the text of a link.
    pub const fn link_label(&self) -> &'static str {
        words::open(self.language)
    }

    /// Returns the short form of a rung: `30d`, `6h`, `expired`.
    pub fn rung_word(rung: Rung) -> String {
        match rung {
            Rung::Expired => "expired".to_owned(),
            Rung::Share(percent) => format!("{percent}%"),
            Rung::Before(seconds) => [(86_400, "d"), (3600, "h"), (60, "m")]
                .into_iter()
                .find(|(unit, _)| seconds >= *unit && seconds % unit == 0)
                .map_or_else(
                    || format!("{seconds}s"),
                    |(unit, letter)| format!("{}{letter}", seconds / unit),
                ),
        }
    }
}

/// Orders events by what matters: by severity, then by end, then by name; what has no end comes after that, what ended
/// long ago after everything, and what had when it was first seen is the very last.
fn urgency(event: &Event, at: Timestamp) -> (bool, bool, Reverse<Severity>, i64, String) {
    let end = event.facts().and_then(|facts| facts.not_after).map_or(i64::MAX, Timestamp::seconds);
    let ended_long_ago = is_alert(event) && end < at.plus(-LONG_AGO).seconds();
    let severity = Reverse(event.severity);
    (had_long_ended(event), ended_long_ago, severity, end, phrases::name(event))
}

/// Returns whether the event is about a certificate that had ended long before it was said.
fn had_long_ended(event: &Event) -> bool {
    let end = event.facts().and_then(|facts| facts.not_after);
    is_alert(event) && end.is_some_and(|end| end < event.at.plus(-LONG_AGO))
}

const fn is_alert(event: &Event) -> bool {
    let topic = &event.topic;
    matches!(topic, Topic::Expiring { .. } | Topic::NotDeployed { .. } | Topic::EndsFirst { .. })
}

/// Returns the whole days from `at` to `end`, negative after it: the same in words and for programs.
pub const fn days_left(end: Timestamp, at: Timestamp) -> i64 {
    end.since(at) / 86_400
}

/// Returns whether the event is about the end of a certificate that is not in use.
fn is_digest_only(event: &Event) -> bool {
    matches!(&event.topic, Topic::Expiring { facts, .. }
        if matches!(facts.status, Status::Inactive | Status::Pending))
}

fn root_link(external_url: Option<&str>) -> Option<String> {
    external_url.map(|base| format!("{}/", base.trim_end_matches('/')))
}

/// Returns a link to the page with what the event is about picked out. Its target is never taken from a certificate
/// but in percent-encoded form.
fn event_link(event: &Event, external_url: Option<&str>) -> Option<String> {
    let root = root_link(external_url)?;
    if event.is_canary() {
        // No page knows of it.
        return Some(root);
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(source) = event.source() {
        query.append_pair("source", source);
    }
    if let Some(facts) = event.facts() {
        query.append_pair("scope", &facts.scope).append_pair("q", &facts.serial);
    }
    if let Topic::FleetCliff { month, .. } = &event.topic {
        let last = month.plus(1).start().map(|next| text::iso(next.plus(-1)));
        let days = month.start().map(text::iso).zip(last);
        for (name, time) in
            days.into_iter().flat_map(|(from, to)| [("ends_from", from), ("ends_to", to)])
        {
            query.append_pair(name, time.split('T').next().unwrap_or_default());
        }
        query.append_pair("status", "active");
    }
    let query = query.finish();
    let usable = (1..=LONGEST_QUERY).contains(&query.len());
    Some(if usable { format!("{root}?{query}") } else { root })
}

#[cfg(test)]
mod tests;
