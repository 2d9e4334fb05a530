//! Webhook services: a [`Robot`] is what is one service's own, and everything around it is here once.
//!
//! Reading the address and checking it, its digest, the pace, posting without following redirects, and errors that
//! hold no secret are the same for all. What is not a POST of JSON, such as mail, implements [`Channel`] itself.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::address::{Address, Vendor};
use super::means::Means;
use super::post::Draft;
use super::verdict::unknown;
use super::{Channel, Pace, Page, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::{Fields, Key};
use crate::expiry::{Message, Timestamp};

#[cfg(test)]
pub(super) mod kit;
#[cfg(test)]
mod tests;

/// One webhook service: how a message becomes requests, how they are signed, and what the answers mean.
pub(super) trait Robot: Send + Sync + Sized + 'static {
    /// What it is, in one sentence.
    const ABOUT: &'static str;

    /// What may stand in its options.
    const OPTIONS: &'static [Key];

    /// How fast the service may be used.
    const PACE: Pace;

    /// Whose addresses the option `url` may hold. Without a vendor, any that is safe.
    const VENDOR: Option<&'static Vendor> = None;

    /// What the tests that every robot must pass configure and answer.
    #[cfg(test)]
    const EXAMPLE: Example;

    /// Reads where the requests go. A service whose address is not one option puts it together here.
    fn address(fields: &mut Fields<'_>) -> Option<Address> {
        Address::of("url", Self::VENDOR, fields)
    }

    /// Reads the service's own options. `None` only if a mistake was reported.
    fn new(fields: &mut Fields<'_>) -> Option<Self>;

    /// Returns what stands for the destination. A service with one address for many rooms adds the room's digest.
    fn destination(&self, address: &Address) -> String {
        address.destination()
    }

    /// Returns the bodies of the requests that carry `message`, one or more, each within the service's limits. They are
    /// kept in the store: a credential that belongs into a body is put there by [`Robot::sign`].
    fn encode(&self, message: &Message) -> Vec<Value>;

    /// Completes a request with what belongs to this attempt: time, credentials and signature, in address, headers
    /// or body. `id` is the request's own, and a repetition has the same.
    fn sign(&self, _request: &mut Draft, _id: &str, _clock: &dyn Clock) -> Result<(), SendError> {
        Ok(())
    }

    /// Returns what an answer means, from its status and its body together.
    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError>;
}

/// How to configure a robot in tests, and what its service answers to a message that it takes.
#[cfg(test)]
#[derive(Clone, Copy)]
pub(super) struct Example {
    /// The path of an address, up to its token. One with `$TOKEN` has it inside, one that ends in `$` has none.
    pub(super) path: &'static str,
    /// The options, with the address in `{ env = "ROBOT_URL" }`, or its host as `$BASE`.
    pub(super) options: &'static str,
    /// The body of a success.
    pub(super) success: &'static str,
}

#[cfg(test)]
impl Example {
    /// The options of a robot that can be set to ask for a signature and a word.
    pub(super) const GUARDED: &str = r#"url = { env = "ROBOT_URL" }
            secret = { env = "SIGNING_KEY" }
            keyword = "cert""#;
}

/// Builds the channel that posts to the service of `R`, or reports what is wrong with its options.
pub(super) fn build<R: Robot>(mut fields: Fields<'_>, means: &Means) -> Option<Arc<dyn Channel>> {
    let address = R::address(&mut fields);
    let robot = R::new(&mut fields);
    fields.finish()?;
    Some(Arc::new(RobotChannel { robot: robot?, address: address?, means: means.clone() }))
}

struct RobotChannel<R> {
    robot: R,
    address: Address,
    means: Means,
}

#[async_trait]
impl<R: Robot> Channel for RobotChannel<R> {
    fn encode(&self, message: &Message) -> Vec<String> {
        self.robot.encode(message).iter().map(Value::to_string).collect()
    }

    async fn send_page(&self, page: Page<'_>) -> Result<Receipt, SendError> {
        let body: Value =
            serde_json::from_str(page.body).map_err(|_| unknown("a kept body is damaged"))?;
        // What a service does not take is sent nowhere.
        if body == Value::Null { Ok(Receipt::default()) } else { self.post(&page.id, body).await }
    }

    fn pace(&self) -> Pace {
        R::PACE
    }

    fn destination(&self) -> String {
        self.robot.destination(&self.address)
    }
}

impl<R: Robot> RobotChannel<R> {
    async fn post(&self, id: &str, body: Value) -> Result<Receipt, SendError> {
        let mut draft = Draft::new(self.address.url()?, body);
        self.robot.sign(&mut draft, id, &*self.means.clock)?;
        let response = draft.send(&self.means).await?;
        self.robot.judge(&response, self.means.clock.now())
    }
}
