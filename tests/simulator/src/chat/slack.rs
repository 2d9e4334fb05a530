//! Slack: blocks and attachments with their limits, and its words for what it refuses.

use serde_json::Value;

use super::robots::{Accepted, Arrival, said, verdict};
use super::{Answer, Service};

/// Returns the status that comes with a word.
pub(super) fn status(word: &str) -> u16 {
    match word {
        "rate_limited" => 429,
        "no_service" | "channel_not_found" | "no_team" => 404,
        "invalid_token" | "action_prohibited" => 403,
        "channel_is_archived" => 410,
        "rollup_error" => 500,
        _ => 400,
    }
}

pub(super) fn judge(arrival: &Arrival) -> Result<Accepted, Answer> {
    let refuse = |word: &str| verdict(Service::Slack, 0, word);
    let body: Value =
        serde_json::from_slice(&arrival.body).map_err(|_| refuse("invalid_payload"))?;
    let mut texts = Vec::new();
    let attachments = list(&body["attachments"]);
    if attachments.len() > 100 {
        return Err(refuse("too_many_attachments"));
    }
    for holder in [&body].into_iter().chain(attachments) {
        let blocks = list(&holder["blocks"]);
        if blocks.len() > 50 {
            return Err(refuse("invalid_blocks"));
        }
        for block in blocks {
            texts.extend(block_texts(block).ok_or_else(|| refuse("invalid_blocks"))?);
        }
    }
    if texts.iter().map(|text| text.chars().count()).sum::<usize>() > 13_200 {
        return Err(refuse("msg_blocks_too_long"));
    }
    let fallback = body["text"].as_str().unwrap_or_default();
    if texts.is_empty() && fallback.is_empty() {
        return Err(refuse("no_text"));
    }
    let text = if texts.is_empty() { fallback.to_owned() } else { texts.join("\n") };
    Ok(said(text, body))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns what a block shows; `None` when its shape or a length is wrong.
fn block_texts(block: &Value) -> Option<Vec<String>> {
    match block["type"].as_str()? {
        "divider" => Some(Vec::new()),
        "header" => Some(vec![text_object(&block["text"], 150, &["plain_text"])?]),
        "section" => section(block),
        "context" => list(&block["elements"])
            .iter()
            .map(|element| text_object(element, 2000, &["plain_text", "mrkdwn"]))
            .collect(),
        "actions" => list(&block["elements"]).iter().map(button).collect(),
        "rich_text" => list(&block["elements"]).iter().map(rich).collect(),
        _ => None,
    }
}

fn section(block: &Value) -> Option<Vec<String>> {
    let kinds = ["plain_text", "mrkdwn"];
    let fields = list(&block["fields"]);
    if fields.len() > 10 || (fields.is_empty() && block["text"].is_null()) {
        return None;
    }
    let own = (!block["text"].is_null()).then(|| text_object(&block["text"], 3000, &kinds));
    let fields = fields.iter().map(|field| text_object(field, 2000, &kinds));
    own.into_iter().chain(fields).collect()
}

fn text_object(object: &Value, limit: usize, kinds: &[&str]) -> Option<String> {
    let text = object["text"].as_str()?;
    let fits = (1..=limit).contains(&text.chars().count());
    (fits && kinds.contains(&object["type"].as_str()?)).then(|| text.to_owned())
}

fn button(element: &Value) -> Option<String> {
    let label = text_object(&element["text"], 75, &["plain_text"])?;
    let url = url::Url::parse(element["url"].as_str()?).ok()?;
    (element["type"] == "button" && url.as_str().len() <= 3000).then(|| format!("{label} {url}"))
}

/// Returns the text of a section or of each item of a list.
fn rich(element: &Value) -> Option<String> {
    let inner = element["elements"].as_array()?;
    let parts: Option<Vec<_>> = match element["type"].as_str()? {
        "rich_text_section" => inner.iter().map(leaf).collect(),
        "rich_text_list" if element["style"] == "bullet" => inner.iter().map(rich).collect(),
        _ => None,
    };
    let between = if element["type"] == "rich_text_list" { "\n" } else { "" };
    Some(parts?.join(between))
}

fn leaf(element: &Value) -> Option<String> {
    let text = element["text"].as_str().filter(|text| !text.is_empty())?.to_owned();
    match element["type"].as_str()? {
        "text" => Some(text),
        "link" => url::Url::parse(element["url"].as_str()?).ok().map(|url| format!("{text} {url}")),
        // `user`, `usergroup` and `broadcast` would notify somebody.
        _ => None,
    }
}
