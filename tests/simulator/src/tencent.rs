//! What the products of Tencent Cloud have in common: envelope, checks, faults.

use serde::Deserialize;

use super::Service;
use super::bend::{Shape, bend};
use super::fault::{Effects, Instead};
use super::http::{Cloud, Reply, Request};
use super::log::Budget;
use super::services::Shared;
use super::tc3::{Account, Verifier, claimed_account};
use super::wire::Wire;

use std::sync::Arc;

/// An error in the provider's own words.
#[derive(Debug)]
pub struct Refusal {
    pub code: String,
    pub message: String,
}

impl Refusal {
    /// Returns an error with a code.
    pub fn new(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned() }
    }

    /// Returns the error for a parameter with a wrong value.
    pub fn value(name: &str, message: &str) -> Self {
        Self::new("InvalidParameterValue", &format!("{name}: {message}"))
    }

    /// Returns the error for a parameter that is missing.
    pub fn missing(name: &str) -> Self {
        Self::new("MissingParameter", &format!("the request has no `{name}`"))
    }
}

/// A good answer.
pub(crate) struct Answer {
    pub body: Vec<u8>,
    /// The instance it is about, or nothing.
    pub scope: String,
}

/// What is asked of a product.
pub(crate) struct Call<'a> {
    pub action: &'a str,
    pub region: &'a str,
    pub body: &'a [u8],
    pub request_id: &'a str,
    pub effects: &'a Effects,
}

/// One product behind the common layer.
pub(crate) trait Product: Send + Sync + 'static {
    const SERVICE: Service;
    const NAME: &'static str;
    const VERSION: &'static str;
    const ACTIONS: &'static [&'static str];
    const NEEDS_REGION: bool;
    /// The code it throttles with.
    const THROTTLE: &'static str;
    /// What stands before `"Response":` in its answers.
    const PREFIX: &'static str;

    /// Answers a call.
    fn act(&self, call: &Call<'_>) -> Result<Answer, Refusal>;

    /// Returns where the answer to an action has what faults change.
    fn shape(&self, action: &str) -> Shape;

    /// Inserts and deletes as faults want it between pages.
    fn drift(&self, scope: &str, effects: &Effects);
}

/// The regions that are known to have the products.
const REGIONS: [&str; 8] = [
    "ap-beijing",
    "ap-guangzhou",
    "ap-hongkong",
    "ap-jakarta",
    "ap-shanghai",
    "ap-singapore",
    "eu-frankfurt",
    "na-siliconvalley",
];

/// The common layer in front of a product.
pub(crate) struct Gate<P> {
    product: Arc<P>,
    shared: Arc<Shared>,
    verifier: Verifier,
}

impl<P: Product> Gate<P> {
    /// Returns a product behind the common layer.
    pub(crate) fn new(product: Arc<P>, shared: Arc<Shared>, accounts: Vec<Account>) -> Self {
        Self { product, shared, verifier: Verifier::new(P::NAME, accounts) }
    }

    fn check(&self, request: &Request<'_>, now: i64) -> Result<(), Refusal> {
        let header = |name: &str| request.header(name).filter(|value| !value.is_empty());
        let is_json = |value: &str| value.starts_with("application/json");
        if request.method != "POST" || !header("content-type").is_some_and(is_json) {
            return Err(Refusal::new("UnsupportedProtocol", "only POST of JSON is simulated"));
        }
        let action = header("x-tc-action").ok_or_else(|| Refusal::missing("Action"))?;
        let version = header("x-tc-version").ok_or_else(|| Refusal::missing("Version"))?;
        if version != P::VERSION {
            return Err(Refusal::new("NoSuchVersion", "the product has no such version"));
        }
        if !P::ACTIONS.contains(&action) {
            return Err(Refusal::new("InvalidAction", "the product has no such action here"));
        }
        match header("x-tc-region") {
            None if P::NEEDS_REGION => return Err(Refusal::missing("Region")),
            Some(region) if P::NEEDS_REGION && !REGIONS.contains(&region) => {
                return Err(Refusal::new("UnsupportedRegion", "the product is not in this region"));
            }
            _ => {}
        }
        self.verifier.check(request, now)
    }

    /// Returns the answer and its outcome for the log.
    fn respond(&self, request: &Request<'_>, effects: &Effects) -> Answered {
        let id = self.shared.request_id();
        let now = self.shared.seconds() + effects.skew;
        let failed = |refusal: Refusal, prefix: &str| Answered::failed(&refusal, prefix, &id);
        if let Err(refusal) = self.check(request, now) {
            return failed(refusal, "");
        }
        if effects.expired_token {
            return failed(Refusal::new("AuthFailure.TokenFailure", "the token has expired"), "");
        }
        let action = request.header("x-tc-action").unwrap_or("");
        let region = request.header("x-tc-region").unwrap_or("");
        let call = Call { action, region, body: request.body, request_id: &id, effects };
        match self.product.act(&call) {
            Ok(answer) => {
                self.product.drift(&answer.scope, effects);
                let body = bend(answer.body, &effects.bends, &self.product.shape(action));
                Answered { body, scope: answer.scope, outcome: "ok".to_owned() }
            }
            Err(refusal) => failed(refusal, P::PREFIX),
        }
    }
}

struct Answered {
    body: Vec<u8>,
    scope: String,
    outcome: String,
}

impl Answered {
    fn failed(refusal: &Refusal, prefix: &str, id: &str) -> Self {
        let body = error_body(&refusal.code, &refusal.message, prefix, id);
        Self { body, scope: String::new(), outcome: refusal.code.clone() }
    }
}

fn error_body(code: &str, message: &str, prefix: &str, id: &str) -> Vec<u8> {
    let (code, message) = (serde_json::json!(code), serde_json::json!(message));
    format!(
        r#"{{{prefix}"Response":{{"Error":{{"Code":{code},"Message":{message}}},"RequestId":"{id}"}}}}"#
    )
    .into_bytes()
}

impl<P: Product> Cloud for Gate<P> {
    fn answer(&self, request: &Request<'_>) -> Reply {
        let action = request.header("x-tc-action").unwrap_or("").to_owned();
        let budget = Budget {
            service: P::SERVICE,
            action: action.clone(),
            account: claimed_account(request),
            region: request.header("x-tc-region").unwrap_or("").to_owned(),
        };
        let is_within = self.shared.log.arrive(budget);
        let effects = self.shared.faults.next(P::SERVICE, &action);
        let instead = effects.instead.or((!is_within).then_some(Instead::Throttle));
        let code = match instead {
            Some(Instead::Throttle) => Some(P::THROTTLE),
            Some(Instead::Code(code)) => Some(code),
            _ => None,
        };
        let answered = match code {
            Some(code) => {
                let refusal = Refusal::new(code, "as the simulator was told");
                Answered::failed(&refusal, "", &self.shared.request_id())
            }
            None if effects.wire == Some(Wire::Hang) || effects.wire == Some(Wire::ResetAtOnce) => {
                Answered { body: Vec::new(), scope: String::new(), outcome: "nothing".to_owned() }
            }
            None => self.respond(request, &effects),
        };
        self.shared.log.answer(P::SERVICE, &action, &answered.scope, &answered.outcome);
        self.shared.finish(answered.body, instead, &effects)
    }
}

/// Reads parameters, and refuses what the provider refuses: unknown ones, missing ones, wrong types.
pub(crate) fn parameters<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let message = error.to_string();
        let code = if error.is_syntax() || error.is_eof() {
            "InvalidRequest"
        } else if message.starts_with("unknown field") {
            "UnknownParameter"
        } else if message.starts_with("missing field") {
            "MissingParameter"
        } else {
            "InvalidParameter"
        };
        Refusal::new(code, &message)
    })
}
