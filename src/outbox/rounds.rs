//! What is open, told again and again to channels that forget: an alert that nobody repeats ends there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Settings, Shared};
use crate::channel::{Channel, Page};
use crate::clock::Clock;
use crate::expiry::{Event, Facts, Message, Notified, Severity, Snoozes, Topic, severity};
use crate::store::{Store, StoreError};

/// How many certificates are read and told at a time.
const SOME: usize = 256;

/// Tells one channel again what it was told of and is open still.
pub struct Rounds {
    settings: Settings,
    channel: Arc<dyn Channel>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    snoozes: watch::Receiver<Arc<Snoozes>>,
    clock_trusted: watch::Receiver<bool>,
    every: Duration,
}

impl Rounds {
    /// Returns the rounds of a channel, if it asks for them.
    pub fn of(settings: Settings, channel: Arc<dyn Channel>, shared: &Shared) -> Option<Self> {
        let (store, clock) = (Arc::clone(&shared.store), Arc::clone(&shared.clock));
        let every = channel.resend()?;
        let (snoozes, clock_trusted) = (shared.snoozes.clone(), shared.clock_trusted.clone());
        Some(Self { settings, channel, store, clock, snoozes, clock_trusted, every })
    }

    /// Tells at once, since nobody knows how long the process was away, and then in each round until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let round = async {
                if let Err(error) = self.tell().await {
                    tracing::debug!(channel = %self.settings.name, %error, "a round was left out");
                }
                tokio::time::sleep(self.every).await;
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = round => {}
            }
        }
    }

    async fn tell(&self) -> Result<(), StoreError> {
        let open = self.store.open_for(&self.settings.name).await?;
        let (snoozes, now) = (Arc::clone(&self.snoozes.borrow()), self.clock.now());
        for some in open.chunks(SOME) {
            let rows: Vec<_> = some.iter().map(|(row, _)| *row).collect();
            let facts = self.store.facts(&rows).await?;
            let known = facts.into_iter().zip(some);
            let events: Vec<_> = known
                .filter_map(|(facts, (_, said))| Some(event(facts?, *said)))
                .filter(|event| event.severity > Severity::Info)
                .filter(|event| snoozes.hushing(event, now).is_none())
                .collect();
            if !events.is_empty() {
                self.post(events).await;
            }
        }
        Ok(())
    }

    /// What is not taken now is told in the next round.
    async fn post(&self, events: Vec<Event>) {
        let (now, base) = (self.clock.now(), self.settings.external_url.as_deref());
        let message = Message::compose("round", now, self.settings.manner, events, base);
        let bodies = self.channel.encode_again(&message, *self.clock_trusted.borrow());
        for index in 0..bodies.len() {
            let Some(page) = Page::of(&message.id, &bodies, index) else { return };
            if let Err(error) = self.channel.send_page(page).await {
                tracing::debug!(channel = %self.settings.name, %error, "a round was not taken");
            }
        }
    }
}

/// Returns the alert about a certificate as it was last said.
fn event(facts: Facts, said: Notified) -> Event {
    let severity = severity(facts.status, said.rung);
    let (rung, leaves, newer, unserved) = (said.rung, None, None, false);
    let topic = Topic::Expiring { facts, rung, leaves, newer, unserved, places: None };
    Event { id: String::new(), at: said.at, severity, topic }
}
