//! Every kind of channel, from its configuration to the simulated service with its real verdicts.

use std::sync::Arc;
use std::time::Duration;

use notafter::facade::channel::{self, Channel};
use notafter::facade::client::{Deps, NoMeter, http::Http, limiter::Limiters};
use notafter::facade::clock::{SystemClock, SystemRandom};
use notafter::facade::config::{Environment, Mistakes, load};
use notafter::facade::expiry::{
    Event, Facts, Kind, Language, Message, Rung, Severity, Status, Timestamp, Topic,
};

use simulator::chat::{self, Chat, Fault, Service};

const HOSTILE: &str =
    "<!channel> @all <at user_id=\"all\"> [x](https://evil.test) `*_~\"\\\r\n\u{202E}证书";

struct Robot {
    kind: &'static str,
    path: &'static str,
    secret: Option<&'static str>,
    service: Service,
    room: &'static str,
}

const fn robot(
    kind: &'static str,
    path: &'static str,
    secret: Option<&'static str>,
    service: Service,
    room: &'static str,
) -> Robot {
    Robot { kind, path, secret, service, room }
}

const ROBOTS: [Robot; 5] = [
    robot("slack", "/slack/services/T/B/x", None, Service::Slack, "T/B/x"),
    robot(
        "feishu",
        "/feishu/open-apis/bot/v2/hook/demo",
        Some(chat::FEISHU_SECRET),
        Service::Feishu,
        "demo",
    ),
    robot(
        "dingtalk",
        "/dingtalk/robot/send?access_token=demo",
        Some(chat::DINGTALK_SECRET),
        Service::DingTalk,
        "demo",
    ),
    robot("wecom", "/wecom/cgi-bin/webhook/send?key=demo", None, Service::WeCom, "demo"),
    robot("webhook", "/webhook/ops", Some(chat::WEBHOOK_SECRET), Service::Webhook, "ops"),
];

/// A robot, its room on loopback, and the channel that the configuration makes of it.
struct Scene {
    chat: Chat,
    channel: Arc<dyn Channel>,
    _tasks: tokio::task::JoinSet<()>,
}

async fn scene(robot: &Robot) -> Scene {
    let chat = Chat::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{}", listener.local_addr().unwrap(), robot.path);
    let router = chat.router();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Scene { chat, channel: built(robot, &url), _tasks: tasks }
}

fn built(robot: &Robot, url: &str) -> Arc<dyn Channel> {
    let environment = Environment::of([("URL", url), ("KEY", robot.secret.unwrap_or(""))]);
    let secret = robot.secret.map_or("", |_| "secret = { env = \"KEY\" }");
    let text = format!(
        "[[channel]]\nname = \"c\"\nkind = \"{}\"\n[channel.options]\nurl = {{ env = \"URL\" }}\n{secret}\n",
        robot.kind
    );
    let (config, _) = load(&text, &environment, |_| None);
    let deps = Deps {
        http: Http::new().unwrap(),
        limiters: Limiters::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        meter: Arc::new(NoMeter),
    };
    let mut mistakes = Mistakes::default();
    channel::build(&config.unwrap().channels[0], &deps, &mut mistakes)
        .unwrap_or_else(|| panic!("{mistakes:?}"))
}

fn message(id: &str, language: Language, name: &str, events: usize) -> Message {
    let facts = Facts {
        source: "s".into(),
        scope: name.into(),
        issuer: name.into(),
        serial: name.into(),
        common_name: name.into(),
        holder: name.into(),
        unit: name.into(),
        not_after: Some(Timestamp::from_seconds(1_800_000_000)),
        ..Facts::bare(Kind::Server, Status::Active)
    };
    let topic = Topic::Expiring {
        facts,
        rung: Rung::Before(7 * 86_400),
        leaves: None,
        newer: None,
        unserved: false,
        places: None,
    };
    let at = Timestamp::from_seconds(1_799_000_000);
    let event = Event { id: "0193".into(), at, severity: Severity::Warning, topic };
    let link = Some("https://certs.example.com");
    Message::compose(id, at, language, vec![event; events], link)
}

#[tokio::test]
async fn every_service_takes_every_form_of_a_message_with_hostile_names() {
    for robot in &ROBOTS {
        for (language, events, name) in [
            (Language::En, 1, "www.example.com"),
            (Language::Zh, 1, HOSTILE),
            (Language::En, 3, HOSTILE),
            (Language::Zh, 400, HOSTILE),
        ] {
            // A room of its own each time: this is not about rates.
            let scene = scene(robot).await;
            let message = message("id-1", language, name, events);
            if let Err(error) = scene.channel.send(&message).await {
                panic!("{} {events}: {error}", robot.kind);
            }
            // A webhook is sent a hundred events a request, each with an id of its own.
            let pages = if robot.kind == "webhook" { events.div_ceil(100) } else { 1 };
            let arrived = |seen: &[chat::Received]| seen.len() == pages;
            let received = scene.chat.wait_for(Duration::from_secs(5), arrived).await.unwrap();
            let last = received.last().unwrap();
            let id = if pages > 1 { format!("id-1-{pages}") } else { "id-1".to_owned() };
            assert_eq!(last.service, robot.service);
            assert_eq!(last.id.as_deref(), Some(id.as_str()), "{}", last.text);
            for forbidden in ["<!channel>", "<at user_id", "](https://evil", "\u{202E}"] {
                assert!(!last.text.contains(forbidden), "{}: {}", robot.kind, last.text);
            }
        }
    }
}

#[tokio::test]
async fn every_verdict_is_told_apart() {
    for robot in &ROBOTS {
        let scene = scene(robot).await;
        let message = message("id-1", Language::En, "www.example.com", 1);
        for (fault, outcome) in [
            (Fault::Http(500), "retry"),
            (Fault::TooManyRequests(9), "throttled"),
            (Fault::RedirectTo("http://127.0.0.1:1/".into()), "down"),
        ] {
            scene.chat.fail(robot.service, fault.clone());
            let error = scene.channel.send(&message).await.unwrap_err();
            assert_eq!(error.outcome(), outcome, "{} {fault:?}", robot.kind);
        }
        if robot.kind != "webhook" {
            scene.chat.fail(robot.service, Fault::Html200);
            let error = scene.channel.send(&message).await.unwrap_err();
            assert!(error.is_unknown(), "{}: 200 and a page is no delivery: {error}", robot.kind);
            let mut last = Ok(channel::Receipt::default());
            for _ in 0..40 {
                last = scene.channel.send(&message).await;
                if last.is_err() {
                    break;
                }
            }
            assert_eq!(last.unwrap_err().outcome(), "throttled", "{}", robot.kind);
        }
        scene.chat.remove(robot.service, robot.room);
        let error = scene.channel.send(&message).await.unwrap_err();
        assert_eq!(error.outcome(), "down", "{}: {error}", robot.kind);
    }
}
