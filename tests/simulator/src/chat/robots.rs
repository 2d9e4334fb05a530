//! What each service accepts, and its words for what it refuses.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::signature::{self, Wrong};
use super::{
    Answer, Service, Settings, discord, feishu, google_chat, mattermost, ntfy, pagerduty, slack,
    teams, telegram, verdicts,
};

/// One request.
pub(super) struct Arrival {
    pub service: Service,
    pub room: String,
    pub query: HashMap<String, String>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What is kept of a message.
pub(super) struct Accepted {
    pub text: String,
    pub body: Value,
    pub id: Option<String>,
}

/// Judges one request as its service would.
pub(super) fn judge(arrival: &Arrival, settings: &Settings, now: i64) -> Result<Accepted, Answer> {
    match arrival.service {
        Service::Slack => slack::judge(arrival),
        Service::Feishu => feishu::judge(arrival, settings, now),
        Service::DingTalk => dingtalk(arrival, settings, now),
        Service::WeCom => wecom(arrival),
        Service::Webhook => webhook(arrival, settings, now),
        Service::Discord => discord::judge(arrival),
        Service::Teams => teams::judge(arrival),
        Service::Mattermost => mattermost::judge(arrival),
        Service::GoogleChat => google_chat::judge(arrival),
        Service::Telegram => telegram::judge(arrival),
        Service::Ntfy => ntfy::judge(arrival),
        Service::PagerDuty => pagerduty::judge(arrival),
    }
}

/// Returns a service's answer to an accepted message.
pub(super) fn accepted(service: Service) -> Answer {
    match service {
        Service::Feishu => verdict(service, 0, "success"),
        Service::Slack | Service::DingTalk | Service::WeCom => verdict(service, 0, "ok"),
        Service::Mattermost => verdict(service, 200, "ok"),
        Service::Webhook => verdicts::empty(204),
        Service::Teams => verdicts::empty(202),
        Service::Discord | Service::Ntfy => verdicts::json(200, &json!({ "id": "1234567890" })),
        Service::GoogleChat => verdicts::json(200, &json!({ "name": "spaces/S/messages/1" })),
        Service::Telegram => {
            verdicts::json(200, &json!({ "ok": true, "result": { "message_id": 7 } }))
        }
        Service::PagerDuty => verdicts::json(202, &json!({ "status": "success" })),
    }
}

/// Returns a code in the service's own envelope, with status 200 where that is the service's way.
pub(super) fn verdict(service: Service, code: i64, text: &str) -> Answer {
    let (status, body) = match service {
        Service::Slack if text == "ok" => (200, text.to_owned()),
        Service::Slack => (slack::status(text), text.to_owned()),
        Service::Feishu => (200, json!({ "code": code, "msg": text, "data": {} }).to_string()),
        Service::DingTalk | Service::WeCom => {
            (200, json!({ "errcode": code, "errmsg": text }).to_string())
        }
        Service::Discord => return discord::error(400, code, text),
        Service::Telegram => return telegram::error(status_of(code), text),
        Service::Ntfy => return ntfy::error(code, text),
        Service::Teams => return teams::error(status_of(code), text),
        Service::GoogleChat => return google_chat::error(status_of(code), text),
        Service::PagerDuty => return pagerduty::error(status_of(code), text),
        Service::Mattermost if text != "ok" => return mattermost::error(status_of(code), text),
        Service::Mattermost | Service::Webhook => (status_of(code), text.to_owned()),
    };
    Answer { status, headers: Vec::new(), body }
}

fn status_of(code: i64) -> u16 {
    u16::try_from(code).unwrap_or(500)
}

/// Returns the answer for a robot that somebody removed.
pub(super) fn removed(service: Service) -> Answer {
    let (code, text) = match service {
        Service::Slack => (0, "no_service"),
        Service::Feishu => (19_001, "param invalid: incoming webhook access token invalid"),
        Service::DingTalk => (300_005, "token is not exist"),
        Service::WeCom => (93_000, "invalid webhook url, hint: [1767225600], from ip: 203.0.113.7"),
        Service::Webhook => (410, "gone"),
        Service::Discord => return discord::error(404, 10_015, "Unknown Webhook"),
        Service::Teams => (404, "WorkflowNotFound"),
        Service::Mattermost => (400, "web.incoming_webhook.invalid.app_error"),
        Service::GoogleChat => (404, "NOT_FOUND"),
        Service::Telegram => (403, "Forbidden: bot was kicked from the supergroup chat"),
        Service::Ntfy => (40_301, "forbidden"),
        Service::PagerDuty => (404, "no such integration"),
    };
    verdict(service, code, text)
}

/// Returns the answer to one message too many.
pub(super) fn limited(service: Service) -> Answer {
    match service {
        Service::Slack => Answer {
            headers: vec![("retry-after", "1".to_owned())],
            ..verdict(service, 0, "rate_limited")
        },
        Service::Feishu => {
            verdict(service, 11_232, "frequency limited psm[lark.oapi.app_platform_runtime]")
        }
        Service::DingTalk => verdict(service, 130_101, "send too fast, exceed 20 times per minute"),
        Service::WeCom => verdict(service, 45_009, "api freq out of limit"),
        Service::Webhook | Service::Teams | Service::PagerDuty => {
            verdict(service, 429, "too many requests")
        }
        Service::Mattermost => verdict(service, 429, "api.context.rate.app_error"),
        Service::GoogleChat => verdict(service, 429, "RESOURCE_EXHAUSTED"),
        Service::Ntfy => verdict(service, 42_901, "limit reached: too many requests"),
        Service::Telegram => telegram::limited(3),
        Service::Discord => verdicts::json(
            429,
            &json!({ "message": "You are being rate limited.", "retry_after": 0.6 }),
        ),
    }
}

fn dingtalk(arrival: &Arrival, settings: &Settings, now: i64) -> Result<Accepted, Answer> {
    let refuse = |code, text: &str| verdict(Service::DingTalk, code, text);
    if arrival.room.is_empty() {
        return Err(refuse(300_005, "token is not exist"));
    }
    let content_type = arrival.headers.get("content-type").and_then(|value| value.to_str().ok());
    if !content_type.unwrap_or_default().starts_with("application/json") {
        return Err(refuse(43_004, "invalid Content-Type"));
    }
    if let Some(secret) = &settings.dingtalk_secret {
        signature::dingtalk(&arrival.query, secret, now).map_err(|wrong| match wrong {
            Wrong::Time => refuse(310_000, "invalid timestamp"),
            Wrong::Signature => refuse(310_000, "sign not match"),
        })?;
    }
    if arrival.body.len() > 20_000 {
        return Err(refuse(460_101, "message too long, exceed 20000 bytes"));
    }
    let body: Value =
        serde_json::from_slice(&arrival.body).map_err(|_| refuse(40_035, "参数错误"))?;
    let text = match body["msgtype"].as_str() {
        Some("text") => body["text"]["content"].as_str(),
        Some("markdown") => {
            body["markdown"]["title"].as_str().and(body["markdown"]["text"].as_str())
        }
        _ => return Err(refuse(400_105, "不支持的消息类型")),
    };
    let text =
        text.filter(|text| !text.is_empty()).ok_or_else(|| refuse(40_035, "缺少参数"))?.to_owned();
    if settings.keyword.as_ref().is_some_and(|keyword| !text.contains(keyword)) {
        return Err(refuse(310_000, "keywords not in content"));
    }
    Ok(said(text, body))
}

fn wecom(arrival: &Arrival) -> Result<Accepted, Answer> {
    let refuse = |code, text: &str| verdict(Service::WeCom, code, text);
    if arrival.room.is_empty() {
        return Err(removed(Service::WeCom));
    }
    let body: Value = serde_json::from_slice(&arrival.body)
        .map_err(|_| refuse(40_008, "invalid message type"))?;
    let (kind, limit) = match body["msgtype"].as_str() {
        Some("text") => ("text", 2048),
        Some("markdown") => ("markdown", 4096),
        Some("markdown_v2") => ("markdown_v2", 4096),
        _ => return Err(refuse(40_008, "invalid message type")),
    };
    let text = body[kind]["content"].as_str().unwrap_or_default().to_owned();
    if text.is_empty() {
        return Err(refuse(44_004, "content size out of limit"));
    }
    // Bytes of UTF-8, not characters.
    if text.len() > limit {
        return Err(refuse(40_058, &format!("{kind}.content exceed max length {limit}")));
    }
    Ok(said(text, body))
}

fn webhook(arrival: &Arrival, settings: &Settings, now: i64) -> Result<Accepted, Answer> {
    let refuse = |status, text: &str| verdict(Service::Webhook, status, text);
    if arrival.body.len() > 256 * 1024 {
        return Err(refuse(413, "too large"));
    }
    if let Some(secret) = &settings.webhook_secret {
        signature::webhook(&arrival.headers, &arrival.body, secret, now).map_err(|wrong| {
            match wrong {
                Wrong::Time => refuse(401, "timestamp out of tolerance"),
                Wrong::Signature => refuse(401, "no matching signature"),
            }
        })?;
    }
    let body: Value = serde_json::from_slice(&arrival.body).map_err(|_| refuse(400, "not JSON"))?;
    let id = arrival.headers.get("webhook-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let data = &body["data"];
    let events = data["events"].as_array().cloned().unwrap_or_else(|| vec![data.clone()]);
    let lines = events.iter().map(|event| {
        let name = event["certificate"]["display_name"].as_str().or(event["source"].as_str());
        let name = name.or(event["channel"].as_str()).unwrap_or_default();
        format!("{} {name}", event["kind"].as_str().unwrap_or_default()).trim_end().to_owned()
    });
    let text = std::iter::once(body["type"].as_str().unwrap_or_default().to_owned()).chain(lines);
    Ok(Accepted { text: text.collect::<Vec<_>>().join("\n"), body, id })
}

/// Keeps a message of a chat; its last line says the id.
pub(super) fn said(text: String, body: Value) -> Accepted {
    let id = text
        .lines()
        .rev()
        .find_map(|line| line.split_once("id ").map(|(_, id)| id.trim().to_owned()));
    Accepted { text, body, id }
}
