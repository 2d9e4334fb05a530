//! What every call to a provider goes through: its turn, the exchange, the provider's clock, the counts, and an error
//! without secrets.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::concurrency::Latency;
use super::failure::{Backoff, CallError, Class, Tries};
use super::http::{Request, Response};
use super::limiter::Limiter;
use super::{Action, Deps, Outcome, time};
use crate::expiry::Timestamp;

/// A provider's time minus ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// In seconds.
    pub seconds: i64,
    /// When the answer came that shows it, by the clock that it is held against.
    pub seen: Timestamp,
    /// How long the machine was up then: our clock may be set later.
    pub uptime: Duration,
    /// Whose account was asked, as a digest: sources of one account hear the same clock.
    pub account: u64,
}

impl ClockOffset {
    /// Returns the provider's time minus ours, in seconds, for a clock that shows `wall` when the machine is up for
    /// `uptime`.
    pub fn at(&self, wall: Timestamp, uptime: Duration) -> i64 {
        let passed = i64::try_from(self.age(uptime).as_secs()).unwrap_or(i64::MAX);
        self.seen.plus(self.seconds).plus(passed).since(wall)
    }

    /// Returns how long ago the answer came when the machine is up for `uptime`.
    pub fn age(&self, uptime: Duration) -> Duration {
        uptime.saturating_sub(self.uptime)
    }
}

/// Makes the calls of one source.
pub(super) struct Caller {
    pub(super) deps: Deps,
    source: Arc<str>,
    backoff: Backoff,
    latency: Latency,
    clock: Mutex<Clock>,
}

/// What is known of the provider's clock.
#[derive(Clone, Copy, Default)]
struct Clock {
    last: Option<ClockOffset>,
    /// The offset that was last reported to the meter.
    reported: Option<i64>,
}

/// One attempt, whose turn has come.
pub(super) struct Attempt<'a> {
    caller: &'a Caller,
    action: Action,
    limiter: Limiter,
    began: Instant,
}

impl Caller {
    pub(super) fn new(source: &Arc<str>, backoff: Backoff, deps: &Deps) -> Self {
        Self {
            deps: deps.clone(),
            source: Arc::clone(source),
            backoff,
            latency: Latency::default(),
            clock: Mutex::default(),
        }
    }

    /// Returns how many requests are worth having under way at a time, to keep up `rate`.
    pub(super) fn width(&self, rate: f64) -> usize {
        self.latency.width(rate)
    }

    /// Makes attempts until one succeeds or another would not help.
    pub(super) async fn retried<R, A>(&self, attempt: impl Fn() -> A) -> Result<R, CallError>
    where
        A: Future<Output = Result<R, CallError>>,
    {
        let mut tries = Tries::new(self.backoff);
        loop {
            let error = match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !tries.wait_after(&error, &*self.deps.random).await {
                return Err(error);
            }
        }
    }

    /// Begins an attempt when `limiter` grants it.
    pub(super) async fn begin(&self, action: Action, limiter: Limiter) -> Attempt<'_> {
        limiter.acquire().await;
        Attempt { caller: self, action, limiter, began: Instant::now() }
    }

    /// Returns what the last answer with a date showed of the provider's clock.
    pub(super) fn clock_offset(&self) -> Option<ClockOffset> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// Returns the provider's time minus ours, in seconds, as an answer shows it.
    pub(super) fn offset(&self, response: &Response) -> Option<i64> {
        let date = response.headers.get(reqwest::header::DATE)?.to_str().ok()?;
        Some(time::http_date(date)?.since(self.deps.clock.now()))
    }

    /// Remembers the provider's clock, and reports it when it changes.
    fn observe_clock(&self, response: &Response, account: u64) {
        let Some(seconds) = self.offset(response) else { return };
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, uptime) = (self.deps.clock.now(), self.deps.clock.uptime());
        clock.last = Some(ClockOffset { seconds, seen, uptime, account });
        // Dates are whole seconds: a difference of one says nothing.
        if clock.reported.is_none_or(|reported| seconds.abs_diff(reported) > 1) {
            clock.reported = Some(seconds);
            self.deps.meter.clock_offset(&self.source, seconds);
        }
    }
}

impl Attempt<'_> {
    /// Sends the request and observes the provider's clock.
    pub(super) async fn send(&self, request: Request) -> Result<Response, CallError> {
        let response = self.caller.deps.http.send(request).await;
        let response = response.map_err(|error| CallError::from_http(self.action, &error))?;
        self.caller.observe_clock(&response, self.limiter.account());
        Ok(response)
    }

    /// Counts how the attempt ended, lets the rate follow, and takes `secrets` out of an error.
    pub(super) fn end<R>(
        self,
        result: Result<R, CallError>,
        secrets: &[&str],
    ) -> Result<R, CallError> {
        let took = self.began.elapsed();
        match &result {
            Ok(_) => {
                self.limiter.succeeded();
                self.caller.latency.answered(took);
            }
            Err(error) if error.class == Class::Throttled => self.limiter.throttled(),
            Err(_) => {}
        }
        let outcome = result.as_ref().err().map_or(Outcome::Ok, |error| error.class.outcome());
        let Caller { deps, source, .. } = self.caller;
        deps.meter.request(source, self.action, outcome, took.as_secs_f64());
        result.map_err(|error| error.without(secrets))
    }
}
