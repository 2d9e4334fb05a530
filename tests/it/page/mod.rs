//! The page in a real browser, and the calendar in a reader of calendars.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, KeyPair};

use crate::harness::{Daemon, environment, eventually};
use crate::written::{SIGNED, mqtt, route, source, webhook};
use simulator::fleet::{Data, Fleet, Instance};
use simulator::{Setup, Simulator, clock};

mod calendar;
mod messages;

/// What breaks a careless page.
const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "gpj.\u{202e}exe",
    "{{7*7}} ${7*7} <!-- ",
    "=HYPERLINK(\"http://evil.example\")",
    "证书\u{0}\r\nBEGIN:VEVENT",
];

/// A daemon that knows ten thousand devices and some certificates with hostile names.
struct World {
    daemon: Daemon,
    _simulator: Simulator,
}

impl World {
    async fn start(rows: u64) -> Self {
        let instance = Instance { data: Data::Varied, ..Instance::new("mqtt-a", rows) };
        let fleet = Fleet::new(7, clock::wall_seconds()).with(instance);
        let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
        let mut daemon = Daemon::prepared("", &environment(&simulator));
        let files = daemon.folder.path().join("hostile");
        std::fs::create_dir(&files).unwrap();
        for (number, name) in HOSTILE.into_iter().enumerate() {
            std::fs::write(files.join(format!("{number}.pem")), certificate(name)).unwrap();
        }
        let paths = format!("paths = [\"{}/*.pem\"]", files.display());
        let config = [
            mqtt(&simulator, "iot", "every 1h", "requests_per_second = 500"),
            source("files", "hostile", "every 1h", &paths),
            webhook("ops", "WEBHOOK_URL", SIGNED),
            route(&["ops"]),
        ];
        daemon.configure(&config.concat());
        daemon.start();
        let wanted = rows + HOSTILE.len() as u64;
        eventually("every certificate is known", async || {
            known(&daemon).await.filter(|known| *known >= wanted)
        })
        .await;
        Self { daemon, _simulator: simulator }
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.daemon.port)
    }
}

async fn known(daemon: &Daemon) -> Option<u64> {
    let (_, body) = daemon.get("/api/v1/certificates?limit=1").await?;
    serde_json::from_str::<serde_json::Value>(&body).ok()?["total"].as_u64()
}

/// Returns a certificate of this name that expires in ten days.
fn certificate(name: &str) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let end = clock::wall_seconds() + 10 * 86_400;
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(end.unsigned_abs());
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}

/// Returns the folder with the browser's modules.
fn modules() -> PathBuf {
    let modules = target().join("browser");
    let ready = modules.join("packages").exists();
    assert!(ready, "{} is missing: run tests/browser once", modules.display());
    modules
}

/// Runs a script of this folder in Node, which is given `arguments` and where its modules and its pictures are.
async fn drawn(script: &str, arguments: &[&std::ffi::OsStr]) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/page").join(script);
    let modules = modules();
    let mut node = tokio::process::Command::new("node");
    node.arg(script).args(arguments).arg(&modules).arg(modules.join("screenshots"));
    let ran = tokio::time::timeout(Duration::from_mins(6), node.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    said.into_owned()
}

#[tokio::test]
async fn a_browser_walks_through_every_view_with_ten_thousand_certificates() {
    let world = World::start(10_000).await;
    drawn("walk.mjs", &[world.address().as_ref()]).await;
}
