//! Mattermost: a text or attachments, in characters; errors have an id.

use serde_json::{Value, json};

use super::robots::{Accepted, Arrival, said};
use super::{Answer, verdicts};

pub(super) fn error(status: u16, id: &str) -> Answer {
    verdicts::json(status, &json!({ "id": id, "message": "as it is", "status_code": status }))
}

pub(super) fn judge(arrival: &Arrival) -> Result<Accepted, Answer> {
    let body: Value = serde_json::from_slice(&arrival.body)
        .map_err(|_| error(400, "web.incoming_webhook.parse.app_error"))?;
    let mut lines: Vec<String> = body["text"].as_str().map(str::to_owned).into_iter().collect();
    for attachment in body["attachments"].as_array().map_or(&[][..], Vec::as_slice) {
        for key in ["title", "text", "title_link", "footer"] {
            lines.extend(attachment[key].as_str().map(str::to_owned));
        }
        for field in attachment["fields"].as_array().map_or(&[][..], Vec::as_slice) {
            let part = |key: &str| field[key].as_str().unwrap_or_default().to_owned();
            lines.push(format!("{} {}", part("title"), part("value")));
        }
    }
    let text = lines.join("\n");
    if text.is_empty() || text.chars().count() > 16_383 {
        return Err(error(400, "web.incoming_webhook.text.app_error"));
    }
    Ok(said(verdicts::unescaped(&text), body))
}
