//! The room that messages go to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use notafter::facade::channel::{Channel, Pace, Page, Receipt, SendError};
use notafter::facade::clock::BentClock;
use notafter::facade::expiry::{Message, Timestamp};

use super::fate::Fate;
use super::trace::Trace;

/// A room that refuses some messages, once each time.
pub(crate) struct SimRoom {
    pub(crate) fate: Arc<Fate>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) clock: Arc<BentClock>,
    /// Every message that was delivered, and the id of every event that was refused.
    pub(crate) heard: Arc<Mutex<Heard>>,
}

#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Every message that was taken, and when, by a clock that is right.
    pub(crate) delivered: Vec<(Timestamp, Message)>,
    pub(crate) refused: Vec<String>,
    /// Every message, by what it says.
    composed: BTreeMap<String, Message>,
}

#[async_trait]
impl Channel for SimRoom {
    fn encode(&self, message: &Message) -> Vec<String> {
        let body = format!("{message:?}");
        self.heard.lock().unwrap().composed.insert(body.clone(), message.clone());
        vec![body]
    }

    async fn send_page(&self, page: Page<'_>) -> Result<Receipt, SendError> {
        let message = self.heard.lock().unwrap().composed[page.body].clone();
        self.trace.note("room", &format!("is sent {} {}", message.id, message.title));
        self.fate.latency("room").await;
        let mut heard = self.heard.lock().unwrap();
        if self.fate.happens("room refuses", 4) {
            self.trace.note("room", &format!("refuses {}", message.id));
            heard.refused.extend(message.events.iter().map(|event| event.id.clone()));
            return Err(SendError::Retry { after: None, code: "http 500".to_owned() });
        }
        self.trace.note("room", &format!("takes {}", message.id));
        heard.delivered.push((self.clock.right(), message));
        Ok(Receipt::default())
    }

    fn pace(&self) -> Pace {
        Pace { gap: Duration::from_secs(1), per_minute: 20 }
    }

    fn destination(&self) -> String {
        "room".to_owned()
    }
}
