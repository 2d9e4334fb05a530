//! The sign of life that others watch: the only thing that tells of a daemon that is dead.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::client::http::{Http, Request};
use crate::clock::Clock;
use crate::config;
use crate::metrics::DaemonMetrics;

/// The longest wait for an answer, of which only the status counts.
const TIMEOUT: Duration = Duration::from_secs(15);
const CAP: usize = 64 * 1024;

/// Without a turn of the pipeline for this long it is taken to hang. It turns once a minute at least.
const SILENCE: Duration = Duration::from_secs(90);

/// The most bytes of reasons that are sent.
const REASONS: usize = 10_000;

/// A heartbeat with what carries it.
#[derive(Clone)]
pub struct Heartbeat {
    /// Whom to tell, and how often.
    pub config: config::Heartbeat,
    /// What carries the requests.
    pub http: Http,
}

/// What decides whether all is well.
#[derive(Clone)]
pub(super) struct Vital {
    pub(super) troubles: watch::Receiver<Arc<Vec<String>>>,
    pub(super) writable: watch::Receiver<bool>,
    pub(super) pulse: watch::Receiver<Instant>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<DaemonMetrics>,
}

impl Heartbeat {
    /// Tells how things are, again and again until `stop`.
    pub(super) async fn run(self, vital: Vital, stop: CancellationToken) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(self.config.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failed = false;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let Some(sent) = stop.run_until_cancelled(self.beat(&vital.reasons())).await else {
                break;
            };
            match &sent {
                Ok(true) => vital.metrics.heartbeat(vital.clock.now()),
                Ok(false) => {}
                Err(why) if failed => tracing::debug!(why, "the heartbeat was not taken"),
                Err(why) => {
                    tracing::warn!(why, "the heartbeat was not taken; it is tried again");
                }
            }
            failed = sent.is_err();
        }
        Ok(())
    }

    /// Tells once. Answers whether it said that all is well.
    async fn beat(&self, reasons: &[String]) -> Result<bool, String> {
        let well = reasons.is_empty();
        let url = if well { read(&self.config.url)? } else { self.fail_url()? };
        let method = if well { Method::GET } else { Method::POST };
        let mut body = reasons.join("\n");
        body.truncate(body.floor_char_boundary(REASONS));
        let request = Request {
            method,
            url,
            headers: Vec::new(),
            body: Bytes::from(body),
            timeout: TIMEOUT,
            cap: CAP,
        };
        let response = self.http.send(request).await.map_err(|error| error.to_string())?;
        if (200..300).contains(&response.status) {
            Ok(well)
        } else {
            Err(format!("http {}", response.status))
        }
    }

    fn fail_url(&self) -> Result<Url, String> {
        if let Some(own) = &self.config.fail_url {
            return read(own);
        }
        let mut url = read(&self.config.url)?;
        let path = format!("{}/fail", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(url)
    }
}

/// Reads an address. The error never repeats it.
fn read(secret: &config::Secret) -> Result<Url, String> {
    Url::parse(secret.read()?.expose_secret()).map_err(|_| "its address is none".to_owned())
}

impl Vital {
    /// Returns what is wrong.
    fn reasons(&self) -> Vec<String> {
        let mut reasons = self.troubles.borrow().to_vec();
        if !*self.writable.borrow() {
            reasons.push("the store cannot write".to_owned());
        }
        if self.pulse.borrow().elapsed() > SILENCE {
            reasons.push("the pipeline hangs".to_owned());
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fake::{Fake, Reply};
    use crate::clock::SystemClock;
    use crate::config::{Environment, Secret, SecretRef};
    use crate::metrics::Setup;

    fn heartbeat(fake: &Fake, fail: Option<&str>) -> Heartbeat {
        let url = |name: &str| {
            let environment = Environment::of([
                ("WELL", fake.url("/ping/s3cr3t").as_str()),
                ("ILL", fake.url("/other").as_str()),
            ]);
            Secret::new(SecretRef::Env(name.to_owned()), &environment)
        };
        let (url, fail_url) = (url("WELL"), fail.map(url));
        let config = config::Heartbeat { url, fail_url, every: Duration::from_millis(10) };
        Heartbeat { config, http: Http::new().unwrap() }
    }

    #[tokio::test]
    async fn all_is_well_or_the_reasons_are_posted() {
        let fake = Fake::start(|_, _| Reply::new(200, "OK")).await;
        let reasons = ["source iot has no proven scan".to_owned(), "and more".to_owned()];
        assert_eq!(heartbeat(&fake, None).beat(&[]).await, Ok(true));
        assert_eq!(heartbeat(&fake, None).beat(&reasons).await, Ok(false));
        assert_eq!(heartbeat(&fake, Some("ILL")).beat(&reasons).await, Ok(false));
        let seen = fake.seen();
        let paths: Vec<_> = seen.iter().map(|one| one.path_and_query.as_str()).collect();
        assert_eq!(paths, ["/ping/s3cr3t", "/ping/s3cr3t/fail", "/other"]);
        assert!(seen[0].body.is_empty());
        assert_eq!(seen[1].body, reasons.join("\n").as_bytes());
    }

    #[tokio::test]
    async fn an_answer_that_is_no_yes_is_a_failure_and_nothing_of_the_address_is_said() {
        let fake = Fake::start(|_, _| Reply::new(404, "no such check")).await;
        assert_eq!(heartbeat(&fake, None).beat(&[]).await, Err("http 404".to_owned()));
        let gone = heartbeat(&fake, None);
        drop(fake);
        let why = gone.beat(&[]).await.unwrap_err();
        assert!(!why.contains("s3cr3t"), "{why}");
    }

    #[tokio::test]
    async fn it_goes_on_until_it_is_stopped() {
        let fake = Fake::start(|_, _| Reply::new(200, "OK")).await;
        let (troubles, watched) = watch::channel(Arc::new(Vec::new()));
        let (writable, writes) = watch::channel(true);
        let (pulse, turns) = watch::channel(Instant::now());
        let metrics = Arc::new(DaemonMetrics::new(&Setup::default()));
        let vital = Vital {
            troubles: watched,
            writable: writes,
            pulse: turns,
            clock: Arc::new(SystemClock),
            metrics,
        };
        assert!(vital.reasons().is_empty());
        let stop = CancellationToken::new();
        let run = heartbeat(&fake, None).run(vital.clone(), stop.clone());
        let watch = async {
            for (count, path) in [(2, "/ping/s3cr3t"), (3, "/ping/s3cr3t/fail")] {
                while fake.seen().iter().filter(|one| one.path_and_query == path).count() < count {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                troubles.send_replace(Arc::new(vec!["the clock".to_owned()]));
            }
            stop.cancel();
        };
        let deadline = Duration::from_secs(30);
        let both = tokio::time::timeout(deadline, async { tokio::join!(run, watch) });
        both.await.unwrap().0.unwrap();
        writable.send_replace(false);
        pulse.send_replace(Instant::now());
        assert_eq!(vital.reasons(), ["the clock", "the store cannot write"]);
    }
}
