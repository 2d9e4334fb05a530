//! The JSON Schema of the whole configuration, from the keys that its readers know.

use serde_json::{Value, json};

use super::alerts::{ALERTS, ladder_keys};
use super::channel::SHARED_KEYS;
use super::key::table;
use super::route::route_keys;
use super::server::{SERVER, STORE};
use super::{Key, Shape, channel, digest, heartbeat, metrics, source};

/// A kind of source or channel, as an editor shows it.
pub struct KindKeys {
    /// The word after `kind =`.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// What may stand in its options.
    pub options: Vec<Key>,
}

/// Returns the schema of a configuration that may have these kinds.
pub fn schema(sources: &[KindKeys], channels: &[KindKeys]) -> Value {
    let mut schema = table(&[
        Key::new(
            "server",
            Shape::Table(|| SERVER.to_vec()),
            "The HTTP server: metrics, page, API.",
        ),
        Key::new("store", Shape::Table(|| STORE.to_vec()), "Where state is kept."),
        Key::new("alerts", Shape::Table(|| ALERTS.to_vec()), "What is said, and when."),
        Key::new(
            "ladder",
            Shape::Tables(ladder_keys),
            "Other ladders for some certificates; the first that matches wins, and that of [alerts] is the last.",
        ),
        Key::new(
            "digest",
            Shape::Table(|| digest::KEYS.to_vec()),
            "One message a day that says how everything stands, as a sign of life.",
        ),
        Key::new(
            "heartbeat",
            Shape::Table(|| heartbeat::KEYS.to_vec()),
            "A service that expects a request while all is well: who notices that notafter is dead.",
        ),
        Key::new(
            "route",
            Shape::Tables(route_keys),
            "Which events go to which channels. The first route that matches wins, unless it says `continue = true`; the last must match everything.",
        ),
        Key::new("metrics", Shape::Table(|| metrics::KEYS.to_vec()), "What Prometheus reads."),
    ]);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("The configuration of notafter");
    schema["required"] = json!(["source"]);
    let properties = &mut schema["properties"];
    properties["source"] = kinds(sources, source::KEYS, &[], "Where certificates come from.");
    properties["channel"] = kinds(channels, channel::KEYS, SHARED_KEYS, "Where messages go.");
    titles(properties);
    schema
}

/// A list of tables, each of one kind: what its options may be depends on that.
fn kinds(kinds: &[KindKeys], keys: &[Key], shared: &[Key], about: &str) -> Value {
    let branches: Vec<_> = kinds.iter().map(|kind| branch(kind, keys, shared)).collect();
    json!({ "type": "array", "minItems": 1, "description": about, "items": { "oneOf": branches } })
}

fn branch(kind: &KindKeys, keys: &[Key], shared: &[Key]) -> Value {
    let options = [kind.options.as_slice(), shared].concat();
    let mut branch = table(&[keys, shared].concat());
    branch["title"] = json!(kind.name);
    branch["description"] = json!(kind.about);
    branch["properties"]["kind"] = json!({ "const": kind.name, "description": kind.about });
    let mut inner = table(&options);
    inner["description"] = json!(format!("What a {} needs.", kind.name));
    inner["title"] = json!(format!("options of {}", kind.name));
    branch["properties"]["options"] = inner;
    if options.iter().any(|key| key.is_required)
        && let Some(required) = branch["required"].as_array_mut()
    {
        required.push(json!("options"));
    }
    branch
}

/// A table is called what its heading is.
fn titles(sections: &mut Value) {
    for (name, section) in sections.as_object_mut().into_iter().flatten() {
        let heading =
            if section["type"] == "array" { format!("[[{name}]]") } else { format!("[{name}]") };
        section["title"] = json!(heading);
    }
}
