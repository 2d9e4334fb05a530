//! Feishu: texts, posts and cards, each read as a client shows it.

use serde_json::Value;

use super::robots::{Accepted, Arrival, said, verdict};
use super::{Answer, Service, Settings, signature};

pub(super) fn judge(arrival: &Arrival, settings: &Settings, now: i64) -> Result<Accepted, Answer> {
    let refuse = |code, text: &str| verdict(Service::Feishu, code, text);
    // The limit is on the whole request body.
    if arrival.body.len() > 20 * 1024 {
        return Err(refuse(9499, "Bad Request"));
    }
    let body: Value =
        serde_json::from_slice(&arrival.body).map_err(|_| refuse(99_991_300, "not a json"))?;
    if let Some(secret) = &settings.feishu_secret {
        let text = "sign match fail or timestamp is not within one hour from current time";
        signature::feishu(&body, secret, now).map_err(|_| refuse(19_021, text))?;
    }
    let text = match body["msg_type"].as_str() {
        Some("text") => body["content"]["text"].as_str().map(str::to_owned),
        Some("post") => post(&body["content"]["post"]),
        Some("interactive") => card(&body["card"]),
        _ => return Err(refuse(19_002, "params error, msg_type need")),
    };
    let text = text.ok_or_else(|| refuse(9499, "Bad Request"))?;
    if settings.keyword.as_ref().is_some_and(|keyword| !text.contains(keyword)) {
        return Err(refuse(19_024, "Key Words Not Found"));
    }
    Ok(said(text, body))
}

/// Returns the title and the lines of a post, or nothing when its shape is wrong.
fn post(post: &Value) -> Option<String> {
    let (_, content) = post.as_object()?.iter().next()?;
    let mut lines = vec![content["title"].as_str()?.to_owned()];
    for paragraph in content["content"].as_array()? {
        let mut line = String::new();
        for node in paragraph.as_array()? {
            line += node["text"].as_str()?;
            match node["tag"].as_str()? {
                "text" => {}
                "a" => line.extend([" (", address(&node["href"])?.as_str(), ")"]),
                _ => return None,
            }
        }
        lines.push(line);
    }
    Some(lines.join("\n"))
}

/// Returns the header and the elements of a card, or nothing when its shape is wrong.
fn card(card: &Value) -> Option<String> {
    let header = &card["header"];
    let templates = ["red", "orange", "blue", "green", "grey"];
    if !templates.contains(&header["template"].as_str()?) {
        return None;
    }
    let mut lines = vec![text(&header["title"], &["plain_text"])?];
    for element in card["elements"].as_array()? {
        lines.extend(lines_of(element)?);
    }
    Some(lines.join("\n"))
}

fn lines_of(element: &Value) -> Option<Vec<String>> {
    let each = |key: &str, line: fn(&Value) -> Option<String>| {
        element[key].as_array()?.iter().map(line).collect::<Option<Vec<_>>>()
    };
    match element["tag"].as_str()? {
        "div" if element["fields"].is_array() => each("fields", |field| {
            field["is_short"].as_bool()?;
            any_text(&field["text"])
        }),
        "div" => {
            let extra =
                if element["extra"].is_null() { String::new() } else { button(&element["extra"])? };
            Some(vec![any_text(&element["text"])?, extra])
        }
        "action" => each("actions", button),
        "note" => each("elements", any_text),
        "hr" => Some(Vec::new()),
        _ => None,
    }
}

fn any_text(object: &Value) -> Option<String> {
    text(object, &["plain_text", "lark_md"])
}

fn text(object: &Value, tags: &[&str]) -> Option<String> {
    let content = object["content"].as_str().filter(|content| !content.is_empty())?;
    tags.contains(&object["tag"].as_str()?).then(|| content.to_owned())
}

fn button(element: &Value) -> Option<String> {
    let label = text(&element["text"], &["plain_text"])?;
    let address = address(&element["url"])?;
    (element["tag"] == "button").then(|| format!("{label} ({address})"))
}

/// An address that is not valid fails the whole message.
fn address(value: &Value) -> Option<url::Url> {
    url::Url::parse(value.as_str()?).ok()
}
