//! 8: what is sent is what the service reads: not too long, well formed, and with nothing in it that a provider could use to
//! call a whole room. The limits and paces are those of the contract, service by service.

use std::time::Duration;

use serde_json::Value;

/// Returns the least time between two requests, and how many a minute may have.
pub(super) fn pace(kind: &str) -> (Duration, usize) {
    let (millis, per_minute) = match kind {
        "slack" | "feishu" => (1000, 60),
        "dingtalk" | "wecom" => (4000, 12),
        "discord" => (2500, 24),
        _ => (200, 300),
    };
    (Duration::from_millis(millis), per_minute)
}

/// Returns what is wrong with a body, if anything is.
pub(super) fn check(kind: &str, body: &str) -> Result<(), String> {
    let value: Value = serde_json::from_str(body).map_err(|error| format!("no JSON: {error}"))?;
    match kind {
        "slack" => slack(&value),
        "feishu" => at_most(body, 20 * 1024).and_then(|()| feishu(&value)),
        "dingtalk" => at_most(body, 20_000).and_then(|()| dingtalk(&value)),
        "wecom" => wecom(&value),
        "discord" => discord(&value),
        _ => at_most(body, 256 * 1024),
    }
}

fn at_most(text: &str, bytes: usize) -> Result<(), String> {
    if text.len() <= bytes { Ok(()) } else { Err(format!("{} bytes", text.len())) }
}

/// Returns every text of a value that lies in an object for which `is_parsed` holds, under one of `keys`.
fn texts<'a>(
    value: &'a Value,
    keys: &[&str],
    is_parsed: &dyn Fn(&Value) -> bool,
    found: &mut Vec<&'a str>,
) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                if let Value::String(text) = inner
                    && keys.contains(&key.as_str())
                    && is_parsed(value)
                {
                    found.push(text);
                }
                texts(inner, keys, is_parsed, found);
            }
        }
        Value::Array(all) => all.iter().for_each(|inner| texts(inner, keys, is_parsed, found)),
        _ => {}
    }
}

fn none_has(found: &[&str], bad: &str) -> Result<(), String> {
    match found.iter().find(|text| text.contains(bad)) {
        Some(text) => Err(format!("{bad} in {text:?}")),
        None => Ok(()),
    }
}

fn slack(value: &Value) -> Result<(), String> {
    let mut found = Vec::new();
    let is_parsed = |fields: &Value| fields["type"] == "mrkdwn" || fields["type"].is_null();
    texts(value, &["text", "fallback"], &is_parsed, &mut found);
    none_has(&found, "<!channel>")
}

fn feishu(value: &Value) -> Result<(), String> {
    let mut found = Vec::new();
    let is_parsed = |fields: &Value| fields["tag"] == "lark_md" || fields["tag"] == "markdown";
    texts(value, &["content"], &is_parsed, &mut found);
    none_has(&found, "<at id=all>")
}

fn dingtalk(value: &Value) -> Result<(), String> {
    if value["at"]["isAtAll"] == true { Err("it calls everybody".to_owned()) } else { Ok(()) }
}

fn wecom(value: &Value) -> Result<(), String> {
    let mut found = Vec::new();
    texts(value, &["content"], &|_| true, &mut found);
    found.iter().try_for_each(|text| at_most(text, 4096))
}

fn discord(value: &Value) -> Result<(), String> {
    let silent = value["allowed_mentions"]["parse"].as_array().is_some_and(Vec::is_empty);
    let content = value["content"].as_str().map_or(0, |text| text.chars().count());
    if silent && content <= 2000 { Ok(()) } else { Err(format!("{silent} mentions, {content}")) }
}
