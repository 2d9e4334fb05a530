//! Keys as JSON Schema.

use serde_json::{Map, Value, json};

use super::{Key, Shape};

/// As `humantime` reads it.
const DURATION: &str = "([0-9][0-9\\s]*(nanos|nsec|ns|usec|us|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|\
                        hours|hour|hrs|hr|h|days|day|d|weeks|week|w|months|month|M|years|year|y)\\s*)+";
const NICKNAMES: &str = "@(hourly|daily|midnight|weekly|monthly|yearly|annually)";
const CRON: &str = "(\\S+\\s+){4,5}\\S+";
/// `expired`, or a part of the lifetime, or a length.
const RUNG: &str = "expired|[1-9][0-9]?%";
const NOT_EMPTY: &str = "\\S";

/// Returns the schema of a table that has these keys and no others.
pub fn table(keys: &[Key]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), key.schema())).collect();
    let required: Vec<_> = keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let mut table =
        json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

impl Key {
    fn schema(&self) -> Value {
        let mut schema = self.shape.schema();
        let mut about = self.about.to_owned();
        if let Some(default) = self.default {
            // Editors show the description alone.
            about = format!("{about} Default: `{default}`.");
            schema["default"] = serde_json::from_str(default).unwrap_or_else(|_| json!(default));
        }
        schema["description"] = json!(about);
        schema
    }
}

impl Shape {
    fn schema(self) -> Value {
        self.of_text().or_else(|| self.of_list()).unwrap_or_else(|| self.of_other())
    }

    fn of_text(self) -> Option<Value> {
        let whole = |inner: &str| like(&format!("^\\s*({inner})\\s*$"));
        Some(match self {
            Self::Text => like(NOT_EMPTY),
            Self::Like(pattern) => like(pattern),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::Usually(words) => {
                json!({ "type": "string", "pattern": NOT_EMPTY, "examples": words })
            }
            Self::Duration => whole(DURATION),
            Self::DurationOr(word) => whole(&format!("{DURATION}|{word}")),
            Self::Schedule => whole(&format!("@?every\\s+{DURATION}|{NICKNAMES}|{CRON}")),
            Self::Size => like("^[0-9]+\\s*(GiB|MiB|KiB|B)$"),
            Self::Timezone => {
                let examples = ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York"];
                json!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9/_+-]*$", "examples": examples })
            }
            Self::Url => like("^\\s*(https://|http://(localhost|127\\.|\\[::1\\]))"),
            Self::Path => like("^/"),
            _ => return None,
        })
    }

    fn of_list(self) -> Option<Value> {
        Some(match self {
            Self::Texts => list(&like(NOT_EMPTY), 0),
            Self::SomeTexts => list(&like(NOT_EMPTY), 1),
            Self::Rungs => list(&like(&format!("^({RUNG}|\\s*{DURATION})$")), 0),
            Self::Tables(keys) => list(&table(&keys()), 0),
            Self::Patterns(words) => patterns(&words()),
            _ => return None,
        })
    }

    fn of_other(self) -> Value {
        match self {
            Self::Boolean => json!({ "type": "boolean" }),
            Self::Count => json!({ "type": "integer", "minimum": 0 }),
            Self::Integer => json!({ "type": "integer" }),
            Self::Rate => json!({ "type": "number", "exclusiveMinimum": 0 }),
            Self::NameOrNumber => either(&like(NOT_EMPTY), &json!({ "type": "integer" })),
            Self::SecretOrText => either(&like(NOT_EMPTY), &secret()),
            Self::Secrets => json!({ "type": "object", "additionalProperties": secret() }),
            Self::LabelPatterns => {
                json!({ "type": "object", "additionalProperties": patterns(&[]) })
            }
            Self::Labels => {
                json!({ "type": "object", "maxProperties": 32, "additionalProperties": like(NOT_EMPTY) })
            }
            Self::Table(keys) => table(&keys()),
            _ => secret(),
        }
    }
}

fn like(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn list(items: &Value, least: usize) -> Value {
    json!({ "type": "array", "items": items, "minItems": least })
}

fn either(one: &Value, other: &Value) -> Value {
    json!({ "anyOf": [one, other] })
}

/// The known words come first, so that an editor offers them.
fn patterns(words: &[&str]) -> Value {
    let one = match words {
        [] => like(NOT_EMPTY),
        words => {
            json!({ "anyOf": [{ "type": "string", "enum": words }, like(NOT_EMPTY)] })
        }
    };
    either(&one, &list(&one, 1))
}

fn secret() -> Value {
    let mut secret = table(&[
        Key::new(
            "credential",
            Shape::Like("^[^./][^/]*$"),
            "The name of a file in /etc/notafter/credentials, which the unit hands over.",
        ),
        Key::new(
            "file",
            Shape::Path,
            "The path of a file, read again at every use; keep it from other users (chmod 600).",
        ),
        Key::new("env", Shape::Text, "The name of an environment variable."),
    ]);
    secret["minProperties"] = json!(1);
    secret["maxProperties"] = json!(1);
    secret
}
