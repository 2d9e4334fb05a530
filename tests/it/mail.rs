//! Mail to a real server with TLS, aiosmtpd.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use notafter::facade::channel::{self, Channel};
use notafter::facade::client::{Deps, NoMeter, http::Http, limiter::Limiters};
use notafter::facade::clock::{SystemClock, SystemRandom};
use notafter::facade::config::{Environment, Mistakes, load};
use notafter::facade::expiry::Language;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::chats::{HOSTILE, message};

/// The server, until it is dropped.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Server {
    async fn start(mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), key.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.signing_key.serialize_pem()).unwrap();
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let target =
            option_env!("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let python = target.join("venv/bin/python");
        assert!(python.exists(), "{} is missing: run tests/venv once", python.display());
        let mut child = Command::new(python)
            .arg(root.join("tests/it/judge/mail.py"))
            .args([folder.path().join("cert.pem"), folder.path().join("key.pem")])
            .arg(mode)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().unwrap().parse().unwrap();
        Self { folder, port, lines, _child: child }
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    async fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next_line().await.unwrap().unwrap()).unwrap()
    }
}

fn channel(
    scheme: &str,
    port: u16,
    to: &str,
    authority: Option<&Path>,
    password: &str,
) -> Arc<dyn Channel> {
    let environment = Environment::of([("PASSWORD", password)]);
    let trusted = authority.map(|path| format!("ca_file = \"{}\"\n", path.display()));
    let text = format!(
        "[[channel]]\nname = \"c\"\nkind = \"email\"\n{}timeout = \"10s\"\n[channel.options]\n\
         server = \"{scheme}://localhost:{port}\"\nfrom = \"notafter <notafter@example.com>\"\nto = {to}\n\
         user = \"notafter\"\npassword = {{ env = \"PASSWORD\" }}\n",
        trusted.unwrap_or_default()
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

const PASSWORD: &str = "open sesame";

#[tokio::test]
async fn a_real_server_takes_letters_over_tls_in_both_ways() {
    for scheme in ["smtps", "smtp"] {
        let mut server = Server::start(scheme).await;
        let to = "[\"ops@example.com\", \"web@example.com\"]";
        let channel = channel(scheme, server.port, to, Some(&server.authority()), PASSWORD);
        channel.send(&message("id-1", Language::En, "www.example.com", 1)).await.unwrap();
        let (first, second) = (server.next().await, server.next().await);
        assert_eq!(
            (&first["to"], &second["to"]),
            (&json!(["ops@example.com"]), &json!(["web@example.com"]))
        );
        assert_eq!(first["from"], "notafter@example.com");
        assert_eq!(first["message_id"], "<id-1-1@example.com>");
        assert_eq!(first["references"], second["references"]);
        assert_eq!(first["kinds"], json!(["text/plain", "text/html"]));
        let subject = first["subject"].as_str().unwrap();
        assert!(
            subject.starts_with("[notafter] WARNING: certificate www.example.com"),
            "{subject}"
        );
        assert_eq!(first["user"], "notafter");
        channel.send(&message("id-2", Language::Zh, HOSTILE, 40)).await.unwrap();
        let list = server.next().await;
        assert_eq!(list["kinds"], json!(["text/plain", "text/html", "text/csv"]));
        assert_eq!(list["table"].as_str().unwrap().lines().count(), 41);
        assert_eq!(list["references"], Value::Null);
    }
}

#[tokio::test]
async fn what_a_real_server_refuses_is_told_apart() {
    let server = Server::start("smtp").await;
    let authority = server.authority();
    for (to, trusted, password, outcome) in [
        ("nobody@example.com", Some(&*authority), PASSWORD, "rejected"),
        ("later@example.com", Some(&*authority), PASSWORD, "retry"),
        ("ops@example.com", Some(&*authority), "wrong", "down"),
        ("ops@example.com", None, PASSWORD, "retry"),
    ] {
        let channel = channel("smtp", server.port, &format!("[\"{to}\"]"), trusted, password);
        let error = channel.send(&message("id", Language::En, "a", 1)).await.unwrap_err();
        assert_eq!(error.outcome(), outcome, "{to}: {error}");
        assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
    }
    // TLS is asked for and not there: nothing is said without it.
    let channel =
        channel("smtps", server.port, "[\"ops@example.com\"]", Some(&authority), PASSWORD);
    assert!(channel.send(&message("id", Language::En, "a", 1)).await.is_err());
}
