use crate::simulator::chat::{self, Chat, Fault, Service};
use notafter::channel::{self, Channel};
use notafter::client::{Deps, NoMeter, http::Http, limiter::Limiters};
use notafter::clock::SystemClock;
use notafter::config::{Environment, Mistakes, load};
use notafter::expiry::*;
use std::sync::Arc;
use std::time::Duration;

fn event(name: &str) -> Event {
    let facts = Facts {
        source: "s".into(),
        scope: name.into(),
        issuer: name.into(),
        serial: name.into(),
        kind: Kind::Server,
        status: Status::Active,
        common_name: name.into(),
        holder: name.into(),
        unit: name.into(),
        not_before: None,
        not_after: Some(Timestamp::from_seconds(1_800_000_000)),
    };
    Event {
        id: "0193".into(),
        at: Timestamp::from_seconds(1_799_000_000),
        severity: Severity::Warning,
        topic: Topic::Expiring { facts, rung: Rung::Before(7 * 86_400), leaves: None },
    }
}

#[tokio::test]
async fn all() {
    let chat = Chat::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = chat.router();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let robots = [
        ("slack", "/slack/services/T/B/x", "", Service::Slack),
        (
            "feishu",
            "/feishu/open-apis/bot/v2/hook/demo",
            "secret = { env = \"FS_KEY\" }",
            Service::Feishu,
        ),
        (
            "dingtalk",
            "/dingtalk/robot/send?access_token=demo",
            "secret = { env = \"DT_KEY\" }",
            Service::DingTalk,
        ),
        ("wecom", "/wecom/cgi-bin/webhook/send?key=demo", "", Service::WeCom),
        ("webhook", "/webhook/ops", "secret = { env = \"WH_KEY\" }", Service::Webhook),
    ];
    for (kind, path, options, service) in robots {
        let url = format!("{base}{path}");
        let env = Environment::of([
            ("THE_URL", url.as_str()),
            ("FS_KEY", chat::FEISHU_SECRET),
            ("DT_KEY", chat::DINGTALK_SECRET),
            ("WH_KEY", chat::WEBHOOK_SECRET),
        ]);
        let text = format!(
            "[[channel]]\nname = \"c\"\nkind = \"{kind}\"\n[channel.options]\nurl = {{ env = \"THE_URL\" }}\n{options}\n"
        );
        let (config, _) = load(&text, &env);
        let deps = Deps {
            http: Http::new().unwrap(),
            limiters: Limiters::default(),
            clock: Arc::new(SystemClock),
            meter: Arc::new(NoMeter),
        };
        let mut mistakes = Mistakes::default();
        let channel: Arc<dyn Channel> =
            channel::build(&config.unwrap().channels[0], &deps, &mut mistakes).unwrap();
        let hostile =
            "<!channel> @all <at user_id=\"all\"> [x](https://evil.test) `*_~\"\\\r\n\u{202E}证书";
        for language in Language::ALL {
            for count in [1, 3, 400] {
                for name in ["www.example.com", hostile] {
                    let message = Message::compose(
                        format!("{kind}-{count}"),
                        Timestamp::from_seconds(1_799_000_001),
                        language,
                        vec![event(name); count],
                        Some("https://certs.example.com"),
                    );
                    tokio::time::sleep(Duration::from_millis(
                        if kind == "feishu" || kind == "slack" { 260 } else { 0 },
                    ))
                    .await;
                    let before = chat.received().len();
                    channel
                        .send(&message)
                        .await
                        .unwrap_or_else(|e| panic!("{kind} {count}: {e:?}"));
                    let pages = if kind == "webhook" && count == 400 { 4 } else { 1 };
                    let all = chat
                        .wait_for(Duration::from_secs(5), |r| r.len() == before + pages)
                        .await
                        .unwrap();
                    let last = all.last().unwrap();
                    assert_eq!(last.service, service);
                    let id = if pages == 4 {
                        format!("{kind}-{count}-4")
                    } else {
                        format!("{kind}-{count}")
                    };
                    assert_eq!(last.id.as_deref(), Some(id.as_str()), "{}", last.text);
                    if count == 1 && kind != "webhook" {
                        println!("{}\n---", last.text);
                    }
                }
            }
        }
        let message = Message::compose(
            "x",
            Timestamp::from_seconds(1_799_000_001),
            Language::En,
            vec![event("a")],
            None,
        );
        for (fault, outcome) in [
            (Fault::Http(500), "retry"),
            (Fault::TooManyRequests(9), "throttled"),
            (Fault::RedirectTo("http://127.0.0.1:1/".into()), "down"),
        ] {
            chat.fail(service, fault.clone());
            let e = channel.send(&message).await.unwrap_err();
            assert_eq!(e.outcome(), outcome, "{kind} {fault:?}");
        }
        if kind != "webhook" {
            chat.fail(service, Fault::Html200);
            assert!(channel.send(&message).await.unwrap_err().is_unknown());
            // 12 accepted so far in this minute, so the limit comes.
            let mut seen = String::new();
            for _ in 0..40 {
                if let Err(e) = channel.send(&message).await {
                    seen = format!("{} {}", e.outcome(), e.code());
                    break;
                }
            }
            println!("{kind}: {seen}");
            assert!(seen.starts_with("throttled"), "{kind} {seen}");
        }
        chat.remove(
            service,
            &match kind {
                "slack" => "T/B/x",
                "webhook" => "ops",
                _ => "demo",
            }
            .to_string(),
        );
        assert_eq!(channel.send(&message).await.unwrap_err().outcome(), "down", "{kind}");
    }
}
