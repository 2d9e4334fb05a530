//! What is posted to webhooks, judged by the official libraries of Standard Webhooks and of `CloudEvents`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use notafter::facade::channel::{self, Channel};
use notafter::facade::client::{Deps, NoMeter, http::Http, limiter::Limiters};
use notafter::facade::clock::{SystemClock, SystemRandom};
use notafter::facade::config::{Environment, Mistakes, load};
use notafter::facade::expiry::Language;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::chats::{HOSTILE, message};

const SECRET: &str = "whsec_c2ltdWxhdGVkLXdlYmhvb2stc2lnbmluZy1rZXk=";

type Seen = Arc<Mutex<Vec<Value>>>;

/// Starts a receiver that takes everything, and returns where it is.
async fn receiver(seen: Seen, tasks: &mut tokio::task::JoinSet<()>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().fallback(move |request: Request| {
        let seen = Arc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let pairs =
                head.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
            let headers: BTreeMap<_, _> = pairs.collect();
            let body = std::str::from_utf8(&body).unwrap();
            seen.lock().unwrap().push(json!({ "headers": headers, "body": body }));
        }
    });
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn built(url: &str, format: &str) -> Arc<dyn Channel> {
    let environment = Environment::of([("URL", url), ("KEY", SECRET)]);
    let text = format!(
        "[[channel]]\nname = \"c\"\nkind = \"webhook\"\n[channel.options]\nurl = {{ env = \"URL\" }}\n\
         secret = {{ env = \"KEY\" }}\n{format}\n"
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

/// Asks the libraries, one line a request.
async fn judged(cases: &[Value]) -> Vec<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = option_env!("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let python = target.join("venv/bin/python");
    assert!(python.exists(), "{} is missing: run tests/venv once", python.display());
    let mut child = tokio::process::Command::new(python)
        .arg(root.join("tests/it/judge/webhooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = cases.iter().map(Value::to_string).collect::<Vec<_>>().join("\n") + "\n";
    let mut input = child.stdin.take().unwrap();
    let asking = async move { input.write_all(lines.as_bytes()).await };
    let (asked, output) = tokio::join!(asking, child.wait_with_output());
    asked.unwrap();
    String::from_utf8(output.unwrap().stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_official_libraries_take_what_is_posted() {
    let (seen, mut tasks) = (Seen::default(), tokio::task::JoinSet::new());
    let url = receiver(Arc::clone(&seen), &mut tasks).await;
    let mut cases = Vec::new();
    for (format, word) in [
        ("", Value::Null),
        ("format = \"alertmanager\"", json!("alertmanager")),
        ("format = \"cloudevents\"", json!("cloudevents")),
    ] {
        let channel = built(&url, format);
        for events in [1, 3, 120] {
            channel.send(&message("id-1", Language::En, HOSTILE, events)).await.unwrap();
        }
        for mut case in seen.lock().unwrap().drain(..) {
            (case["secret"], case["format"]) = (json!(SECRET), word.clone());
            cases.push(case);
        }
    }
    let verdicts = judged(&cases).await;
    assert_eq!(verdicts, ["1", "1", "1", "1", "1", "1", "1", "1", "1", "3", "100", "20"]);
    // A judge that takes everything proves nothing.
    for forged in
        [json!({ "secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }), json!({ "body": "{}" })]
    {
        let mut case = cases[0].clone();
        for (key, value) in forged.as_object().unwrap() {
            case[key] = value.clone();
        }
        assert!(judged(&[case]).await[0].contains("WebhookVerificationError"), "{forged}");
    }
}
