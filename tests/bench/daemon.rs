//! The daemon as a process with a folder of its own, and what it says of itself.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use crate::process::{Process, wait_for};
use crate::provider::INSTANCE;
use simulator::{SECRET_ID, SECRET_KEY};

/// The word that starts this role.
pub(crate) const ROLE: &str = "daemon";

/// How the daemon is configured.
pub(crate) struct Settings {
    /// Where the provider is: host and port.
    pub(crate) provider: String,
    pub(crate) requests_per_second: u32,
    /// Interval of the near window.
    pub(crate) schedule: String,
    /// Interval of everything.
    pub(crate) full_scan: String,
    pub(crate) series: u32,
    /// More of the configuration, after the source.
    pub(crate) more: String,
    /// What that names.
    pub(crate) environment: Vec<(String, String)>,
}

impl Settings {
    /// Returns settings under which a source is read once, as fast as it can be.
    pub(crate) fn once(provider: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            requests_per_second: 1_000_000,
            schedule: "every 24h".to_owned(),
            full_scan: "every 24h".to_owned(),
            series: 10_000,
            more: String::new(),
            environment: Vec::new(),
        }
    }
}

/// The folder of a daemon; its store stays over restarts.
pub(crate) struct Folder {
    folder: tempfile::TempDir,
    port: u16,
}

/// A running daemon.
pub(crate) struct Daemon<'a> {
    pub(crate) process: Process,
    folder: &'a Folder,
}

impl Folder {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Ok(Self { folder: tempfile::tempdir()?, port })
    }

    /// Returns where the store is.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("notafter.db")
    }

    /// Starts a daemon here.
    pub(crate) fn start(&self, settings: &Settings) -> anyhow::Result<Daemon<'_>> {
        let config = self.folder.path().join("notafter.toml");
        std::fs::write(&config, self.text(settings))?;
        let log = self.folder.path().join("log");
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let process = Process::start(|command| {
            command.args([ROLE, "run", "--config"]).arg(config).stderr(Stdio::from(log));
            command.envs([("ID", SECRET_ID), ("KEY", SECRET_KEY), ("RUST_LOG", "warn")]);
            command.envs(settings.environment.iter().map(|(name, value)| (name, value)));
            // Budgets hold in any environment, a container's too.
            command.env_remove("MALLOC_ARENA_MAX");
        })?;
        Ok(Daemon { process, folder: self })
    }

    fn text(&self, settings: &Settings) -> String {
        let Settings { provider, requests_per_second, schedule, full_scan, series, more, .. } =
            settings;
        format!(
            r#"
[server]
listen = "127.0.0.1:{}"
[store]
url = "sqlite:{}"
[metrics]
max_series_per_source = {series}
[[source]]
name = "iot"
kind = "tencent-mqtt"
schedule = "{schedule}"
[source.options]
region = "ap-guangzhou"
instances = ["{INSTANCE}"]
endpoint = "http://{provider}"
secret_id = {{ env = "ID" }}
secret_key = {{ env = "KEY" }}
requests_per_second = {requests_per_second}
full_scan = "{full_scan}"
{more}"#,
            self.port,
            self.store().display(),
        )
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Daemon<'_> {
    /// Returns the body of a GET that was answered with 200.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Option<String>> {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.folder.port)) else {
            return Ok(None);
        };
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.0 200").then_some(answer))
    }

    /// Waits until it is ready.
    pub(crate) fn ready(&mut self) -> anyhow::Result<()> {
        wait_for("the daemon is ready", Duration::from_millis(2), || {
            self.check()?;
            Ok(self.get("/-/ready")?.map(|_| ()))
        })
    }

    /// Returns an error when it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.process.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("the daemon ended with {status}\n{}", self.folder.log()),
        }
    }

    /// Waits until the store holds a proven scan of everything that ended after `earlier`, and returns its end.
    ///
    /// The store is asked, not the daemon: what another process can read is committed, and asking it costs the
    /// daemon nothing.
    pub(crate) fn stored_after(&mut self, earlier: i64) -> anyhow::Result<i64> {
        let mut ended = earlier;
        loop {
            let proven;
            (ended, proven) = self.scanned_after(ended)?;
            if proven {
                return Ok(ended);
            }
        }
    }

    /// Returns whether the store holds a scan of a window.
    pub(crate) fn has_stored(&mut self, window: &str) -> anyhow::Result<bool> {
        self.check()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let store = Connection::open_with_flags(self.folder.store(), flags)?;
        store.busy_timeout(Duration::from_secs(5))?;
        let mut scan = store.prepare(r#"SELECT 1 FROM scan WHERE "window" = ?1"#)?;
        Ok(scan.exists([window])?)
    }

    /// Waits until the store holds a scan of everything that ended after `earlier`, and returns its end and whether it
    /// is proven.
    pub(crate) fn scanned_after(&mut self, earlier: i64) -> anyhow::Result<(i64, bool)> {
        wait_for("a store", Duration::from_millis(2), || {
            self.check()?;
            Ok(self.folder.store().exists().then_some(()))
        })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let store = Connection::open_with_flags(self.folder.store(), flags)?;
        store.busy_timeout(Duration::from_secs(5))?;
        let mut scan = store.prepare(
            r#"SELECT ended, proven FROM scan WHERE "window" = 'all/device' AND error IS NULL AND ended > ?1"#,
        )?;
        wait_for("a scan is in the store", Duration::from_millis(2), || {
            self.check()?;
            Ok(scan.query_row([earlier], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
        })
    }

    /// Returns a sample of its metrics: the value after the text `series`.
    pub(crate) fn sample(&self, series: &str) -> anyhow::Result<f64> {
        let body = self.get("/metrics")?.context("no scrape")?;
        let value = body.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.with_context(|| format!("no sample of {series}\n{}", self.folder.log()))
    }

    /// Returns the sum over all samples whose text begins so.
    pub(crate) fn sum(&self, series: &str) -> anyhow::Result<f64> {
        let body = self.get("/metrics")?.context("no scrape")?;
        let values = body.lines().filter(|line| line.starts_with(series));
        Ok(values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}
