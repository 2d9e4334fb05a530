//! The job that people take into their Prometheus, with and without TLS.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command};

use super::{Prometheus, daemon, promtool, simulator};
use crate::harness::{Daemon, free_port};

const JOB: &str = include_str!("../../../deploy/prometheus/scrape.yml");
const PASSWORD: &str = "0f3a";

/// Returns the path of a file of this repository.
pub(super) fn path(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    path.to_str().unwrap().to_owned()
}

/// Returns the job with what is in its place here, and every second where it says every minute.
pub(super) fn scraping(job: &str, port: u16) -> String {
    let rules = path("deploy/prometheus/notafter.rules.yml");
    let mut job = job.to_owned();
    for (from, to) in [
        ("evaluation_interval: 1m", "evaluation_interval: 1s"),
        ("scrape_interval: 1m", "scrape_interval: 1s"),
        ("scrape_timeout: 30s", "scrape_timeout: 1s"),
        ("127.0.0.1:10793", &format!("127.0.0.1:{port}")),
        ("[notafter.rules.yml]", &format!("['{rules}']")),
    ] {
        assert!(job.contains(from), "{from} is not in\n{job}");
        job = job.replace(from, to);
    }
    job
}

/// Returns the job without TLS.
pub(super) const fn plain() -> &'static str {
    JOB
}

/// Switches on what the job has for TLS: a line that begins with `#` and no space.
fn with_tls(folder: &Path) -> String {
    let mut job = String::new();
    for line in JOB.lines() {
        let setting = line.trim_start().strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        let indent = " ".repeat(line.len() - line.trim_start().len());
        let line = setting.map_or(line.to_owned(), |rest| format!("{indent}{rest}"));
        writeln!(job, "{line}").unwrap();
    }
    job.replace("/etc/prometheus", folder.to_str().unwrap())
}

/// A proxy that ends TLS and asks for a password, until it is dropped.
struct Proxy {
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Proxy {
    fn before(daemon: &Daemon) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(file("notafter-ca.pem"), made.cert.pem()).unwrap();
        std::fs::write(file("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(file("notafter-password"), PASSWORD).unwrap();
        let port = free_port();
        let child = Command::new("python3")
            .arg(path("tests/prometheus/tls_proxy.py"))
            .arg(port.to_string())
            .args([file("notafter-ca.pem"), file("key.pem")])
            .args([PASSWORD, &format!("http://127.0.0.1:{}", daemon.port)])
            .spawn()
            .unwrap();
        Self { folder, port, child }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_file_is_a_configuration_as_it_is() {
    promtool(&["check", "config", &path("deploy/prometheus/scrape.yml")], "");
}

#[tokio::test]
async fn the_job_scrapes_through_tls_with_a_password() {
    let simulator = simulator().await;
    let mut daemon = daemon(&simulator);
    daemon.start();
    daemon.ready().await;
    let proxy = Proxy::before(&daemon);
    let job = with_tls(proxy.folder.path());
    for setting in ["scheme: https", "tls_config: {ca_file: ", "basic_auth: {username: "] {
        let is_set = |line: &str| line.trim_start().starts_with(setting);
        assert!(job.lines().any(is_set), "{setting}:\n{job}");
    }
    let prometheus = Prometheus::with(&scraping(&job, proxy.port));
    assert_eq!(prometheus.value("up{job=\"notafter\"} == 1").await, 1.0);
    assert_eq!(prometheus.value("count(notafter_build_info)").await, 1.0);
    assert!(daemon.stop().await.success());
}
