//! A message that is marked as a test, sent when somebody asks for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio_util::sync::CancellationToken;

use super::policy::Streak;
use super::worker::{Worker, panicked};
use super::{DELIVERED, Report};
use crate::channel::{Page, Receipt, SendError, TestAnswer};
use crate::expiry::{Event, Message, Severity, Topic};
use crate::store::BatchUpdate;

impl Worker {
    /// Sends a test at once, whatever the channel waits for. Once it arrives the channel works again: its gate is open, and
    /// what waits is sent. A test that does not arrive changes nothing.
    pub(super) async fn test(&mut self, answer: TestAnswer, stop: &CancellationToken) {
        let Some(verdict) = self.send_test(stop).await else { return };
        let outcome = verdict.as_ref().map_or_else(SendError::outcome, |_| DELIVERED);
        self.shared.watcher.notification(&self.settings.name, outcome);
        if verdict.is_ok() {
            self.works_again(stop).await;
        }
        if answer.send(verdict).is_err() {
            tracing::debug!(channel = %self.settings.name, "nobody waited for the verdict of the test");
        }
    }

    async fn send_test(&self, stop: &CancellationToken) -> Option<Result<Receipt, SendError>> {
        let at = self.shared.clock.now();
        let id = || self.shared.random.uuid(at.seconds().saturating_mul(1000)).to_string();
        let event = Event { id: id(), at, severity: Severity::Info, topic: Topic::Test };
        let url = self.settings.external_url.as_deref();
        let message = Message::compose(id(), at, self.settings.manner, vec![event], url);
        let bodies = catch_unwind(AssertUnwindSafe(|| self.channel.encode(&message)));
        let bodies = bodies.unwrap_or_default();
        let mut verdict = Err(panicked());
        for index in 0..bodies.len() {
            let Some(page) = Page::of(&message.id, &bodies, index) else { break };
            verdict = self.attempt(page, stop).await?;
            if verdict.is_err() {
                break;
            }
        }
        Some(verdict)
    }

    async fn works_again(&mut self, stop: &CancellationToken) {
        let now = self.shared.clock.now();
        self.pacer.open();
        (self.retry_at, self.streak) = (None, Streak::default());
        if self.health.delivered(now) {
            self.report(Report::Up { channel: self.settings.name.clone() }, stop).await;
        }
        self.show_health();
        self.shared.watcher.delivered(&self.settings.name, now);
        // There is no such batch, so that only the channel's state is kept.
        self.record(("", None), &BatchUpdate::Released, stop).await;
    }
}
