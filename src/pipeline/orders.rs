//! What an operator wants done with messages that wait or were given up.

use super::Pipeline;
use crate::store::{Audited, OutboxAnswer, OutboxOrder, OutboxRequest, StoreError};

impl Pipeline {
    /// Does what is wanted, tells how it went, and wakes the channel that has something to send again.
    pub(super) async fn order(&mut self, request: OutboxRequest) {
        let OutboxRequest { id, order, answer } = request;
        let channels = &self.settings.config.channels;
        let channels: Vec<String> = channels.iter().map(|channel| channel.name.clone()).collect();
        let now = self.parts.clock.now();
        let done = self.parts.store.order((id, order), &channels, now).await;
        if let Ok(OutboxAnswer::Done { channel, events }) = &done {
            tracing::info!(channel, events, ?order, "an operator decided about a message");
            self.outputs.outbox.send_modify(|count| *count += 1);
            let order = if order == OutboxOrder::Retry { "retry" } else { "drop" };
            let (order, channel, events) = (order.to_owned(), channel.clone(), *events);
            self.happened(Audited::Outbox { order, channel, events });
            if let Err(error) = self.count_given_up(&channels).await {
                tracing::debug!(%error, "what was given up was not counted");
            }
        }
        if answer.send(done).is_err() {
            tracing::debug!("nobody waited for what became of the order");
        }
    }

    async fn count_given_up(&self, channels: &[String]) -> Result<(), StoreError> {
        let counts = self.parts.store.given_up().await?;
        for name in channels {
            let count = counts.iter().find(|(channel, _)| channel == name);
            self.parts.metrics.given_up(name, count.map_or(0, |(_, count)| *count));
        }
        Ok(())
    }
}
