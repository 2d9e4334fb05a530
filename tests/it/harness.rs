//! The real binary, as a user runs it: a configuration file, an environment, a process, its metrics.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::simulator::Simulator;

/// How long a condition may take to come true before a test gives up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Returns a port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until `look` finds something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One daemon with its own folder; a restart keeps the folder.
pub(crate) struct Daemon {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
    environment: Vec<(String, String)>,
}

impl Daemon {
    /// Writes the configuration into a new folder, without starting anything. `listen` and the store are added.
    pub(crate) fn prepared(config: &str, environment: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let daemon = Self {
            folder,
            port,
            child: None,
            environment: environment.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
        };
        daemon.configure(config);
        daemon
    }

    /// Writes another configuration for the next start or reload.
    pub(crate) fn configure(&self, config: &str) {
        let head = format!(
            "[server]\nlisten = \"127.0.0.1:{}\"\n[store]\nurl = \"sqlite:{}\"\n",
            self.port,
            self.folder.path().join("notafter.db").display()
        );
        std::fs::write(self.config_path(), head + config).unwrap();
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.path().join("notafter.toml")
    }

    /// Returns the command with the folder's configuration and environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notafter"));
        command.args(arguments).arg("--config").arg(self.config_path());
        command.envs(self.environment.iter().map(|(k, v)| (k, v))).env("RUST_LOG", "info");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn output(&self, arguments: &[&str]) -> std::process::Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts the daemon; its log goes to `log` in the folder.
    pub(crate) fn start(&mut self) {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap();
        let child = self.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.child = Some(child);
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("the daemon runs").id()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Kills the daemon as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks the daemon to end and waits for it.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let mut child = self.child.take().unwrap();
        eventually("the daemon ends after SIGTERM", async || child.try_wait().unwrap()).await
    }

    /// Returns the status and body of one GET.
    pub(crate) async fn get(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let response = http().get(url).send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.ok()?))
    }

    /// Waits until the daemon is ready.
    pub(crate) async fn ready(&self) {
        eventually("the daemon is ready", async || {
            self.get("/-/ready").await.filter(|(status, _)| *status == 200)
        })
        .await;
    }

    /// Returns the value of the series whose text before the value is `series`.
    pub(crate) async fn sample(&self, series: &str) -> Option<f64> {
        let (_, body) = self.get("/metrics").await?;
        sample(&body, series)
    }

    /// Waits until the series has a value that `wanted` accepts.
    pub(crate) async fn until(&self, series: &str, wanted: impl Fn(f64) -> bool) -> f64 {
        eventually(&format!("{series} as wanted\n{}", self.log()), async || {
            self.sample(series).await.filter(|value| wanted(*value))
        })
        .await
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the daemon's log ---\n{}", self.log());
        }
    }
}

/// Returns the value of one series of a scrape.
pub(crate) fn sample(body: &str, series: &str) -> Option<f64> {
    body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Returns a client for tests.
pub(crate) fn http() -> reqwest::Client {
    // A second installation is refused, and the first is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Returns a configuration with every cloud and every chat service of the simulator.
pub(crate) fn configuration(simulator: &Simulator) -> String {
    format!(
        r#"
[alerts]
group_wait = "1s"

[[source]]
name = "iot"
kind = "tencent-mqtt"
schedule = "every 3s"
[source.options]
region = "ap-guangzhou"
endpoint = "{mqtt}"
secret_id = {{ env = "SECRET_ID" }}
secret_key = {{ env = "SECRET_KEY" }}
requests_per_second = 10000
full_scan = "every 5s"

[[source]]
name = "web"
kind = "tencent-ssl"
schedule = "every 3s"
[source.options]
endpoint = "{ssl}"
secret_id = {{ env = "SECRET_ID" }}
secret_key = {{ env = "SECRET_KEY" }}
requests_per_second = 1000

[[source]]
name = "plant"
kind = "enos"
schedule = "every 3s"
[source.options]
endpoint = "{enos}"
org_id = "{org}"
app_key = {{ env = "APP_KEY" }}
app_secret = {{ env = "APP_SECRET" }}
requests_per_second = 10000

[[channel]]
name = "ops"
kind = "webhook"
[channel.options]
url = {{ env = "WEBHOOK_URL" }}
secret = {{ env = "WEBHOOK_SECRET" }}

[[channel]]
name = "room"
kind = "feishu"
language = "zh"
[channel.options]
url = {{ env = "FEISHU_URL" }}
secret = {{ env = "FEISHU_SECRET" }}

[[route]]
channels = ["ops", "room"]
"#,
        mqtt = simulator.mqtt_url(),
        ssl = simulator.ssl_url(),
        enos = simulator.enos_url(),
        org = crate::simulator::ORG,
    )
}

/// Returns the credentials that the simulator knows and the addresses of its rooms, as the daemon's environment.
pub(crate) fn environment(simulator: &Simulator) -> Vec<(&'static str, String)> {
    use crate::simulator::{APP_KEY, APP_SECRET, SECRET_ID, SECRET_KEY, chat};
    let room = |path: &str| format!("{}{path}", simulator.chat_url());
    vec![
        ("SECRET_ID", SECRET_ID.to_owned()),
        ("SECRET_KEY", SECRET_KEY.to_owned()),
        ("APP_KEY", APP_KEY.to_owned()),
        ("APP_SECRET", APP_SECRET.to_owned()),
        ("WEBHOOK_URL", room("/webhook/ops")),
        ("WEBHOOK_SECRET", chat::WEBHOOK_SECRET.to_owned()),
        ("FEISHU_URL", room("/feishu/open-apis/bot/v2/hook/demo")),
        ("FEISHU_SECRET", chat::FEISHU_SECRET.to_owned()),
    ]
}
