//! How a service misbehaves.

use std::time::Duration;

use super::{Answer, Service, robots};

/// How a service misbehaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status and no verdict.
    Http(u16),
    /// Status 429 with `Retry-After` in seconds.
    TooManyRequests(u64),
    /// Status 200 and the page of a proxy.
    Html200,
    /// Status 200 and this code and text in the service's own envelope; for Slack the text is the word.
    VendorCode(i64, &'static str),
    /// The message is taken in, and no answer ever comes.
    Hang,
    /// The message is taken in, and the answer takes this long.
    Slow(Duration),
    /// Status 302 to this address.
    RedirectTo(String),
}

/// Returns what a service that misbehaves answers.
pub(super) fn misbehave(service: Service, fault: Fault) -> Answer {
    let answer = |status, headers, body: &str| Answer { status, headers, body: body.to_owned() };
    match fault {
        Fault::Http(status) => answer(status, Vec::new(), "as the simulator was told"),
        Fault::TooManyRequests(seconds) => {
            answer(429, vec![("retry-after", seconds.to_string())], "")
        }
        Fault::Html200 => {
            answer(200, Vec::new(), "<html><body>Please sign in to the network</body></html>")
        }
        Fault::VendorCode(code, text) => robots::verdict(service, code, text),
        Fault::RedirectTo(address) => answer(302, vec![("location", address)], ""),
        // Answered by never answering, or late, before this.
        Fault::Hang | Fault::Slow(_) => answer(500, Vec::new(), ""),
    }
}
