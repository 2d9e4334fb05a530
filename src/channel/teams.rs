//! Microsoft Teams, by a flow of Power Automate: Adaptive Cards. An answer says only that the flow was started.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::address::Vendor;
use super::fit::{self, Page, fit};
use super::markdown::{self, escaped};
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::verdict::{self, down, rejected};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::config::{Fields, Key, Shape};
use crate::expiry::{Message, Timestamp, Tone};

/// Teams takes about 28 KB, and the flow that posts more fails where nobody sees it.
const LARGEST_BODY: usize = 25_000;

const VENDOR: Vendor = Vendor {
    hosts: &[
        ".logic.azure.com",
        ".api.powerplatform.com",
        ".api.powerautomate.com",
        ".logic.azure.cn",
        ".logic.azure.us",
    ],
    robot: is_robot,
    form: "https://….logic.azure.com/workflows/…&sig=… or https://….api.powerplatform.com/…, as the flow `When a Teams \
           webhook request is received` shows it (connectors at webhook.office.com have ended)",
    key_base: None,
};

pub(super) struct Teams;

impl Robot for Teams {
    const ABOUT: &'static str = "Microsoft Teams, by a flow of Power Automate.";
    const OPTIONS: &'static [Key] = &[Key::required(
        "url",
        Shape::Secret,
        "The address that the flow shows when it was saved. It is a secret: who has it can write there.",
    )];
    /// What a plan allows is not said; connectors allowed four a second.
    const PACE: Pace = Pace { gap: Duration::from_secs(2), per_minute: 30 };
    const VENDOR: Option<&'static Vendor> = Some(&VENDOR);
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/workflows/0a/triggers/manual/paths/invoke?sp=%2Ftriggers&sig=",
        options: r#"url = { env = "ROBOT_URL" }"#,
        success: "",
    };

    fn new(_: &mut Fields<'_>) -> Option<Self> {
        Some(Self)
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        vec![fit(message, None, LARGEST_BODY, render, fit::body_size)]
    }

    /// Judges by the flow's word first: a flow that is switched off answers 400.
    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        let word = body.as_ref().and_then(|body| body["error"]["code"].as_str());
        if let Some(error) = word.and_then(of_word) {
            return Err(error);
        }
        verdict::of_status(response, now)?;
        match response.status {
            202 => Ok(Receipt::default()),
            // A page of somebody else's is no flow that was started.
            200 if response.body.trim_ascii().is_empty() => Ok(Receipt::default()),
            status => Err(verdict::unknown(format!("http {status}"))),
        }
    }
}

fn is_robot(url: &Url) -> bool {
    let signed = url.query_pairs().any(|(name, value)| name == "sig" && !value.is_empty());
    signed && url.path().contains("/workflows/")
}

fn render(page: &Page<'_>) -> Value {
    if page.plain {
        return posted(&[block(&markdown::plain(page))], &[]);
    }
    let mut body = vec![heading(page)];
    body.extend(facts(page));
    body.extend(markdown::items(page).map(|items| block(&items)));
    body.push(json!({
        "type": "TextBlock", "wrap": true, "isSubtle": true, "size": "Small", "text": page.footer,
    }));
    let open = |(label, link)| json!({ "type": "Action.OpenUrl", "title": label, "url": link });
    posted(&body, &page.links().map(open).collect::<Vec<_>>())
}

/// Returns the title on a bar of its colour.
fn heading(page: &Page<'_>) -> Value {
    let style = match page.tone {
        Tone::Critical => "attention",
        Tone::Warning => "warning",
        Tone::Info => "accent",
        Tone::Good => "good",
    };
    let title = json!({
        "type": "TextBlock", "size": "Medium", "weight": "Bolder", "style": "heading", "wrap": true,
        "text": escaped(&page.title),
    });
    json!({ "type": "Container", "style": style, "bleed": true, "items": [title] })
}

fn facts(page: &Page<'_>) -> Option<Value> {
    let facts = page.facts.iter();
    let facts: Vec<_> = facts
        .map(|fact| json!({ "title": escaped(&fact.label), "value": markdown::value(fact) }))
        .collect();
    (!facts.is_empty()).then(|| json!({ "type": "FactSet", "facts": facts }))
}

fn block(text: &str) -> Value {
    json!({ "type": "TextBlock", "wrap": true, "text": text })
}

fn posted(body: &[Value], actions: &[Value]) -> Value {
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": body,
        "actions": actions,
    });
    let attachment = json!({
        "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card,
    });
    json!({ "type": "message", "attachments": [attachment] })
}

fn of_word(word: &str) -> Option<SendError> {
    Some(match word {
        "WorkflowTriggerIsNotEnabled" => {
            down(word, "switch the flow on, or make a new one and set its url")
        }
        "WorkflowNotFound" => down(word, "the flow was deleted, make a new one and set its url"),
        "DirectApiAuthorizationRequired" | "AuthorizationFailed" | "InvalidAuthenticationToken" => {
            down(word, "let the trigger of the flow accept anyone, and set its url as it is shown")
        }
        "TriggerInputSchemaMismatch" | "InvalidRequestContent" => rejected(word),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::address::check;
    use super::super::sample;
    use super::*;
    use crate::expiry::Detail;

    fn shown(message: &Message) -> String {
        let body = Teams.encode(message).remove(0);
        let card = &body["attachments"][0]["content"];
        let parts =
            card["body"].as_array().unwrap().iter().chain(card["actions"].as_array().unwrap());
        parts.map(Value::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r#"
        {"bleed":true,"items":[{"size":"Medium","style":"heading","text":"\\[notafter\\] certificate www\\.example\\.com expires in 7 days","type":"TextBlock","weight":"Bolder","wrap":true}],"style":"warning","type":"Container"}
        {"facts":[{"title":"Expiry","value":"**2026\\-01\\-08 00\\:00 \\(UTC\\), in 7 days**"},{"title":"Common name","value":"www\\.example\\.com"},{"title":"Source","value":"web\\-certs"},{"title":"Issuer","value":"R11"},{"title":"Serial","value":"04a1b2c3"}],"type":"FactSet"}
        {"isSubtle":true,"size":"Small","text":"id 0193e4b0-7d","type":"TextBlock","wrap":true}
        {"title":"Open","type":"Action.OpenUrl","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r#"
        {"bleed":true,"items":[{"size":"Medium","style":"heading","text":"\\[notafter\\] 证书 www\\.example\\.com 将在 7 天后到期","type":"TextBlock","weight":"Bolder","wrap":true}],"style":"warning","type":"Container"}
        {"facts":[{"title":"到期时间","value":"**2026\\-01\\-08 00\\:00 \\(UTC\\)，7 天后**"},{"title":"通用名称 \\(CN\\)","value":"www\\.example\\.com"},{"title":"来源","value":"web\\-certs"},{"title":"签发者","value":"R11"},{"title":"序列号","value":"04a1b2c3"}],"type":"FactSet"}
        {"isSubtle":true,"size":"Small","text":"id 0193e4b0-7d","type":"TextBlock","wrap":true}
        {"title":"查看","type":"Action.OpenUrl","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}
        "#);
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(shown(&sample::list()), @r#"
        {"bleed":true,"items":[{"size":"Medium","style":"heading","text":"\\[notafter\\] 2 events\\: 2 expiring","type":"TextBlock","weight":"Bolder","wrap":true}],"style":"warning","type":"Container"}
        {"text":"- **\\*\\.a\\.example\\.com** · expires in 3 days · 2026\\-01\\-04 00\\:00 \\(UTC\\) · web\\-certs [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)\n- **b\\.example\\.com** · expires in 7 days · 2026\\-01\\-08 00\\:00 \\(UTC\\) · web\\-certs [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)","type":"TextBlock","wrap":true}
        {"isSubtle":true,"size":"Small","text":"id 0193e4b0-7d","type":"TextBlock","wrap":true}
        {"title":"Open","type":"Action.OpenUrl","url":"https://certs.example.com/"}
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::list())), @r#"
        {"bleed":true,"items":[{"size":"Medium","style":"heading","text":"\\[notafter\\] 2 个事件：2 个将到期","type":"TextBlock","weight":"Bolder","wrap":true}],"style":"warning","type":"Container"}
        {"text":"- **\\*\\.a\\.example\\.com** · 将在 3 天后到期 · 2026\\-01\\-04 00\\:00 \\(UTC\\) · web\\-certs [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)\n- **b\\.example\\.com** · 将在 7 天后到期 · 2026\\-01\\-08 00\\:00 \\(UTC\\) · web\\-certs [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)","type":"TextBlock","wrap":true}
        {"isSubtle":true,"size":"Small","text":"id 0193e4b0-7d","type":"TextBlock","wrap":true}
        {"title":"查看","type":"Action.OpenUrl","url":"https://certs.example.com/"}
        "#);
    }

    #[test]
    fn a_digest_and_the_last_resort() {
        insta::assert_snapshot!(shown(&sample::digest(6)), @r#"
        {"bleed":true,"items":[{"size":"Medium","style":"heading","text":"\\[notafter\\] 6 events\\: 6 expiring","type":"TextBlock","weight":"Bolder","wrap":true}],"style":"warning","type":"Container"}
        {"facts":[{"title":"within 7d","value":"6"}],"type":"FactSet"}
        {"text":"- **svc\\-0000\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0001\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0002\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0003\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0004\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0005\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs","type":"TextBlock","wrap":true}
        {"isSubtle":true,"size":"Small","text":"id 0193e4b0-7d","type":"TextBlock","wrap":true}
        {"title":"Open","type":"Action.OpenUrl","url":"https://certs.example.com/"}
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::digest(6))), @r#"
        {"bleed":true,"items":[{"size":"Medium","style":"heading","text":"\\[notafter\\] 6 个事件：6 个将到期","type":"TextBlock","weight":"Bolder","wrap":true}],"style":"warning","type":"Container"}
        {"facts":[{"title":"7 天内到期","value":"6"}],"type":"FactSet"}
        {"text":"- **svc\\-0000\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0001\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0002\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0003\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0004\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0005\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs","type":"TextBlock","wrap":true}
        {"isSubtle":true,"size":"Small","text":"id 0193e4b0-7d","type":"TextBlock","wrap":true}
        {"title":"查看","type":"Action.OpenUrl","url":"https://certs.example.com/"}
        "#);
        insta::assert_snapshot!(shown(&Message { detail: Detail::Plain, ..sample::list() }), @r#"{"text":"\\[notafter\\] 2 events\\: 2 expiring\n\\*\\.a\\.example\\.com · expires in 3 days · 2026\\-01\\-04 00\\:00 \\(UTC\\) · web\\-certs\nb\\.example\\.com · expires in 7 days · 2026\\-01\\-08 00\\:00 \\(UTC\\) · web\\-certs\nid 0193e4b0-7d","type":"TextBlock","wrap":true}"#);
        insta::assert_snapshot!(shown(&Message { detail: Detail::OneLine, ..sample::list() }), @r#"{"text":"\\[notafter\\] 2 events need attention\nhttps://certs.example.com/\nid 0193e4b0-7d","type":"TextBlock","wrap":true}"#);
    }

    #[test]
    fn the_envelope_is_that_of_an_adaptive_card() {
        let body = Teams.encode(&sample::single()).remove(0);
        assert_eq!(body["type"], "message");
        let attachment = &body["attachments"][0];
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        let content = &attachment["content"];
        assert_eq!(
            (&content["type"], &content["version"]),
            (&json!("AdaptiveCard"), &json!("1.4"))
        );
    }

    #[test]
    fn the_limit_is_in_bytes_of_the_body() {
        for message in [sample::digest(5000), sample::hostile(5000)] {
            for detail in Detail::ALL {
                let size =
                    Teams.encode(&Message { detail, ..message.clone() })[0].to_string().len();
                assert!(size <= 25_000, "{size}");
                assert!(detail > Detail::Full || size > 24_000, "{size}: more would fit");
            }
        }
    }

    #[test]
    fn nothing_in_a_message_mentions_or_links() {
        for detail in Detail::ALL {
            let message = Message { detail, link: None, ..sample::hostile(9) };
            let text = Teams.encode(&message)[0].to_string();
            assert!(!text.contains(['@', '<', '`', '\u{202E}']), "{text}");
            assert!(!text.contains("](") && !text.contains("entities"), "{text}");
        }
    }

    #[test]
    fn a_flow_is_judged_by_its_word_and_the_status() {
        sample::assert_outcomes(
            |response, now| Teams.judge(response, now),
            &[
                (202, "", "delivered"),
                (200, "", "delivered"),
                (204, "", "retry"),
                (200, "<html>", "retry"),
                (
                    400,
                    r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"state 'Deleted'"}}"#,
                    "down",
                ),
                (400, r#"{"error":{"code":"TriggerInputSchemaMismatch"}}"#, "rejected"),
                (404, r#"{"error":{"code":"WorkflowNotFound"}}"#, "down"),
                (400, r#"{"error":{"code":"NewWord"}}"#, "rejected"),
                (401, "", "down"),
                (403, "", "down"),
                (429, "", "throttled"),
                (502, "", "retry"),
                (302, "", "down"),
            ],
        );
    }

    #[test]
    fn only_flows_are_accepted() {
        for good in [
            "https://prod-12.westeurope.logic.azure.com:443/workflows/0a/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a-b",
            "https://0a.0b.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/0a/triggers/manual/paths/invoke?api-version=1&sig=a-b",
        ] {
            let url = check(good, Some(&VENDOR)).unwrap();
            assert_eq!(url.as_str(), good.replace(":443", ""), "the query is as it was pasted");
        }
        for bad in [
            "https://contoso.webhook.office.com/webhookb2/0a/IncomingWebhook/0b/0c",
            "https://logic.azure.com/workflows/0a?sig=a",
            "https://evil.test/.logic.azure.com/workflows/0a?sig=a",
            "https://x.logic.azure.com.evil.test/workflows/0a?sig=a",
            "https://x.logic.azure.com/workflows/0a",
        ] {
            let why = check(bad, Some(&VENDOR)).unwrap_err();
            assert!(why.contains("connectors"), "{bad}: {why}");
        }
    }
}
