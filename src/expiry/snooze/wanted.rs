//! What a snooze by match covers, as it is written: `source=iot-*,organizational_unit=plant-7`.

use std::collections::BTreeMap;

use super::is_alert;
use crate::expiry::certificate::{Kind, Status, Timestamp};
use crate::expiry::event::{Event, Severity, Topic};
use crate::expiry::event_kind::{EVENT_KINDS, EventKind};
use crate::expiry::facts::Facts;
use crate::expiry::glob;
use crate::expiry::ladder::Rung;
use crate::expiry::matcher::{Field, Matcher, Patterns};

/// What stands before the name of a label.
const LABEL: &str = "labels.";

/// The most patterns in one.
const MOST: usize = 100;

/// What a snooze by match covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Patterns by field, or by `labels.` and a name.
    fields: BTreeMap<String, Vec<String>>,
    matcher: Matcher,
}

impl Wanted {
    /// Returns what these ask for: patterns by field, or by `labels.NAME`. Errors say what may be there.
    pub fn new(fields: impl IntoIterator<Item = (String, Vec<String>)>) -> Result<Self, String> {
        let mut wanted = Self::default();
        for (name, patterns) in fields {
            wanted.fields.entry(name).or_default().extend(patterns);
        }
        let count: usize = wanted.fields.values().map(Vec::len).sum();
        if count > MOST {
            return Err(format!("a match has at most {MOST} patterns"));
        }
        for (name, patterns) in &wanted.fields {
            if patterns.is_empty() {
                return Err(format!("{name}: it needs a pattern"));
            }
            let texts = Patterns::new(patterns);
            match (name.strip_prefix(LABEL), Field::from_word(name)) {
                (Some(label), _) if !label.is_empty() => {
                    wanted.matcher.ask_label(label.to_owned(), texts);
                }
                (_, Some(field)) => wanted.matcher.ask(field, texts),
                _ => return Err(unknown(name)),
            }
        }
        if wanted.matcher.is_empty() {
            return Err("a match names at least one field, such as `source=iot-*`".to_owned());
        }
        Ok(wanted)
    }

    /// Reads `field=pattern,…`; a field may be there several times, and a comma in a pattern is written `\,`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut fields = Vec::new();
        for part in parts(text) {
            let (name, pattern) = part.split_once('=').ok_or_else(|| {
                format!("`{part}` is not `field=pattern`; a comma in a pattern is written `\\,`")
            })?;
            fields.push((name.trim().to_owned(), vec![pattern.trim().to_owned()]));
        }
        Self::new(fields)
    }

    /// Returns it as it is written.
    pub fn text(&self) -> String {
        let escaped = |pattern: &String| pattern.replace('\\', "\\\\").replace(',', "\\,");
        let pairs = self.fields.iter().flat_map(|(name, patterns)| {
            patterns.iter().map(move |pattern| format!("{name}={}", escaped(pattern)))
        });
        pairs.collect::<Vec<_>>().join(",")
    }

    /// Returns the patterns by field, or by `labels.NAME`.
    pub const fn fields(&self) -> &BTreeMap<String, Vec<String>> {
        &self.fields
    }

    /// Returns whether an event is like this. Where no kind of event is named, only alerts about certificates are.
    pub fn matches(&self, event: &Event) -> bool {
        (self.matcher.asks(Field::Event) || is_alert(event)) && self.matcher.matches(event)
    }

    /// Returns whether a certificate on which nothing is due is like this.
    pub(super) fn matches_facts(&self, facts: &Facts) -> bool {
        let asks_more = [Field::Rung, Field::Severity].iter().any(|it| self.matcher.asks(*it));
        let topic = Topic::Expiring {
            facts: facts.clone(),
            rung: Rung::Before(u32::MAX - 100),
            leaves: None,
            newer: None,
            unserved: false,
            places: None,
        };
        let at = Timestamp::from_seconds(0);
        let event = Event { id: String::new(), at, severity: Severity::Info, topic };
        !asks_more && self.matches(&event)
    }

    /// Returns whether certificates of a scope may be like this, by what needs no look at each.
    pub fn may_match(&self, source: &str, scope: &str) -> bool {
        let fits = |field: Field, text: &str| {
            self.fields.get(field.as_str()).is_none_or(|all| Patterns::new(all).matches(text))
        };
        fits(Field::Source, source) && fits(Field::Scope, scope)
    }

    /// Returns whether it covers what is about notafter itself.
    pub fn is_about_notafter(&self) -> bool {
        self.kinds().any(EventKind::is_about_notafter)
    }

    /// Returns what is wrong with its words: a pattern that fits none of those that there are can only be a slip.
    pub(super) fn mistake(&self) -> Option<String> {
        self.fields.iter().find_map(|(name, patterns)| {
            let known = words(Field::from_word(name)?)?;
            let wrong = patterns.iter().find(|pattern| {
                let text = pattern.strip_prefix('!').unwrap_or(pattern);
                !known.iter().any(|word| glob::matches(text, word))
            })?;
            Some(format!(
                "{name}: nothing is called `{wrong}`; it is one of `{}`",
                known.join("`, `")
            ))
        })
    }

    fn kinds(&self) -> impl Iterator<Item = EventKind> {
        let patterns = self.fields.get(Field::Event.as_str()).map(Patterns::new);
        let named = move |kind: &EventKind| {
            patterns.as_ref().is_some_and(|patterns| patterns.matches(kind.as_str()))
        };
        EVENT_KINDS.into_iter().filter(named)
    }
}

/// Returns every word that a field can have, where they are known.
fn words(field: Field) -> Option<Vec<&'static str>> {
    Some(match field {
        Field::Kind => Kind::ALL.map(Kind::as_str).to_vec(),
        Field::Status => Status::ALL.map(Status::as_str).to_vec(),
        Field::Severity => Severity::ALL.map(Severity::as_str).to_vec(),
        Field::Event => EVENT_KINDS.map(EventKind::as_str).to_vec(),
        _ => return None,
    })
}

fn unknown(name: &str) -> String {
    let known = Field::ALL.map(Field::as_str).join("`, `");
    format!("{name}: it is none of `{known}`, `labels.NAME`")
}

/// Splits at commas, but for those that are escaped.
fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut escaped) = (vec![String::new()], false);
    for letter in text.chars() {
        let Some(part) = parts.last_mut() else { break };
        match (letter, escaped) {
            ('\\', false) => escaped = true,
            (',', false) => parts.push(String::new()),
            (letter, _) => {
                if escaped && !matches!(letter, ',' | '\\') {
                    part.push('\\');
                }
                part.push(letter);
                escaped = false;
            }
        }
    }
    if let Some(last) = parts.last_mut().filter(|_| escaped) {
        last.push('\\');
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}
