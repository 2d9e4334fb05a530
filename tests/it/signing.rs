//! The daemon signs as the official SDK does: real requests, captured on the wire, judged by the SDK.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "a test owns the tasks that it spawns")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use notafter::facade::client::http::Http;
use notafter::facade::client::limiter::Limiters;
use notafter::facade::client::tencent::{Keys, Settings, Tencent};
use notafter::facade::client::{Action, Backoff, Deps, NoMeter};
use notafter::facade::clock::{Clock, SystemRandom};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const CASES: usize = 200;
const SERVICES: [(&str, &str); 3] =
    [("mqtt", "2024-05-16"), ("ssl", "2019-12-05"), ("cvm", "2017-03-12")];
const ACTIONS: [&str; 3] = ["DescribeDeviceCertificates", "DescribeCertificates", "DescribeZones"];
const REGIONS: [&str; 3] = ["ap-guangzhou", "na-siliconvalley", "eu-frankfurt"];
/// What the SDK and the daemon must write alike. Host, content type and body are held together by the signature.
const HEADERS: [&str; 6] =
    ["authorization", "x-tc-action", "x-tc-version", "x-tc-timestamp", "x-tc-region", "x-tc-token"];

/// One request as it was on the wire.
struct Recorded {
    headers: BTreeMap<String, String>,
    body: String,
}

/// Records requests and answers each with an empty success.
async fn record(listener: TcpListener, requests: mpsc::Sender<Recorded>) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream).await {
            requests.send(request).await.unwrap();
            let body = r#"{"Response":{"RequestId":"r"}}"#;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).await.unwrap();
        }
    }
}

async fn read(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<Recorded> {
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    // The request line says nothing that is not the same for all.
    stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
    assert_eq!(line, "POST / HTTP/1.1\r\n");
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(Recorded { headers, body: String::from_utf8(body).unwrap() })
}

struct Fixed(i64);

impl Clock for Fixed {
    fn millis(&self) -> i64 {
        self.0 * 1000
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
}

/// What differs from case to case.
struct Case {
    id: String,
    key: String,
    token: Option<String>,
    service: (&'static str, &'static str),
    action: &'static str,
    region: &'static str,
    timestamp: i64,
    body: Value,
}

impl Case {
    fn any(random: &mut StdRng) -> Self {
        let hex = random.random::<u64>();
        Self {
            id: format!("AKID{}", word(random, 32)),
            key: word(random, 32),
            token: random.random::<bool>().then(|| word(random, 200)),
            service: *SERVICES.choose(random).unwrap(),
            action: ACTIONS.choose(random).unwrap(),
            region: REGIONS.choose(random).unwrap(),
            // From 1996 to 2059, seconds around midnight included.
            timestamp: random.random_range(9_500..32_800) * 86_400 + random.random_range(-2..2),
            body: json!({
                "Offset": random.random::<u32>(),
                "Ratio": random.random::<f64>(),
                "InstanceId": format!("mqtt-{hex:x}"),
                "Filters": [{"Name": text(random), "Values": [text(random), text(random)]}],
                "Nothing": null,
            }),
        }
    }

    async fn send(&self, endpoint: &str) {
        let deps = Deps {
            http: Http::new().unwrap(),
            limiters: Limiters::default(),
            clock: Arc::new(Fixed(self.timestamp)),
            random: Arc::new(SystemRandom),
            meter: Arc::new(NoMeter),
        };
        let keys = Keys {
            id: self.id.clone().into(),
            key: self.key.clone().into(),
            token: self.token.clone().map(Into::into),
        };
        let settings = Settings {
            source: Arc::from("judged"),
            endpoint: endpoint.parse().unwrap(),
            service: self.service.0,
            version: self.service.1,
            region: Some(self.region.to_owned()),
            rate: 1000.0,
            keys: Arc::new(move || Ok(keys.clone())),
            backoff: Backoff::VENDOR,
        };
        let client = Tencent::new(settings, &deps);
        let sent = client.call(Action::new(self.action), &self.body, |_| Ok(())).await;
        sent.unwrap_or_else(|error| panic!("{error:?}"));
    }

    fn judged(&self, host: &str, body: &str) -> Value {
        json!({
            "host": host,
            "secret_id": self.id,
            "secret_key": self.key,
            "token": self.token,
            "region": self.region,
            "service": self.service.0,
            "version": self.service.1,
            "action": self.action,
            "timestamp": self.timestamp,
            "body": body,
        })
    }
}

fn word(random: &mut StdRng, length: usize) -> String {
    (0..length).map(|_| char::from(random.sample(rand::distr::Alphanumeric))).collect()
}

/// Text of every width, with what JSON escapes.
fn text(random: &mut StdRng) -> String {
    let letters: Vec<char> = "aZ9 /\\\"\n\t\u{7f}é证书🔐\u{202e}<&'".chars().collect();
    let length = random.random_range(0..24);
    (0..length).map(|_| *letters.choose(random).unwrap()).collect()
}

/// Asks the SDK for its headers, one line a case.
async fn judge(cases: &[Value]) -> Vec<BTreeMap<String, String>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = option_env!("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let python = target.join("venv/bin/python");
    assert!(python.exists(), "{} is missing: run tests/venv once", python.display());
    let mut child = tokio::process::Command::new(python)
        .arg(root.join("tests/it/judge/judge.py"))
        .arg("sign")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = cases.iter().map(Value::to_string).collect::<Vec<_>>().join("\n") + "\n";
    let mut input = child.stdin.take().unwrap();
    let written = tokio::spawn(async move { input.write_all(lines.as_bytes()).await });
    let output = child.wait_with_output().await.unwrap();
    written.await.unwrap().unwrap();
    assert!(output.status.success());
    let headers = |line: &str| {
        let all: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        all.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect()
    };
    String::from_utf8(output.stdout).unwrap().lines().map(headers).collect()
}

#[tokio::test]
async fn the_daemon_signs_as_the_official_sdk_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (requests, mut recorded) = mpsc::channel(CASES);
    let server = tokio::spawn(record(listener, requests));
    let mut random = StdRng::seed_from_u64(7);
    let (mut ours, mut cases) = (Vec::new(), Vec::new());
    for _ in 0..CASES {
        let case = Case::any(&mut random);
        case.send(&format!("http://{host}")).await;
        let request = recorded.recv().await.unwrap();
        assert_eq!(request.body, case.body.to_string());
        cases.push(case.judged(&host, &request.body));
        ours.push(request.headers);
    }
    server.abort();
    let theirs = judge(&cases).await;
    assert_eq!(theirs.len(), CASES);
    for ((ours, theirs), case) in ours.iter().zip(&theirs).zip(&cases) {
        for name in HEADERS {
            assert_eq!(ours.get(name), theirs.get(name), "{name} of {case}");
        }
        assert_eq!(ours["content-type"], theirs["content-type"]);
        assert_eq!(ours["host"], host);
    }
}
