//! Plumbing that sources and channels share: HTTP, rates, vendors' signatures.

use std::sync::Arc;

use crate::clock::{Clock, Random};

mod action;
pub mod authorities;
mod call;
pub mod enos;
mod redact;
mod failure;
#[cfg(test)]
pub(crate) mod fake;
pub mod egress_filter;
pub(crate) mod hmac;
pub mod http;
mod network;
pub mod limiter;
pub mod tencent;
mod transport;
pub mod time;
pub mod concurrency;

pub use action::Action;
pub use call::ClockOffset;
pub use failure::{Backoff, CallError, Class};

/// How a request ended, as a metric label. Closed, so that every outcome has a counter from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The provider answered as asked.
    Ok,
    /// The provider asked for fewer requests.
    Throttled,
    /// The provider or the way to it failed.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The provider's clock and ours differ too much.
    Clock,
    /// Credentials or permissions are wrong.
    Refused,
    /// The provider refused the request itself.
    BadRequest,
    /// The thing asked for does not exist.
    NotFound,
    /// The answer broke the contract or the size limit.
    Malformed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::Throttled,
        Self::Unavailable,
        Self::Timeout,
        Self::Clock,
        Self::Refused,
        Self::BadRequest,
        Self::NotFound,
        Self::Malformed,
    ];

    /// Returns the metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Clock => "clock",
            Self::Refused => "refused",
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::Malformed => "malformed",
        }
    }
}

/// Counts what the clients do. Implemented by the daemon's own metrics.
pub trait Meter: Send + Sync {
    /// Counts one request of `source` and the seconds it took.
    fn request(&self, source: &str, action: Action, outcome: Outcome, seconds: f64);

    /// Keeps the provider's time minus ours, in seconds, as read from its `Date` header.
    fn clock_offset(&self, source: &str, seconds: i64);
}

/// A meter that counts nothing, for commands that publish no metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMeter;

impl Meter for NoMeter {
    fn request(&self, _: &str, _: Action, _: Outcome, _: f64) {}
    fn clock_offset(&self, _: &str, _: i64) {}
}

/// What sources and channels are built with.
#[derive(Clone)]
pub struct Deps {
    /// The HTTP client that all share.
    pub http: http::Http,
    /// The request rates, shared by all sources with the same account, region and action.
    pub limiters: limiter::Limiters,
    /// The clock that signatures are made with.
    pub clock: Arc<dyn Clock>,
    /// The chance in the waits between attempts.
    pub random: Arc<dyn Random>,
    /// Counts requests.
    pub meter: Arc<dyn Meter>,
}
