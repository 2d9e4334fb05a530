//! Google Chat: texts and cards of so many bytes; a request id that was seen makes no second message.

use serde_json::{Value, json};

use super::robots::{Accepted, Arrival, said};
use super::{Answer, verdicts};

pub(super) fn error(status: u16, word: &str) -> Answer {
    verdicts::json(status, &json!({ "error": { "code": status, "message": word, "status": word } }))
}

pub(super) fn judge(arrival: &Arrival) -> Result<Accepted, Answer> {
    let invalid = || error(400, "INVALID_ARGUMENT");
    if !["key", "token"].iter().all(|name| arrival.query.contains_key(*name)) {
        return Err(error(401, "UNAUTHENTICATED"));
    }
    let body: Value = serde_json::from_slice(&arrival.body).map_err(|_| invalid())?;
    if arrival.body.len() > 32_000 {
        return Err(invalid());
    }
    let mut lines: Vec<String> = body["text"].as_str().map(str::to_owned).into_iter().collect();
    for card in body["cardsV2"].as_array().map_or(&[][..], Vec::as_slice) {
        card_texts(&card["card"], &mut lines).ok_or_else(invalid)?;
    }
    if lines.is_empty() {
        return Err(invalid());
    }
    let text = lines.join("\n").replace("<br>", "\n");
    let plain = ["<b>", "</b>", "<font color=\"#5f6368\">", "</font>"];
    let text = plain.iter().fold(text, |text, tag| text.replace(tag, ""));
    let id = arrival.query.get("requestId").cloned();
    Ok(Accepted { id, ..said(text, body) })
}

fn card_texts(card: &Value, lines: &mut Vec<String>) -> Option<()> {
    lines.push(card["header"]["title"].as_str()?.to_owned());
    for section in card["sections"].as_array()? {
        for widget in section["widgets"].as_array()? {
            shown(widget, lines)?;
        }
    }
    Some(())
}

fn shown(widget: &Value, lines: &mut Vec<String>) -> Option<()> {
    let (kind, content) = widget.as_object()?.iter().next()?;
    match kind.as_str() {
        "textParagraph" => lines.push(content["text"].as_str()?.to_owned()),
        "decoratedText" => {
            lines.push(format!("{} {}", content["topLabel"].as_str()?, content["text"].as_str()?));
        }
        "columns" => {
            let items = content["columnItems"].as_array().filter(|items| items.len() <= 2)?;
            for inner in items.iter().filter_map(|item| item["widgets"].as_array()).flatten() {
                shown(inner, lines)?;
            }
        }
        "buttonList" => {
            for button in content["buttons"].as_array()? {
                let url = button["onClick"]["openLink"]["url"].as_str()?;
                lines.push(format!("{} {url}", button["text"].as_str()?));
            }
        }
        _ => return None,
    }
    Some(())
}
