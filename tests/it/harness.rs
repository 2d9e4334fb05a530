//! The real binary, as a user runs it: a configuration file, an environment, a process, its metrics.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "a deadline of real time")]
#![expect(clippy::print_stderr, reason = "the log of a daemon whose test fails")]

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::written::{SIGNED, enos, feishu, mqtt, route, ssl, webhook};
use simulator::Simulator;

/// How long a condition may take to come true before a test gives up.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Returns a port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until `look` finds something.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(DEADLINE, what, look).await
}

/// Waits until `look` finds something, for as long as `deadline`.
pub(crate) async fn eventually_within<T>(
    deadline: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + deadline;
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
        command.env("RUST_LOG", "info").envs(self.environment.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::null());
        command
    }

    /// Sets a variable for the next start or command.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Runs a command to its end, while the simulator goes on answering.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        Self::ran(self.command(arguments), &arguments.join(" ")).await
    }

    /// Runs a command that needs nothing of a daemon's folder.
    pub(crate) async fn ran(command: Command, what: &str) -> Ran {
        let output = tokio::process::Command::from(command).output();
        let output = tokio::time::timeout(DEADLINE, output).await;
        let output = output.unwrap_or_else(|_| panic!("{what} never ended")).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts the daemon; its log goes to `log` in the folder.
    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts the daemon with more arguments.
    pub(crate) fn start_with(&mut self, arguments: &[&str]) {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap();
        let child = self
            .command(&[&["run"], arguments].concat())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
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

    /// Waits until the daemon ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        eventually("the daemon ends", async || child.try_wait().unwrap()).await
    }

    /// Returns the status and body of one POST without a body, on the control socket.
    pub(crate) async fn post(&self, path: &str) -> (u16, String) {
        let socket = self.folder.path().join("notafter.sock");
        let mut stream = tokio::net::UnixStream::connect(socket).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until everything that was decided is delivered to `channel`.
    pub(crate) async fn drained(&self, channel: &str) {
        let series = format!("notafter_notifications_pending{{channel=\"{channel}\"}}");
        self.until(&series, |pending| pending == 0.0).await;
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

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
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
    let options = "requests_per_second = 10000\nfull_scan = \"every 5s\"";
    [
        "[alerts]\ngroup_wait = \"1s\"\n",
        &mqtt(simulator, "iot", "every 3s", options),
        &ssl(simulator, "web", "every 3s", "requests_per_second = 1000"),
        &enos(simulator, "plant", "every 3s", "requests_per_second = 10000"),
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &feishu("room", "language = \"zh\""),
        &route(&["ops", "room"]),
    ]
    .concat()
}

/// Returns the credentials that the simulator knows and the addresses of its rooms, as the daemon's environment.
pub(crate) fn environment(simulator: &Simulator) -> Vec<(&'static str, String)> {
    use simulator::{APP_KEY, APP_SECRET, SECRET_ID, SECRET_KEY, chat};
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

/// One event as a webhook receiver saw it.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// The room, which is the channel.
    pub(crate) room: String,
    /// The `webhook-id`.
    pub(crate) message: String,
    /// Which of the messages, in order of arrival.
    pub(crate) place: usize,
    pub(crate) id: String,
    pub(crate) kind: String,
    /// Empty when it is about no certificate.
    pub(crate) serial: String,
    pub(crate) rung: String,
}

/// Returns every event that webhook receivers saw, in order of arrival, repeats included.
pub(crate) fn heard(simulator: &Simulator) -> Vec<Heard> {
    use simulator::chat::Service;
    let messages = simulator.chat().received();
    let webhooks = messages.into_iter().filter(|message| message.service == Service::Webhook);
    let mut all = Vec::new();
    for (place, message) in webhooks.enumerate() {
        let data = &message.body["data"];
        let one = || vec![data.clone()];
        for event in data["events"].as_array().cloned().unwrap_or_else(one) {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            all.push(Heard {
                room: message.room.clone(),
                message: message.id.clone().unwrap_or_default(),
                place,
                id: text(&event["id"]),
                kind: text(&event["kind"]),
                serial: text(&event["certificate"]["serial"]),
                rung: text(&event["rung"]),
            });
        }
    }
    all
}
