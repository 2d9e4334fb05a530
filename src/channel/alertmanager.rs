//! Alertmanager, API v2: every peer is told what is open, again and again, for as long as it is.
//!
//! An alert ends by itself when nobody repeats it, so a message that was lost heals with the next round, and so does an
//! Alertmanager that lost its memory. What is open is what the ledger says this channel was told of; the rounds are the
//! outbox's. It takes what is said of certificates and tests; about sources, channels and clocks Prometheus alerts by their metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::Url;

use super::means::Means;
use super::options::Credential;
use super::post::Draft;
use super::verdict::{self, down, unknown};
use super::{Channel, Pace, Page, Receipt, SendError, address, keys, labels};
use crate::config::{Fields, Key, Open, Shape};
use crate::expiry::text::{cut_bytes, iso};
use crate::expiry::{Event, Message, Rung, Severity, Topic};

/// Stands in a kept body for an end that a wrong clock would have to tell: it is left out.
const NOBODY_KNOWS: &str = "";

/// Alerts in one request.
const MOST_ALERTS: usize = 256;
const LARGEST_ANNOTATION: usize = 1024;
const RESEND: Duration = Duration::from_mins(2);
const LEAST_RESEND: Duration = Duration::from_secs(1);
const LONGEST_RESEND: Duration = Duration::from_hours(1);
/// An alert outlives so many rounds that do not come, and not less than the other.
const ROUNDS: u32 = 4;
const LEAST_LIFE: Duration = Duration::from_mins(10);
/// How long a test is shown.
const TEST: i64 = 300;

/// The steps of one certificate, each with labels of its own: with the next one the ones before it end.
const STEPS: [(&str, Severity); 3] = [
    ("CertificateExpiring", Severity::Warning),
    ("CertificateExpiring", Severity::Critical),
    ("CertificateExpired", Severity::Critical),
];

pub(super) const ABOUT: &str =
    "Alertmanager, API v2: what is open is told again for as long as it is open, to every peer.";

pub(super) const OPTIONS: &[Key] = &[
    Key::required(
        "urls",
        Shape::SomeTexts,
        "Every peer, never a load balancer. Plain http for loopback alone.",
    ),
    Key::new("user", Shape::SecretOrText, "For basic authentication, with `password`."),
    Key::new("password", Shape::Secret, "The password of `user`."),
    Key::new("token", Shape::Secret, "A bearer token, in the place of these two."),
    Key::new("resend", Shape::Duration, "How often what is open is told again, from 1s to 1h.")
        .or("\"2m\""),
];

/// Builds the channel, or reports what is wrong with its options.
pub(super) fn build(mut fields: Fields<'_>, means: &Means) -> Option<Arc<dyn Channel>> {
    let peers = peers(&mut fields);
    let login = login(&mut fields);
    let resend = resend(&mut fields);
    fields.finish()?;
    Some(Arc::new(Alertmanager { peers: peers?, login, resend, means: means.clone() }))
}

struct Alertmanager {
    peers: Vec<Peer>,
    login: Option<Login>,
    resend: Duration,
    means: Means,
}

struct Peer {
    url: Url,
    /// Whether it took what it was last sent: what changes is said, not what stays.
    takes: AtomicBool,
}

/// Returns the requests that tell of alerts.
fn bodies(alerts: &[Value]) -> Vec<String> {
    if alerts.is_empty() {
        // There is always a request: this one is sent nowhere.
        return vec!["[]".to_owned()];
    }
    alerts.chunks(MOST_ALERTS).map(|alerts| json!(alerts).to_string()).collect()
}

enum Login {
    Basic(Open, Credential),
    Bearer(Credential),
}

#[async_trait]
impl Channel for Alertmanager {
    fn encode(&self, message: &Message) -> Vec<String> {
        bodies(&message.parts().iter().flat_map(alerts).collect::<Vec<_>>())
    }

    /// By a wrong clock nobody says until when something holds: by its own, Alertmanager takes it to hold for five minutes.
    fn encode_again(&self, message: &Message, clock_trusted: bool) -> Vec<String> {
        let mut alerts: Vec<Value> = message.parts().iter().flat_map(alerts).collect();
        if !clock_trusted {
            alerts.iter_mut().filter(|alert| alert["endsAt"].is_null()).for_each(|alert| {
                alert["endsAt"] = json!(NOBODY_KNOWS);
            });
        }
        bodies(&alerts)
    }

    async fn send_page(&self, page: Page<'_>) -> Result<Receipt, SendError> {
        let mut alerts: Vec<Value> =
            serde_json::from_str(page.body).map_err(|_| unknown("a kept body is damaged"))?;
        if alerts.is_empty() {
            return Ok(Receipt::default());
        }
        let life = (self.resend * ROUNDS).max(LEAST_LIFE);
        let life = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        let end = iso(self.means.clock.now().plus(life));
        for alert in alerts.iter_mut().filter_map(Value::as_object_mut) {
            match alert.get("endsAt").and_then(Value::as_str) {
                None => drop(alert.insert("endsAt".to_owned(), json!(end))),
                Some(NOBODY_KNOWS) => drop(alert.remove("endsAt")),
                Some(_) => {}
            }
        }
        let body = Value::Array(alerts);
        let posts = self.peers.iter().map(|peer| self.post(peer, body.clone()));
        let mut verdicts = futures_util::future::join_all(posts).await;
        // One of them is enough: each tells the others what it notified of.
        match verdicts.iter().position(Result::is_ok) {
            Some(_) => Ok(Receipt::default()),
            None => verdicts.swap_remove(0),
        }
    }

    fn pace(&self) -> Pace {
        Pace { gap: Duration::from_millis(100), per_minute: 600 }
    }

    fn destination(&self) -> String {
        let urls: Vec<_> = self.peers.iter().map(|peer| peer.url.as_str()).collect();
        let host = self.peers.first().and_then(|peer| peer.url.host_str()).unwrap_or_default();
        let tag: String = keys::key(&urls).chars().take(8).collect();
        format!("{host}#{tag}")
    }

    fn resend(&self) -> Option<Duration> {
        Some(self.resend)
    }
}

impl Alertmanager {
    async fn post(&self, peer: &Peer, body: Value) -> Result<Receipt, SendError> {
        let verdict = self.ask(peer, body).await;
        let took = peer.takes.swap(verdict.is_ok(), Ordering::Relaxed);
        match (&verdict, took) {
            (Err(error), true) => {
                let host = peer.url.host_str().unwrap_or_default();
                tracing::warn!(host, code = error.code(), "an Alertmanager did not take alerts");
            }
            (Ok(_), false) => {
                tracing::info!(host = peer.url.host_str(), "an Alertmanager takes alerts again");
            }
            _ => {}
        }
        verdict
    }

    async fn ask(&self, peer: &Peer, body: Value) -> Result<Receipt, SendError> {
        let mut draft = Draft::new(peer.url.clone(), body);
        if let Some(login) = &self.login {
            let mut value = HeaderValue::from_str(&login.read()?)
                .map_err(|_| down("login", "user, password or token cannot stand in a header"))?;
            value.set_sensitive(true);
            draft.headers.insert(AUTHORIZATION, value);
        }
        let response = draft.send(&self.means).await?;
        verdict::of_status(&response, self.means.clock.now())?;
        match response.status {
            200 => Ok(Receipt::default()),
            status => Err(unknown(format!("http {status}"))),
        }
    }
}

impl Login {
    fn read(&self) -> Result<String, SendError> {
        match self {
            Self::Bearer(token) => Ok(format!("Bearer {}", token.read()?.expose_secret())),
            Self::Basic(user, password) => {
                let user = user.read().map_err(|why| down("user", why))?;
                let pair = format!("{}:{}", user.expose_secret(), password.read()?.expose_secret());
                Ok(format!("Basic {}", STANDARD.encode(pair)))
            }
        }
    }
}

/// Returns the alerts that one event begins and ends.
fn alerts(part: &Message) -> Vec<Value> {
    let Some(event) = part.events.first() else { return Vec::new() };
    match &event.topic {
        Topic::Renewed { .. } | Topic::Gone { .. } => {
            STEPS.iter().map(|step| ended(part, event, *step)).collect()
        }
        Topic::Expiring { rung, .. } | Topic::NotDeployed { rung, .. }
            if event.severity > Severity::Info =>
        {
            let name =
                if *rung == Rung::Expired { "CertificateExpired" } else { "CertificateExpiring" };
            let own = (name, event.severity);
            let before = STEPS.iter().take_while(|step| **step != own);
            let begun = alert(part, event, own);
            before.map(|step| ended(part, event, *step)).chain([begun]).collect()
        }
        Topic::Test | Topic::Canary { .. } => {
            let name = if event.is_canary() { "NotafterCanary" } else { "NotafterTest" };
            let mut test = alert(part, event, (name, event.severity));
            test["endsAt"] = json!(iso(event.at.plus(TEST)));
            vec![test]
        }
        _ => Vec::new(),
    }
}

fn alert(part: &Message, event: &Event, (name, severity): (&str, Severity)) -> Value {
    let mut labels = event.facts().map(labels::of_certificate).unwrap_or_default();
    labels.insert("alertname", name.to_owned());
    labels.insert("job", "notafter".to_owned());
    labels.insert("severity", severity.as_str().to_owned());
    labels.retain(|_, value| !value.is_empty());
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations(part),
        "startsAt": iso(event.at),
    });
    if let Some(link) = &part.link {
        alert["generatorURL"] = json!(link);
    }
    alert
}

fn ended(part: &Message, event: &Event, step: (&str, Severity)) -> Value {
    let mut alert = alert(part, event, step);
    alert["endsAt"] = json!(iso(event.at));
    alert
}

fn annotations(part: &Message) -> BTreeMap<&'static str, String> {
    let facts: Vec<_> = part.facts.iter().map(|fact| fact.line(part.language)).collect();
    let cut = |text: &str| cut_bytes(text, LARGEST_ANNOTATION);
    BTreeMap::from([
        ("summary", cut(labels::without_envelope(&part.title))),
        ("description", cut(&facts.join("\n"))),
    ])
}

fn peers(fields: &mut Fields<'_>) -> Option<Vec<Peer>> {
    fields.require("urls", ": the addresses of every peer");
    let list = fields.placed_strings("urls")?;
    if list.value.is_empty() {
        fields.mistake(list.span, "`urls` names nobody");
        return None;
    }
    let mut peers = Vec::new();
    for text in list.value {
        let base = text.value.trim_end_matches('/');
        match address::check(&format!("{base}/api/v2/alerts"), None) {
            Ok(url) => peers.push(Peer { url, takes: AtomicBool::new(true) }),
            Err(why) => fields.mistake(text.span, format!("`urls`: {why}")),
        }
    }
    Some(peers)
}

fn login(fields: &mut Fields<'_>) -> Option<Login> {
    let user = fields.open("user").map(|user| user.value);
    let password = Credential::optional("password", fields);
    let token = Credential::optional("token", fields);
    match (user, password, token) {
        (None, None, None) => None,
        (Some(user), Some(password), None) => Some(Login::Basic(user, password)),
        (None, None, Some(token)) => Some(Login::Bearer(token)),
        _ => {
            fields.mistake(fields.span(), "write `user` and `password`, or `token` alone");
            None
        }
    }
}

fn resend(fields: &mut Fields<'_>) -> Duration {
    let Some(resend) = fields.duration("resend") else { return RESEND };
    if !(LEAST_RESEND..=LONGEST_RESEND).contains(&resend.value) {
        fields.mistake(resend.span, "`resend` must be from 1s to 1h");
        return RESEND;
    }
    resend.value
}

#[cfg(test)]
mod tests;
