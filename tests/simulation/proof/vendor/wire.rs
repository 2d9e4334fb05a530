//! The way to a vendor: a request is counted, checked and answered in process, and fails when the scene says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderValue};
use notafter::facade::client::http::{HttpError, Reach, Request, Response, Transport};
use serde_json::{Value, json};
use simulator::clock::http_date;
use simulator::enos::{App, Gateway};
use simulator::tc3::{Account, Verifier};
use simulator::{APP_KEY, APP_SECRET, SECRET_ID, SECRET_KEY, http};

use super::super::cloud::CLOCK_OFF;
use super::super::scene::Lie;
use super::super::stage::Stage;
use super::{Vendor, enos, mqtt, ssl};

/// Longer than any client waits.
const FOR_EVER: Duration = Duration::from_hours(1);

pub(super) struct Wire {
    pub(super) index: usize,
    pub(super) stage: Arc<Stage>,
    vendor: Vendor,
    honest: Arc<AtomicBool>,
    verifier: Verifier,
    gateway: Gateway,
}

/// A request, as a vendor reads it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) action: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Value,
}

impl Asked {
    fn read(request: &Request, vendor: Vendor) -> Self {
        let query = request.url.query_pairs().into_owned().collect();
        let action = request.headers.iter().find(|(name, _)| name.as_str() == "x-tc-action");
        let action = action.and_then(|(_, value)| value.to_str().ok());
        let path = request.url.path().rsplit('/').next().unwrap_or_default();
        let action = if vendor == Vendor::Enos { path } else { action.unwrap_or_default() };
        let body = serde_json::from_slice(&request.body).unwrap_or_default();
        Self { action: action.to_owned(), query, body }
    }

    pub(super) fn number(&self, path: &str) -> usize {
        let number = self.body.pointer(path).and_then(Value::as_u64);
        usize::try_from(number.unwrap_or_else(|| panic!("no {path}: {self:?}"))).unwrap()
    }

    pub(super) fn text(&self, path: &str) -> &str {
        self.body.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Returns an error as Tencent Cloud writes it.
pub(super) fn error(code: &str) -> Value {
    json!({"Response": {"Error": {"Code": code, "Message": "as the scene wants"}, "RequestId": "r"}})
}

impl Wire {
    pub(super) fn new(index: usize, stage: &Arc<Stage>, honest: &Arc<AtomicBool>) -> Self {
        let vendor = Vendor::of(index);
        let product = if vendor == Vendor::Mqtt { "mqtt" } else { "ssl" };
        let account = Account {
            secret_id: SECRET_ID.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            token: None,
        };
        let app = App { key: APP_KEY.to_owned(), secret: APP_SECRET.to_owned() };
        Self {
            index,
            stage: Arc::clone(stage),
            vendor,
            honest: Arc::clone(honest),
            verifier: Verifier::new(product, vec![account]),
            gateway: Gateway::new(app),
        }
    }

    /// Returns what requests are counted by, and how many a second may come.
    fn counted(&self, action: &str) -> (&'static str, usize) {
        match self.vendor {
            Vendor::Mqtt => (mqtt::counted(action), 10),
            Vendor::Ssl => (ssl::counted(action), 5),
            Vendor::Enos => ("enos", 5),
        }
    }

    /// Answers, when it is so many seconds later than is right by the vendor's clock.
    fn answer(&self, request: &Request, asked: &Asked, lie: Option<Lie>, off: i64) -> Value {
        let millis = (self.stage.right() + off) * 1000;
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let host = request.url.host_str().map(|host| ("host", host));
        let path = match request.url.query() {
            Some(query) => format!("{}?{query}", request.url.path()),
            None => request.url.path().to_owned(),
        };
        let mut read =
            http::Request::new(&path, host.into_iter().chain(headers).collect(), &request.body);
        read.method = request.method.as_str();
        let refused = match self.vendor {
            Vendor::Enos => return self.answer_as_enos(&read, asked, lie, millis),
            _ => self.verifier.check(&read, millis.div_euclid(1000)).err(),
        };
        match (refused, self.vendor) {
            (Some(refusal), _) => {
                self.stage.judge().reach("a signature is refused");
                error(&refusal.code)
            }
            (None, Vendor::Mqtt) => mqtt::answer(self, asked, lie),
            (None, _) => ssl::answer(self, asked, lie),
        }
    }

    fn answer_as_enos(
        &self,
        read: &http::Request<'_>,
        asked: &Asked,
        lie: Option<Lie>,
        millis: i64,
    ) -> Value {
        let token = match asked.action.as_str() {
            "get" => Some(self.gateway.get(read.body, millis)),
            "refresh" => Some(self.gateway.refresh(read.body, millis)),
            _ => None,
        };
        let answered = match token {
            Some(token) => token.map(|token| enos::token(&token)),
            None => self.gateway.check_call(read, millis).map(|()| enos::answer(self, asked, lie)),
        };
        answered.unwrap_or_else(|refusal| {
            self.stage.judge().reach("a signature is refused");
            json!({"status": refusal.status, "msg": refusal.message})
        })
    }

    /// Returns the answer to every request while the vendor fails in some way.
    fn failure(&self, lie: Option<Lie>) -> Option<(u16, Value)> {
        let is_enos = self.vendor == Vendor::Enos;
        match lie? {
            Lie::Away => Some((503, Value::Null)),
            Lie::Throttled if is_enos => Some((429, json!({"status": 429, "msg": "flow control"}))),
            Lie::Throttled => Some((200, error("RequestLimitExceeded"))),
            Lie::Refused if is_enos => Some((200, json!({"status": 1203, "msg": "expired"}))),
            Lie::Refused => Some((200, error("AuthFailure.TokenFailure"))),
            _ => None,
        }
    }
}

#[async_trait]
impl Transport for Wire {
    async fn carry(&self, request: Request, _: Reach) -> Result<Response, HttpError> {
        let (stage, asked) = (&self.stage, Asked::read(&request, self.vendor));
        stage.cross("cloud", || format!("{} is asked {asked:?}", self.index)).await;
        let (counted, rate) = self.counted(&asked.action);
        stage.judge().requested(counted, rate);
        stage.fate.latency("cloud").await;
        let lie = stage.lie(self.index);
        if lie == Some(Lie::Hangs) {
            tokio::time::sleep(FOR_EVER).await;
        }
        let off = if lie == Some(Lie::ClockOff) { CLOCK_OFF } else { 0 };
        let (status, body) =
            self.failure(lie).unwrap_or_else(|| (200, self.answer(&request, &asked, lie, off)));
        self.honest.store(off == 0, Ordering::Relaxed);
        if off != 0 {
            stage.judge().clock_shown(false);
        }
        stage.cross("cloud", || format!("{} answers {status} {body} {lie:?}", self.index)).await;
        let date = http_date(stage.right() + off);
        let headers = HeaderMap::from_iter([(
            axum::http::header::DATE,
            HeaderValue::from_str(&date).unwrap(),
        )]);
        Ok(Response { status, headers, body: body.to_string().into() })
    }
}
