use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::sample::NOW;
use super::*;
use crate::client::NoMeter;
use crate::client::http::Http;
use crate::client::limiter::Limiters;
use crate::clock::SteadyClock;
use crate::config::{Environment, load};
use crate::expiry::Detail;

const TOKEN: &str = "s3cr3t-t0ken-0123456789";
const SECRET: &str = "SEC-s3cr3t-signing-key";
const WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const HEADER: &str = "Bearer s3cr3t-bearer";

/// The kinds, the path of a robot of each, and their own options.
const ROBOTS: [(&str, &str, &str); 5] = [
    (
        "dingtalk",
        "/robot/send?access_token=",
        "secret = { env = \"SIGNING_KEY\" }\nkeyword = \"cert\"",
    ),
    ("feishu", "/open-apis/bot/v2/hook/", "secret = { env = \"SIGNING_KEY\" }\nkeyword = \"cert\""),
    ("slack", "/services/T0/B0/", ""),
    (
        "webhook",
        "/hook/",
        "secret = { env = \"WEBHOOK_KEY\" }\nheaders = { Authorization = { env = \"BEARER_TOKEN\" } }",
    ),
    ("wecom", "/cgi-bin/webhook/send?key=", ""),
];

fn deps() -> Deps {
    Deps {
        http: Http::new().unwrap(),
        limiters: Limiters::default(),
        clock: Arc::new(SteadyClock::starting_at(NOW)),
        meter: Arc::new(NoMeter),
    }
}

/// Builds one channel from configuration text, as the daemon does.
fn built(kind: &str, url: &str, options: &str) -> (Option<Arc<dyn Channel>>, Vec<String>) {
    let text = format!(
        "[[channel]]\nname = \"ops\"\nkind = \"{kind}\"\n[channel.options]\nurl = {{ env = \"ROBOT_URL\" }}\n{options}\n"
    );
    let environment = Environment::of([
        ("ROBOT_URL", url),
        ("SIGNING_KEY", SECRET),
        ("WEBHOOK_KEY", WHSEC),
        ("SHORT_KEY", "whsec_c2hvcnQ="),
        ("BEARER_TOKEN", HEADER),
    ]);
    let (config, _) = load(&text, &environment);
    let (config, mut mistakes) = (config.unwrap(), Mistakes::default());
    let channel = build(&config.channels[0], &deps(), &mut mistakes);
    let said = mistakes
        .errors
        .into_iter()
        .map(|mistake| format!("{} | {}", text.get(mistake.span).unwrap_or("?"), mistake.text));
    (channel, said.collect())
}

fn working(kind: &str, url: &str, options: &str) -> Arc<dyn Channel> {
    let (channel, mistakes) = built(kind, url, options);
    assert_eq!(mistakes, Vec::<String>::new(), "{kind}");
    channel.unwrap()
}

fn assert_nothing_leaks(shown: &str) {
    for secret in
        [TOKEN, "s3cr3t", "C2FVsBQIhrscChlQIMV", "/hook/", "/services/", "robot/send", "cgi-bin"]
    {
        assert!(!shown.contains(secret), "`{secret}` in {shown}");
    }
}

/// One request as it arrived.
#[derive(Clone)]
struct Arrived {
    uri: Uri,
    headers: HeaderMap,
    body: serde_json::Value,
}

/// A service that answers everything in one way and keeps what it was sent.
struct Service {
    address: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    _task: JoinSet<()>,
}

type Answer = (StatusCode, [(&'static str, String); 1], String);

impl Service {
    fn requests(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }
}

async fn service(status: u16, location: &str, body: &str) -> Service {
    let answer: Answer = (
        StatusCode::from_u16(status).unwrap(),
        [("location", location.to_owned())],
        body.to_owned(),
    );
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let keep = |State((arrived, answer)): State<(Arc<Mutex<Vec<Arrived>>>, Answer)>,
                uri: Uri,
                headers: HeaderMap,
                body: Bytes| async move {
        let body = serde_json::from_slice(&body).unwrap();
        arrived.lock().unwrap().push(Arrived { uri, headers, body });
        answer
    };
    let router = Router::new().fallback(keep).with_state((Arc::clone(&arrived), answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut task = JoinSet::new();
    task.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Service { address, arrived, _task: task }
}

fn success(kind: &str) -> &'static str {
    match kind {
        "slack" => "ok",
        "feishu" => r#"{"code":0,"msg":"success"}"#,
        _ => r#"{"errcode":0,"errmsg":"ok"}"#,
    }
}

#[tokio::test]
async fn every_kind_is_built_from_configuration_and_delivers() {
    for (kind, path, options) in ROBOTS {
        let service = service(200, "", success(kind)).await;
        let channel = working(kind, &format!("{}{path}{TOKEN}", service.address), options);
        assert_eq!(channel.send(&sample::single()).await, Ok(Receipt::default()), "{kind}");
        let arrived = service.requests();
        assert_eq!(arrived.len(), 1, "{kind}");
        assert!(arrived[0].uri.to_string().starts_with(&format!("{path}{TOKEN}")), "{kind}");
        assert_eq!(arrived[0].headers["content-type"], "application/json; charset=utf-8", "{kind}");
        assert!(arrived[0].body.to_string().contains("www.example.com"), "{kind}");
    }
}

#[tokio::test]
async fn signatures_travel_where_each_service_looks() {
    let of = |kind: &'static str| async move {
        let (_, path, options) = ROBOTS.into_iter().find(|(name, ..)| *name == kind).unwrap();
        let service = service(200, "", success(kind)).await;
        let channel = working(kind, &format!("{}{path}{TOKEN}", service.address), options);
        channel.send(&sample::digest(150)).await.unwrap();
        service.requests()
    };
    let feishu = of("feishu").await;
    // The clock of these tests runs, so only the last digits may differ.
    assert!(feishu[0].body["timestamp"].as_str().unwrap().starts_with("17672256"));
    assert_eq!(feishu[0].body["sign"].as_str().unwrap().len(), 44);
    let dingtalk = of("dingtalk").await;
    let query = dingtalk[0].uri.query().unwrap();
    assert!(
        query.contains("&timestamp=17672256") && query.contains("&sign="),
        "the sign is in the query"
    );
    let webhook = of("webhook").await;
    let ids: Vec<_> =
        webhook.iter().map(|request| request.headers["webhook-id"].to_str().unwrap()).collect();
    assert_eq!(ids, ["0193e4b0-7d-1", "0193e4b0-7d-2"]);
    for request in &webhook {
        assert_eq!(request.headers["authorization"], HEADER);
        assert!(request.headers["webhook-timestamp"].to_str().unwrap().starts_with("17672256"));
        assert!(request.headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
    }
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    for (kind, path, options) in ROBOTS {
        let trap = service(200, "", success(kind)).await;
        for status in [301, 302, 307, 308] {
            let service = service(status, &format!("{}/stolen", trap.address), success(kind)).await;
            let channel = working(kind, &format!("{}{path}{TOKEN}", service.address), options);
            let error = channel.send(&sample::single()).await.unwrap_err();
            assert_eq!(error.outcome(), "down", "{kind} {status}: {error:?}");
            assert!(error.code().ends_with("redirect"), "{kind} {status}: {error:?}");
            assert_nothing_leaks(&format!("{error} {error:?}"));
        }
        assert!(trap.arrived.lock().unwrap().is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    for (kind, path, options) in ROBOTS {
        let closed = working(kind, &format!("http://127.0.0.1:1{path}{TOKEN}"), options);
        let error = closed.send(&sample::single()).await.unwrap_err();
        assert_eq!(error.outcome(), "retry", "{kind}: {error:?}");
        assert_nothing_leaks(&format!("{error} {error:?} {}", closed.destination()));
        for status in [200, 400, 403, 404, 418, 500] {
            // A service that repeats what it was sent.
            let echo = format!("no such robot: {path}{TOKEN} {SECRET} {HEADER}");
            for body in [
                echo.clone(),
                serde_json::json!({ "errcode": 310_000, "code": 77, "errmsg": echo }).to_string(),
            ] {
                let service = service(status, "", &body).await;
                let channel = working(kind, &format!("{}{path}{TOKEN}", service.address), options);
                if let Err(error) = channel.send(&sample::single()).await {
                    assert_nothing_leaks(&format!("{error} {error:?} {}", error.code()));
                } else {
                    assert_eq!((kind, status), ("webhook", 200), "only the status counts there");
                }
            }
        }
    }
}

#[test]
fn a_wrong_address_is_a_mistake_at_its_place_that_repeats_nothing() {
    let forged = format!("https://hooks.slack.com@evil.test/{TOKEN}");
    for (kind, _, options) in ROBOTS {
        for url in [
            forged.as_str(),
            "http://evil.test/s3cr3t",
            "s3cr3t nonsense",
            "https://169.254.169.254/s3cr3t",
        ] {
            let (channel, mistakes) = built(kind, url, options);
            assert!(channel.is_none(), "{kind} {url}");
            assert_eq!(mistakes.len(), 1, "{kind} {url}: {mistakes:?}");
            assert!(
                mistakes[0].starts_with("{ env = \"ROBOT_URL\" } | `url`: it "),
                "{mistakes:?}"
            );
            assert!(!mistakes[0].contains("evil"), "{mistakes:?}");
            assert_nothing_leaks(
                mistakes[0].split_once("not of the form").map_or(&mistakes[0], |(said, _)| said),
            );
        }
    }
}

#[test]
fn other_mistakes_are_reported_too() {
    for (kind, options, expected) in [
        ("slack", "secret = { env = \"SIGNING_KEY\" }", "unknown key `secret`"),
        ("feishu", "keyword = \"\"", "`keyword` must be"),
        ("dingtalk", "keyword = \"<at>\"", "`keyword` must be"),
        ("webhook", "secret = { env = \"SHORT_KEY\" }", "`secret`: the secret must be `whsec_`"),
        ("webhook", "secret = { env = \"SIGNING_KEY\" }", "`secret`: the secret must be `whsec_`"),
        (
            "webhook",
            "headers = { webhook-id = { env = \"BEARER_TOKEN\" } }",
            "is set by the sender itself",
        ),
        ("webhook", "headers = { \"a b\" = { env = \"BEARER_TOKEN\" } }", "is not a header name"),
    ] {
        let (channel, mistakes) = built(kind, "http://127.0.0.1:1/x", options);
        assert!(channel.is_none(), "{kind} {options}");
        assert!(
            mistakes.len() == 1 && mistakes[0].contains(expected),
            "{kind} {options}: {mistakes:?}"
        );
        assert!(!mistakes[0].contains("s3cr3t"), "{mistakes:?}");
    }
}

#[test]
fn an_unknown_kind_names_the_known_ones() {
    let (channel, mistakes) = built("teams", "http://127.0.0.1:1/x", "");
    assert!(channel.is_none());
    assert!(mistakes[0].contains("known: dingtalk, feishu, slack, webhook, wecom"), "{mistakes:?}");
}

#[test]
fn kinds_are_sorted_and_each_has_a_robot_here() {
    let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
    assert!(names.is_sorted());
    assert_eq!(names, ROBOTS.map(|(name, ..)| name));
}

#[tokio::test]
async fn every_detail_is_deliverable() {
    for (kind, path, options) in ROBOTS {
        let service = service(200, "", success(kind)).await;
        let channel = working(kind, &format!("{}{path}{TOKEN}", service.address), options);
        for detail in Detail::ALL {
            channel.send(&Message { detail, ..sample::hostile(20) }).await.unwrap();
        }
        assert_eq!(service.arrived.lock().unwrap().len(), 4, "{kind}");
    }
}
