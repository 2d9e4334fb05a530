//! Prometheus and promtool, as Debian has them.

#![expect(clippy::print_stderr, reason = "the log of a Prometheus whose test fails")]

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::{eventually, free_port, http};

/// A Prometheus with its own folder, until it is dropped.
pub(super) struct Prometheus {
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Prometheus {
    pub(super) fn scraping(target: u16) -> Self {
        Self::with(&format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs:\n- job_name: notafter\n  static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n"
        ))
    }

    /// Starts one with this configuration, once promtool has nothing against it.
    pub(super) fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prometheus.yml");
        std::fs::write(&path, config).unwrap();
        promtool(&["check", "config", path.to_str().unwrap()], "");
        let port = free_port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .expect("prometheus is installed: tests/run does it, from Debian's package");
        Self { folder, port, child }
    }

    pub(super) async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let url = reqwest::Url::parse_with_params(&url, parameters).unwrap();
        let text = http().get(url).send().await.ok()?.text().await.ok()?;
        let answer: Value = serde_json::from_str(&text).ok()?;
        assert_eq!(answer["status"], "success", "{answer}");
        Some(answer["data"].clone())
    }

    /// Returns the one value of a query, as soon as it has one.
    pub(super) async fn value(&self, query: &str) -> f64 {
        eventually(query, async || {
            let data = self.ask("query", &[("query", query)]).await?;
            data["result"][0]["value"][1].as_str()?.parse().ok()
        })
        .await
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- the log of Prometheus ---\n{}", self.log());
        }
    }
}

/// Runs promtool and expects no complaint.
pub(super) fn promtool(arguments: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed: tests/run does it, from Debian's package prometheus");
    let mut stdin = child.stdin.take().unwrap();
    let text = input.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && complaints.is_empty(),
        "promtool {arguments:?}: {complaints}"
    );
}
