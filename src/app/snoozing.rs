//! Wishes for quiet, handed to the pipeline.

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::expiry::{Snooze, Wish};
use crate::pipeline::Command;
use crate::web;

/// Hands wishes for quiet to the pipeline.
pub(super) struct Snoozing(pub(super) mpsc::Sender<Command>);

#[async_trait]
impl web::Snoozing for Snoozing {
    async fn snooze(&self, wish: Wish) -> Result<Snooze, web::Refused> {
        let granted = self.ask(|answer| Command::Snooze(Box::new(wish), answer)).await?;
        granted.map_err(web::Refused::Wish)
    }

    async fn end_snooze(&self, id: &str) -> Result<Option<Snooze>, web::Refused> {
        self.ask(|answer| Command::EndSnooze(id.to_owned(), answer)).await
    }
}

impl Snoozing {
    async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Command + Send,
    ) -> Result<T, web::Refused> {
        let (answer, answered) = oneshot::channel();
        self.0.send(order(answer)).await.map_err(|_| web::Refused::Stopping)?;
        answered.await.map_err(|_| web::Refused::Stopping)
    }
}
