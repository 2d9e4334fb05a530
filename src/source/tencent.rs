//! What the sources of Tencent Cloud share: their common options and the client they lead to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use url::Url;

use super::Page;
use crate::client::tencent::{Keys, ReadKeys, Settings, Tencent};
use crate::client::{Backoff, CallError, Class, Deps};
use crate::config::{Fields, Key, Secret, Shape};

/// One of the vendor's services.
pub(super) struct Service {
    /// Its name in signatures.
    pub(super) name: &'static str,
    /// The version of its API.
    pub(super) version: &'static str,
    /// Where it is by default.
    pub(super) endpoint: &'static str,
    /// Requests a second by default: half of the limit, which is shared with consoles and other tools.
    pub(super) rate: f64,
    /// The vendor's own limit for one action.
    pub(super) limit: f64,
}

pub(super) const SECRET_ID: Key =
    Key::required("secret_id", Shape::Secret, "The SecretId of a user of Tencent Cloud.");
pub(super) const SECRET_KEY: Key =
    Key::required("secret_key", Shape::Secret, "The SecretKey that belongs to it.");
pub(super) const TOKEN: Key =
    Key::new("token", Shape::Secret, "The token of temporary credentials.");
pub(super) const ENDPOINT: Key = Key::new(
    "endpoint",
    Shape::Url,
    "The API: a host alone. The international site has one of its own. Plain http for loopback alone.",
);
pub(super) const RATE: Key = Key::new(
    "requests_per_second",
    Shape::Rate,
    "Requests a second, shared by all sources with the same account, region and action.",
);

/// The options that every service has.
pub(super) struct Account {
    pub(super) endpoint: Url,
    pub(super) rate: f64,
    pub(super) keys: ReadKeys,
}

impl Account {
    /// Reads the options. `None` when one is missing or wrong, which `fields` has reported.
    pub(super) fn read(fields: &mut Fields<'_>, service: &Service) -> Option<Self> {
        let id = fields.required_secret("secret_id");
        let key = fields.required_secret("secret_key");
        let token = fields.secret("token").map(|token| token.value);
        let endpoint = endpoint(fields, service);
        let rate = rate(fields, service, endpoint.as_ref());
        Some(Self { endpoint: endpoint?, rate, keys: keys(id?.value, key?.value, token) })
    }

    /// Returns the client of `service` for the source `name`.
    pub(super) fn client(
        self,
        service: &Service,
        name: &str,
        region: Option<String>,
        deps: &Deps,
    ) -> Tencent {
        let settings = Settings {
            source: name.into(),
            endpoint: self.endpoint,
            service: service.name,
            version: service.version,
            region,
            rate: self.rate,
            keys: self.keys,
            backoff: Backoff::VENDOR,
        };
        Tencent::new(settings, deps)
    }
}

/// How many rows a page may have, lowered when the provider finds its answers too large.
pub(super) struct PageLimit(AtomicU64);

impl PageLimit {
    pub(super) const fn new(rows: u64) -> Self {
        Self(AtomicU64::new(rows))
    }

    pub(super) fn rows(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Reads a page of `scope`, with half as many rows for as long as the answer is too large.
    pub(super) async fn read<F>(
        &self,
        scope: &str,
        page: impl Fn(u64) -> F,
    ) -> Result<Page, CallError>
    where
        F: Future<Output = Result<Page, CallError>>,
    {
        loop {
            let limit = self.rows();
            match page(limit).await {
                Err(error) if error.class == Class::TooBig && limit > 1 => {
                    tracing::warn!(
                        scope,
                        limit,
                        "answers are too large, asking for half as many rows"
                    );
                    self.0.fetch_min(limit / 2, Ordering::Relaxed);
                }
                other => return other,
            }
        }
    }
}

fn endpoint(fields: &mut Fields<'_>, service: &Service) -> Option<Url> {
    let Some(endpoint) = fields.url("endpoint") else {
        // Absent, or wrong and reported; then nothing is built from it.
        return Url::parse(service.endpoint).ok();
    };
    if endpoint.value.path() == "/" && endpoint.value.query().is_none() {
        return Some(endpoint.value);
    }
    fields.mistake(endpoint.span, "the endpoint is a host alone, without a path or a query");
    None
}

fn rate(fields: &mut Fields<'_>, service: &Service, endpoint: Option<&Url>) -> f64 {
    let Some(rate) = fields.rate("requests_per_second") else { return service.rate };
    let at_vendor =
        endpoint.and_then(Url::host_str).is_some_and(|host| host.ends_with(".tencentcloudapi.com"));
    if at_vendor && rate.value > service.limit {
        let text = format!(
            "the provider allows {} requests a second for each action, shared with every other tool of the account",
            service.limit
        );
        fields.warn(rate.span, text);
    }
    rate.value
}

fn keys(id: Secret, key: Secret, token: Option<Secret>) -> ReadKeys {
    Arc::new(move || {
        Ok(Keys {
            id: id.read()?,
            key: key.read()?,
            token: token.as_ref().map(Secret::read).transpose()?,
        })
    })
}

/// Returns a client of a server on loopback, with keys that are never shown.
#[cfg(test)]
pub(super) fn client_of(
    fake: &crate::client::fake::Fake,
    service: &Service,
    region: Option<&str>,
) -> Tencent {
    account_at(fake.url("/")).client(service, "test", region.map(str::to_owned), &deps())
}

/// Returns a client whose requests end in `script`, so that time may be virtual.
#[cfg(test)]
pub(super) fn client_in_process(
    service: &Service,
    script: impl Fn(&crate::client::fake::Seen) -> crate::client::fake::Reply + Send + Sync + 'static,
) -> Tencent {
    let deps = Deps { http: crate::client::fake::InProcess::http(script), ..deps() };
    account_at(Url::parse("http://127.0.0.1/").unwrap()).client(service, "test", None, &deps)
}

#[cfg(test)]
fn account_at(endpoint: Url) -> Account {
    let keys: ReadKeys =
        Arc::new(|| Ok(Keys { id: "id".into(), key: "hunter2".into(), token: None }));
    Account { endpoint, rate: 1e6, keys }
}

/// Returns what a source is built with, which asks nobody by itself.
#[cfg(test)]
pub(super) fn deps() -> Deps {
    use crate::client::NoMeter;
    use crate::clock::{SteadyClock, SystemRandom};
    use crate::expiry::Timestamp;

    Deps {
        http: crate::client::http::Http::new().unwrap(),
        limiters: crate::client::limiter::Limiters::default(),
        clock: Arc::new(SteadyClock::starting_at(Timestamp::from_seconds(1_763_827_200))),
        random: Arc::new(SystemRandom),
        meter: Arc::new(NoMeter),
    }
}
