//! `match = { … }`: what an event must be like.

use super::spelling::{known, quoted};
use super::{Fields, Placed};
use crate::expiry::{
    EVENT_KINDS, EventKind, Field, Kind, Matcher, Patterns, Severity, Status, glob,
};

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
