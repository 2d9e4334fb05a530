//! `EnOS`: tokens, products, devices, and the certificates of one device at a time.

use std::sync::{Arc, Mutex, MutexGuard};

use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::Service;
use super::bend::{Shape, bend};
use super::fault::{Effects, Instead, Place};
use super::fleet::{Fleet, Truth};
use super::http::{Cloud, Reply, Request};
use super::log::Budget;
use super::random::mix;
use super::services::Shared;
use super::wire::Wire;
use devices::Devices;
use expression::Expression;

mod devices;
mod expression;
mod gateway;
mod page;

pub use gateway::{App, Gateway, Rejection, Token};

/// `EnOS`, and what a test does to it.
pub struct Enos {
    org: String,
    gateway: Gateway,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

struct State {
    devices: Devices,
    /// Whether the start of a certificate is spelled as the vendor's table has it, not as the wire has it.
    spelled_right: bool,
    /// The HTTP status of what the gateway refuses; it is not documented.
    gateway_status: u16,
    last_page: u64,
    random: u64,
}

/// What an action answers, and the device it was about.
struct Answer {
    body: Value,
    scope: String,
}

/// A refusal by a service behind the gateway: `code` and `msg`.
struct Refusal {
    code: i64,
    message: &'static str,
}

enum Failure {
    Gateway(Rejection),
    Service(Refusal),
    NoSuchPath,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Search {
    #[serde(default)]
    expression: Option<String>,
    #[serde(default)]
    pagination: Option<Pagination>,
    #[serde(default)]
    projection: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    page_no: Option<u64>,
    page_size: Option<u64>,
}

const DEVICE_FIELDS: [&str; 6] =
    ["assetId", "deviceKey", "modelId", "productKey", "productType", "status"];
const PRODUCT_FIELDS: [&str; 2] = ["modelId", "productKey"];

impl Enos {
    /// Returns `EnOS` with a fleet.
    pub fn new(fleet: &Fleet, org: &str, app: App, shared: Arc<Shared>) -> Self {
        let state = State {
            devices: Devices::new(fleet),
            spelled_right: false,
            gateway_status: 200,
            last_page: 1,
            random: fleet.seed,
        };
        Self { org: org.to_owned(), gateway: Gateway::new(app), shared, state: Mutex::new(state) }
    }

    /// Adds devices to a product; returns the index of the first.
    pub fn insert(&self, product: usize, count: u64) -> u64 {
        self.lock().devices.insert(product, count)
    }

    /// Deletes a device; returns whether it was there.
    pub fn delete(&self, device: u64) -> bool {
        self.lock().devices.delete(device)
    }

    /// Makes a new certificate for a device, ending in a year, which revokes the one before.
    pub fn renew(&self, device: u64) {
        self.lock().devices.renew(device);
    }

    /// Returns the key of each product, and whether its devices show certificates.
    pub fn products(&self) -> Vec<(String, bool)> {
        self.lock().devices.products().collect()
    }

    /// Returns the devices that are there, latest first, as asset, product key and device key.
    pub fn devices(&self) -> Vec<(String, String, String)> {
        let state = self.lock();
        let names = |index| {
            (
                state.devices.asset(index),
                state.devices.product_of(index),
                Devices::device_key(index),
            )
        };
        state.devices.live().map(names).collect()
    }

    /// Returns every certificate of every device that is there.
    pub fn truth(&self) -> Vec<Truth> {
        self.lock().devices.truth()
    }

    /// Chooses `effectiveDate`, as the vendor's table spells it, or `effetiveDate`, as the wire does.
    pub fn spell_effective_date(&self, right: bool) {
        self.lock().spelled_right = right;
    }

    /// Chooses the HTTP status of what the gateway refuses.
    pub fn set_gateway_status(&self, status: u16) {
        self.lock().gateway_status = status;
    }

    /// Makes every token expire.
    pub fn expire_tokens(&self) {
        self.gateway.expire_tokens();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn respond(
        &self,
        action: &str,
        request: &Request<'_>,
        effects: &Effects,
    ) -> Result<Answer, Failure> {
        let now = self.shared.millis() + effects.skew * 1000;
        if effects.expired_token {
            self.gateway.expire_tokens();
        }
        match action {
            "token/get" => {
                return self
                    .gateway
                    .get(request.body, now)
                    .map(|it| token(&it))
                    .map_err(Failure::Gateway);
            }
            "token/refresh" => {
                return self
                    .gateway
                    .refresh(request.body, now)
                    .map(|it| token(&it))
                    .map_err(Failure::Gateway);
            }
            "" => return Err(Failure::NoSuchPath),
            _ => self.gateway.check_call(request, now).map_err(Failure::Gateway)?,
        }
        let query = |name: &str| {
            let mut pairs = form_urlencoded::parse(request.query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        if query("orgId").is_none_or(|org| org != self.org) {
            return Err(Failure::service(99403, "no permission for this organisation"));
        }
        match action {
            "certificates/list" => self.certificates(&query),
            _ => self.search(action, request.body, effects, cap(request.path)),
        }
    }

    fn certificates(&self, query: &dyn Fn(&str) -> Option<String>) -> Result<Answer, Failure> {
        let state = self.lock();
        let device = match (query("assetId"), query("productKey"), query("deviceKey")) {
            (Some(asset), _, _) => state.devices.by_asset(&asset),
            (None, Some(product), Some(device)) => state.devices.by_keys(&product, &device),
            _ => {
                let message = "invalid argument: Device identifier is invalid";
                return Err(Failure::service(99400, message));
            }
        };
        let device = device.ok_or_else(|| Failure::service(11404, "Device cannot be found"))?;
        let asset = state.devices.asset(device);
        let all = state.devices.certificates(device);
        let rows = all.iter().map(|it| state.certificate(it, &asset, &self.org));
        let data: Vec<Value> = rows.collect();
        let body =
            json!({"code": 0, "msg": "OK", "requestId": self.shared.request_id(), "data": data});
        Ok(Answer { body, scope: asset })
    }

    fn search(
        &self,
        action: &str,
        body: &[u8],
        effects: &Effects,
        cap: u64,
    ) -> Result<Answer, Failure> {
        let invalid = || Failure::service(99400, "Invalid Argument");
        let search: Search = serde_json::from_slice(body).map_err(|_| invalid())?;
        let of_devices = action == "devices/search";
        let fields: &[&str] = if of_devices { &DEVICE_FIELDS } else { &PRODUCT_FIELDS };
        let text = search.expression.as_deref().unwrap_or("");
        let expression = Expression::parse(text, fields).ok_or_else(invalid)?;
        let pagination = search.pagination.unwrap_or(Pagination { page_no: None, page_size: None });
        let size = pagination.page_size.unwrap_or(10).min(cap);
        let mut number = pagination.page_no.unwrap_or(1);
        if number == 0 || size == 0 {
            return Err(invalid());
        }
        let mut state = self.lock();
        if effects.repeat {
            number = state.last_page;
        }
        state.last_page = number;
        let wanted = (number - 1) * size..number * size;
        let projection = search.projection.as_deref();
        let (total, data) = state.page(&expression, of_devices, wanted, projection);
        let pagination = json!({
            "sortedBy": [{"field": "createTime", "order": "DESC"}],
            "pageNo": number,
            "pageSize": size,
            "totalSize": total,
        });
        let id = self.shared.request_id();
        let body = json!({"code": 0, "msg": "OK", "requestId": id, "data": data, "pagination": pagination});
        Ok(Answer { body, scope: String::new() })
    }
}

fn token(token: &Token) -> Answer {
    let data = json!({"accessToken": token.text, "expire": token.expire});
    let body =
        json!({"status": 0, "msg": "SUCCESS", "business": "apim-token-service", "data": data});
    Answer { body, scope: String::new() }
}

/// Versions from 2.4 on allow larger pages.
fn cap(path: &str) -> u64 {
    if path.starts_with("/connect-service/v2.4/") { 1000 } else { 200 }
}

fn action_of(request: &Request<'_>) -> &'static str {
    let asks = |action: &str| {
        let mut pairs = form_urlencoded::parse(request.query.as_bytes());
        pairs.any(|(name, value)| name == "action" && value == action)
    };
    let mut parts = request.path.trim_start_matches('/').split('/');
    let (service, version) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let rest: Vec<&str> = parts.collect();
    if !version.starts_with("v2.") {
        return "";
    }
    match (service, request.method, rest.join("/").as_str()) {
        ("apim-token-service", "POST", "token/get") => "token/get",
        ("apim-token-service", "POST", "token/refresh") => "token/refresh",
        ("connect-service", "POST", "products") if asks("search") => "products/search",
        ("connect-service", "POST", "devices") if asks("search") => "devices/search",
        ("connect-service", "GET", "certificates") if asks("list") => "certificates/list",
        _ => "",
    }
}

impl Failure {
    fn service(code: i64, message: &'static str) -> Self {
        Self::Service(Refusal { code, message })
    }
}

impl Cloud for Enos {
    fn answer(&self, request: &Request<'_>) -> Reply {
        let action = action_of(request);
        let budget = Budget {
            service: Service::Enos,
            action: action.to_owned(),
            account: String::new(),
            region: String::new(),
        };
        let is_within = self.shared.log.arrive(budget);
        let effects = self.shared.faults.next(Service::Enos, action);
        let instead = effects.instead.or((!is_within).then_some(Instead::Throttle));
        let mut http_status = 200;
        let (body, scope, outcome) = match instead {
            // Flow control is configured by the tenant and its answer is not documented.
            Some(Instead::Throttle) => {
                http_status = 429;
                let body = json!({"status": 429, "msg": "flow control: too many requests"});
                (body, String::new(), "throttled".to_owned())
            }
            Some(Instead::Code(code)) => {
                let code: i64 = code.parse().unwrap_or(99500);
                let field = if code < 10_000 { "status" } else { "code" };
                let body = json!({field: code, "msg": "as the simulator was told", "requestId": self.shared.request_id()});
                (body, String::new(), code.to_string())
            }
            _ if matches!(effects.wire, Some(Wire::Hang | Wire::ResetAtOnce)) => {
                (Value::Null, String::new(), "nothing".to_owned())
            }
            _ => match self.respond(action, request, &effects) {
                Ok(answer) => (answer.body, answer.scope, "ok".to_owned()),
                Err(failure) => {
                    let (status, body, outcome) = self.failed(&failure);
                    http_status = status;
                    (body, String::new(), outcome)
                }
            },
        };
        if outcome == "ok" && action == "devices/search" {
            self.drift(&effects);
        }
        self.shared.log.answer(Service::Enos, action, &scope, &outcome);
        let body = bend(body.to_string().into_bytes(), &effects.bends, &shape(action));
        let mut reply = self.shared.finish(body, instead, &effects);
        if http_status != 200 {
            reply.status = http_status;
        }
        reply
    }
}

impl Enos {
    fn failed(&self, failure: &Failure) -> (u16, Value, String) {
        match failure {
            Failure::Gateway(it) => {
                let body = json!({"status": it.status, "msg": it.message});
                (self.lock().gateway_status, body, it.status.to_string())
            }
            Failure::Service(it) => {
                let id = self.shared.request_id();
                let body = json!({"code": it.code, "msg": it.message, "requestId": id});
                (200, body, it.code.to_string())
            }
            Failure::NoSuchPath => {
                (404, json!({"status": 404, "msg": "no such API"}), "404".to_owned())
            }
        }
    }

    fn drift(&self, effects: &Effects) {
        let mut state = self.lock();
        for (insert, delete, place) in &effects.drifts {
            for _ in 0..*delete {
                state.random = mix(state.random, 1);
                let live: Vec<u64> = state.devices.live().collect();
                let chosen = match place {
                    // The latest is listed first, so the oldest is the last.
                    Place::Head => live.last(),
                    Place::Tail => live.first(),
                    Place::Random => live.get((state.random % live.len().max(1) as u64) as usize),
                };
                if let Some(index) = chosen {
                    state.devices.delete(*index);
                }
            }
            state.devices.insert(0, *insert);
        }
    }
}

fn shape(action: &str) -> Shape {
    let total = "/pagination/totalSize";
    let (end, status) = ("expireDate", "certStatus");
    let names: &[&str] = match action {
        "devices/search" => &["assetId", "productKey", "deviceKey"],
        "products/search" => &["productKey"],
        _ => &["certSN", "issueAuthority"],
    };
    Shape { list: "/data", total, end, status, names }
}
