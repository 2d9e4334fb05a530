//! Discord: one message of content and embeds, with its limits; ids and codes in JSON.

use serde_json::{Value, json};

use super::robots::{Accepted, Arrival, said};
use super::{Answer, verdicts};

pub(super) fn error(status: u16, code: i64, message: &str) -> Answer {
    verdicts::json(status, &json!({ "code": code, "message": message }))
}

pub(super) fn judge(arrival: &Arrival) -> Result<Accepted, Answer> {
    let invalid = |what: &str| error(400, 50_035, &format!("Invalid Form Body: {what}"));
    let body: Value = serde_json::from_slice(&arrival.body)
        .map_err(|_| error(400, 50_109, "The request body contains invalid JSON."))?;
    if arrival.query.get("wait").map(String::as_str) != Some("true") {
        // Without it nothing is said of what is not kept.
        return Err(verdicts::empty(204));
    }
    let content = body["content"].as_str().unwrap_or_default();
    if length(content) > 2000 {
        return Err(invalid("content"));
    }
    let embeds = body["embeds"].as_array().map_or(&[][..], Vec::as_slice);
    if embeds.len() > 10 {
        return Err(invalid("embeds"));
    }
    let mut lines: Vec<String> = Vec::new();
    lines.extend((!content.is_empty()).then(|| content.to_owned()));
    for embed in embeds {
        lines.extend(texts(embed).ok_or_else(|| invalid("embeds"))?);
    }
    if !embeds.is_empty() && lines.iter().map(|line| length(line)).sum::<usize>() > 6000 {
        return Err(invalid("embeds are larger than 6000"));
    }
    if lines.is_empty() {
        return Err(error(400, 50_006, "Cannot send an empty message"));
    }
    if body["allowed_mentions"]["parse"] != json!([]) {
        lines.push("pings".to_owned());
    }
    Ok(said(verdicts::unescaped(&lines.join("\n")), body))
}

/// Returns what an embed shows; `None` when a length is wrong.
fn texts(embed: &Value) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    let footer = &embed["footer"]["text"];
    for (value, limit) in [(&embed["title"], 256), (&embed["description"], 4096), (footer, 2048)] {
        if let Some(text) = value.as_str() {
            lines.push((1..=limit).contains(&length(text)).then(|| text.to_owned())?);
        }
    }
    let fields = embed["fields"].as_array().map_or(&[][..], Vec::as_slice);
    for field in fields {
        let (name, value) = (field["name"].as_str()?, field["value"].as_str()?);
        let fits = (1..=256).contains(&length(name)) && (1..=1024).contains(&length(value));
        lines.push(fits.then(|| format!("{name} {value}"))?);
    }
    (fields.len() <= 25).then_some(lines)
}

fn length(text: &str) -> usize {
    text.chars().count()
}
