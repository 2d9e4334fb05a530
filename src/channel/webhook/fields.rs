//! What is said about every certificate, and how values are written.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::channel::keys;
use crate::expiry::text::{cut_chars, inert, iso};
use crate::expiry::{Facts, Timestamp, days_left};

/// The most characters of one value: providers set no limit of their own.
const VALUE: usize = 1024;

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Returns what is said about every certificate, and what is this event's `own`.
pub(super) fn of_certificate(
    facts: &Facts,
    at: Timestamp,
    trigger: &[&str],
    own: Value,
) -> Map<String, Value> {
    let identity = [&facts.source, &facts.scope, &facts.issuer, &facts.serial].map(String::as_str);
    let fingerprint = facts.fingerprint.map(hex::encode);
    let names = [&facts.common_name, &facts.holder, &facts.serial];
    let name = names.into_iter().find(|name| !name.is_empty()).map_or("", String::as_str);
    let labels: BTreeMap<&str, String> =
        facts.labels.iter().map(|(name, value)| (name.as_str(), clean(value))).collect();
    let fields = json!({
        "source": clean(&facts.source),
        "scope": clean(&facts.scope),
        "place": clean(&facts.place),
        "certificate": {
            "kind": facts.kind.as_str(),
            "status": facts.status.as_str(),
            "display_name": inert(name, 64),
            "subject_cn": clean(&facts.common_name),
            "common_name": clean(&facts.common_name),
            "holder": clean(&facts.holder),
            "organizational_unit": clean(&facts.unit),
            "issuer": clean(&facts.issuer),
            "serial": clean(&facts.serial),
            "place": clean(&facts.place),
            "fingerprint": fingerprint,
            "not_before": facts.not_before.map(iso),
            "not_after": facts.not_after.map(iso),
            "labels": labels,
        },
        "seconds_left": facts.not_after.map(|end| end.since(at)),
        "days_left": facts.not_after.map(|end| days_left(end, at)),
        "dedup_key": keys::key(&[&trigger[..1], &identity, &trigger[1..]].concat()),
        "problem_key": keys::of_certificate(facts),
    });
    let mut fields = object(fields);
    fields.append(&mut object(own));
    fields
}

/// Returns the value as it is, without what can hide or reorder text, and not endless.
pub(super) fn clean(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
    };
    cut_chars(&text.replace(hidden, ""), VALUE)
}
