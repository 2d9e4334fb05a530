//! Telegram: `sendMessage` with HTML, its length in UTF-16 after tags and entities.

use serde_json::{Value, json};

use super::robots::{Accepted, Arrival, said};
use super::{Answer, verdicts};

pub(super) fn error(code: u16, description: &str) -> Answer {
    let body = json!({ "ok": false, "error_code": code, "description": description });
    verdicts::json(code, &body)
}

pub(super) fn limited(seconds: u64) -> Answer {
    let body = json!({
        "ok": false, "error_code": 429, "description": "Too Many Requests",
        "parameters": { "retry_after": seconds },
    });
    verdicts::json(429, &body)
}

pub(super) fn judge(arrival: &Arrival) -> Result<Accepted, Answer> {
    let body: Value = serde_json::from_slice(&arrival.body)
        .map_err(|_| error(400, "Bad Request: message text is empty"))?;
    if !body["chat_id"].is_i64() && !body["chat_id"].is_string() {
        return Err(error(400, "Bad Request: chat_id is empty"));
    }
    let written = body["text"].as_str().unwrap_or_default();
    let text = match body["parse_mode"].as_str() {
        Some("HTML") => {
            shown(written).ok_or_else(|| error(400, "Bad Request: can't parse entities"))?
        }
        _ => written.to_owned(),
    };
    if text.trim().is_empty() {
        return Err(error(400, "Bad Request: message text is empty"));
    }
    if text.encode_utf16().count() > 4096 {
        return Err(error(400, "Bad Request: message is too long"));
    }
    Ok(said(text, body))
}

/// Returns the text without its tags; `None` when one is not known or not closed.
fn shown(html: &str) -> Option<String> {
    let (mut text, mut open, mut rest) = (String::new(), Vec::new(), html);
    while let Some((before, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>')?;
        text.push_str(before);
        match tag.strip_prefix('/') {
            Some(name) => (open.pop()? == name).then_some(())?,
            None => open.push(known(tag, &mut text)?),
        }
        rest = after;
    }
    text.push_str(rest);
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    open.is_empty().then(|| text.replace("&amp;", "&"))
}

fn known<'a>(tag: &'a str, text: &mut String) -> Option<&'a str> {
    if let Some(address) = tag.strip_prefix("a href=") {
        let address = address.strip_prefix('"')?.strip_suffix('"')?;
        text.extend(["(", address, ") "]);
        return Some("a");
    }
    ["b", "i", "code", "pre"].contains(&tag).then_some(tag)
}
