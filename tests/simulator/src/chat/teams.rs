//! A flow of Power Automate that posts to Microsoft Teams: what is too large fails where nobody sees it.

use serde_json::{Value, json};

use super::robots::{Accepted, Arrival, said};
use super::{Answer, verdicts};

pub(super) fn error(status: u16, code: &str) -> Answer {
    verdicts::json(
        status,
        &json!({ "error": { "code": code, "message": "as the simulator was told" } }),
    )
}

pub(super) fn judge(arrival: &Arrival) -> Result<Accepted, Answer> {
    let mismatch = || error(400, "TriggerInputSchemaMismatch");
    if arrival.body.len() > 28 * 1024 {
        return Err(verdicts::empty(202));
    }
    let body: Value = serde_json::from_slice(&arrival.body).map_err(|_| mismatch())?;
    let card = &body["attachments"][0];
    let kind = card["contentType"] == "application/vnd.microsoft.card.adaptive";
    let content = &card["content"];
    if body["type"] != "message" || !kind || content["type"] != "AdaptiveCard" {
        return Err(mismatch());
    }
    let mut lines = Vec::new();
    for element in content["body"].as_array().ok_or_else(mismatch)? {
        shown(element, &mut lines).ok_or_else(mismatch)?;
    }
    for action in content["actions"].as_array().map_or(&[][..], Vec::as_slice) {
        let url = action["url"].as_str().ok_or_else(mismatch)?;
        lines.push(format!("{} {url}", action["title"].as_str().ok_or_else(mismatch)?));
    }
    Ok(said(verdicts::unescaped(&lines.join("\n")), body))
}

/// Adds what an element shows; `None` when its shape is wrong.
fn shown(element: &Value, lines: &mut Vec<String>) -> Option<()> {
    match element["type"].as_str()? {
        "TextBlock" => lines.push(element["text"].as_str()?.to_owned()),
        "Container" => {
            let styles = ["default", "emphasis", "good", "attention", "warning", "accent"];
            styles.contains(&element["style"].as_str()?).then_some(())?;
            for item in element["items"].as_array()? {
                shown(item, lines)?;
            }
        }
        "FactSet" => {
            for fact in element["facts"].as_array()? {
                lines.push(format!("{} {}", fact["title"].as_str()?, fact["value"].as_str()?));
            }
        }
        _ => return None,
    }
    Some(())
}
