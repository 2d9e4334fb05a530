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

pub(super) const HOSTILE: &str =
    "<!channel> @all <at user_id=\"all\"> [x](https://evil.test) `*_~\"\\\r\n\u{202E}证书";

/// A channel of a robot whose address is a secret.
const BY_URL: &str = "url = { env = \"URL\" }";
/// The same, which signs.
const SIGNED: &str = "url = { env = \"URL\" }\nsecret = { env = \"KEY\" }";

struct Robot {
    kind: &'static str,
    service: Service,
    path: &'static str,
    options: &'static str,
    key: &'static str,
    room: &'static str,
}

const fn robot(
    (kind, service): (&'static str, Service),
    path: &'static str,
    (options, key): (&'static str, &'static str),
    room: &'static str,
) -> Robot {
    Robot { kind, service, path, options, key, room }
}

const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";
const BOT: &str = "1:simulated-bot-token";

const ROBOTS: [Robot; 12] = [
    robot(("slack", Service::Slack), "/slack/services/T/B/x", (BY_URL, "-"), "T/B/x"),
    robot(
        ("feishu", Service::Feishu),
        "/feishu/open-apis/bot/v2/hook/demo",
        (SIGNED, chat::FEISHU_SECRET),
        "demo",
    ),
    robot(
        ("dingtalk", Service::DingTalk),
        "/dingtalk/robot/send?access_token=demo",
        (SIGNED, chat::DINGTALK_SECRET),
        "demo",
    ),
    robot(("wecom", Service::WeCom), "/wecom/cgi-bin/webhook/send?key=demo", (BY_URL, "-"), "demo"),
    robot(("webhook", Service::Webhook), "/webhook/ops", (SIGNED, chat::WEBHOOK_SECRET), "ops"),
    robot(("discord", Service::Discord), "/discord/api/webhooks/1/demo", (BY_URL, "-"), "demo"),
    robot(
        ("teams", Service::Teams),
        "/teams/workflows/demo/triggers/manual/paths/invoke?sig=s",
        (BY_URL, "-"),
        "demo",
    ),
    robot(("mattermost", Service::Mattermost), "/mattermost/hooks/demo", (BY_URL, "-"), "demo"),
    robot(
        ("google-chat", Service::GoogleChat),
        "/google-chat/v1/spaces/demo/messages?key=k&token=t",
        (BY_URL, "-"),
        "demo",
    ),
    robot(
        ("telegram", Service::Telegram),
        "",
        ("token = { env = \"KEY\" }\nchat_id = -100\napi = \"$BASE/telegram\"", BOT),
        BOT,
    ),
    robot(
        ("ntfy", Service::Ntfy),
        "",
        ("url = \"$BASE\"\ntopic = { env = \"KEY\" }", "certs"),
        "certs",
    ),
    robot(
        ("pagerduty", Service::PagerDuty),
        "/v2/enqueue",
        ("url = { env = \"URL\" }\nrouting_key = { env = \"KEY\" }", ROUTING_KEY),
        ROUTING_KEY,
    ),
];

impl Robot {
    /// Returns how many requests carry so many events.
    fn requests(&self, events: usize) -> usize {
        match self.kind {
            "webhook" => events.div_ceil(100),
            // An incident each, or one when they are too many.
            "pagerduty" if events <= 20 => events,
            _ => 1,
        }
    }
}

/// A robot, its room on loopback, and the channel that the configuration makes of it.
struct Scene {
    chat: Chat,
    channel: Arc<dyn Channel>,
    _tasks: tokio::task::JoinSet<()>,
}

async fn scene(robot: &Robot) -> Scene {
    let chat = Chat::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = chat.router();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Scene { chat, channel: built(robot, &base), _tasks: tasks }
}

fn built(robot: &Robot, base: &str) -> Arc<dyn Channel> {
    let url = format!("{base}{}", robot.path);
    let environment = Environment::of([("URL", &*url), ("KEY", robot.key)]);
    let options = robot.options.replace("$BASE", base);
    let text = format!(
        "[[channel]]\nname = \"c\"\nkind = \"{}\"\n[channel.options]\n{options}\n",
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

pub(super) fn message(id: &str, language: Language, name: &str, events: usize) -> Message {
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
            let pages = robot.requests(events);
            let arrived = |seen: &[chat::Received]| seen.len() == pages;
            let received = scene.chat.wait_for(Duration::from_secs(5), arrived).await.unwrap();
            let last = received.last().unwrap();
            let id = if pages > 1 { format!("id-1-{pages}") } else { "id-1".to_owned() };
            assert_eq!(last.service, robot.service);
            if robot.kind != "pagerduty" {
                assert_eq!(last.id.as_deref(), Some(id.as_str()), "{}: {}", robot.kind, last.text);
            }
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
            for _ in 0..130 {
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
