//! `match = { … }`: what an event must be like.

use super::spelling::{known, quoted};
use super::{Fields, Key, Placed, Shape};
use crate::expiry::{
    EVENT_KINDS, EventKind, Field, Kind, Matcher, Patterns, Severity, Status, glob,
};

/// Returns the keys of a `match` that may ask for these fields, and for labels where that is every field.
pub(super) fn match_keys(asked: &[Field]) -> Vec<Key> {
    let key = |field: &Field| Key::new(field.as_str(), shape(*field), about(*field));
    let mut keys: Vec<_> = asked.iter().map(key).collect();
    if asked.len() == Field::ALL.len() {
        let about = "Labels of the certificate, each with a pattern or a list of them.";
        keys.push(Key::new("labels", Shape::LabelPatterns, about));
    }
    keys
}

const fn shape(field: Field) -> Shape {
    Shape::Patterns(match field {
        Field::Kind => || words(Field::Kind, &[]).unwrap_or_default(),
        Field::Status => || words(Field::Status, &[]).unwrap_or_default(),
        Field::Severity => || words(Field::Severity, &[]).unwrap_or_default(),
        Field::Event => || words(Field::Event, &[]).unwrap_or_default(),
        _ => Vec::new,
    })
}

const fn about(field: Field) -> &'static str {
    match field {
        Field::Source => {
            "The name of the source. `*` and `?` stand for any text and any character, `!` in front for \"not\"."
        }
        Field::Scope => {
            "The part of the source that is listed on its own, such as an MQTT instance."
        }
        Field::Place => {
            "Where the certificate was looked at: a file's path, or host:port/servername."
        }
        Field::Kind => "What the certificate is for: device, ca, server, client.",
        Field::Status => "The status of the certificate.",
        Field::Severity => "How urgent it is: info, warning, critical.",
        Field::Issuer => "Who issued the certificate.",
        Field::Serial => "The serial of the certificate.",
        Field::CommonName => "The common name of the certificate.",
        Field::Holder => "Who presents the certificate: a client id, a device, a domain.",
        Field::OrganizationalUnit => "The organizational unit of the certificate.",
        Field::Rung => "The rung that was crossed, such as 30d or expired.",
        Field::Event => "The kind of event, such as certificate.expiring.",
    }
}

/// Reads what may be asked for: fields, each a pattern or a list of them, and labels where every field is asked.
pub(super) fn matcher(fields: &mut Fields<'_>, asked: &[Field], sources: &[String]) -> Matcher {
    let labels = asked.len() == Field::ALL.len();
    let mut matcher = Matcher::default();
    for field in asked {
        let Some(patterns) = fields.one_or_more(field.as_str()) else { continue };
        if let Some(words) = words(*field, sources) {
            for pattern in &patterns {
                check(fields, *field, pattern, &words);
            }
        }
        matcher.ask(*field, Patterns::new(patterns.iter().map(|pattern| &pattern.value)));
    }
    if labels {
        for (name, patterns) in fields.words("labels") {
            let texts = patterns.iter().map(|pattern| &pattern.value);
            matcher.ask_label(name.value, Patterns::new(texts));
        }
    }
    fields.report_unknown();
    matcher
}

/// Returns every word that a field can have, where they are known.
fn words(field: Field, sources: &[String]) -> Option<Vec<&str>> {
    match field {
        Field::Source => Some(sources.iter().map(String::as_str).collect()),
        Field::Kind => Some(Kind::ALL.map(Kind::as_str).to_vec()),
        Field::Status => Some(Status::ALL.map(Status::as_str).to_vec()),
        Field::Severity => Some(Severity::ALL.map(Severity::as_str).to_vec()),
        Field::Event => Some(EVENT_KINDS.map(EventKind::as_str).to_vec()),
        _ => None,
    }
}

/// A pattern that fits none of the words that there are can only be a slip.
fn check(fields: &mut Fields<'_>, field: Field, pattern: &Placed<String>, words: &[&str]) {
    let text = pattern.value.strip_prefix('!').unwrap_or(&pattern.value);
    if !words.iter().any(|word| glob::matches(text, word)) {
        let hint = known(text, words);
        let field = field.as_str();
        fields
            .mistake(pattern.span.clone(), format!("no {field} matches {}; {hint}", quoted(text)));
    }
}
