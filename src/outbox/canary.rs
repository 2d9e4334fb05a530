//! A canary goes alone and at once, and is taken back when it does not arrive: nobody needs it but who waits for it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::worker::Worker;
use super::{DELIVERED, Report};
use crate::channel::{Receipt, SendError};
use crate::store::{BatchUpdate, Pending, StoreError};

/// A channel that is not to be used for longer does not deliver: who waits for a canary is told that instead.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps of what waits a canary, if there is one that was not tried yet.
pub(super) fn alone(pending: &mut Vec<Pending>) -> bool {
    let Some(canary) = pending.iter().position(|one| one.event.is_canary()) else { return false };
    *pending = vec![pending.swap_remove(canary)];
    true
}

impl Worker {
    /// Takes back canaries that nobody waits for any more, as after a restart, whatever came of them. Answers how many.
    pub(super) async fn take_back(&self, pending: &mut Vec<Pending>) -> Result<usize, StoreError> {
        let awaited = self.shared.canary.borrow().clone();
        let is_left =
            |one: &Pending| one.event.is_canary() && awaited.as_ref() != Some(&one.event.id);
        for one in pending.iter().filter(|one| is_left(one)) {
            self.withdraw(one).await?;
        }
        let before = pending.len();
        pending.retain(|one| !is_left(one));
        Ok(before.saturating_sub(pending.len()))
    }

    /// Answers for a canary where the channel is not to be used for long. Answers whether it did.
    pub(super) async fn refuse_canary(
        &self,
        pending: &[Pending],
        wait: Duration,
        stop: &CancellationToken,
    ) -> Result<bool, StoreError> {
        let canary = pending.iter().find(|one| one.event.is_canary());
        let Some(canary) = canary.filter(|_| wait > PATIENCE) else { return Ok(false) };
        let why = match self.health.fault() {
            Some(fault) => format!("it fails ({}): {}", fault.code, fault.hint),
            None => "its service asked to be left alone".to_owned(),
        };
        let verdict = Err(format!("the channel waits for {} s more: {why}", wait.as_secs()));
        self.withdraw(canary).await?;
        self.tell(canary, verdict, stop).await;
        Ok(true)
    }

    /// A canary did not arrive. As with a test, nothing follows from that for the channel, but for a pause that its service
    /// asks for.
    pub(super) async fn canary_failed(
        &mut self,
        job: &Job,
        (error, pause): (&SendError, Option<Duration>),
        stop: &CancellationToken,
    ) {
        let (channel, code) = (&self.settings.name, error.code());
        tracing::info!(%channel, code, "a canary was not delivered");
        self.shared.watcher.notification(channel, error.outcome());
        if let Some(pause) = pause {
            self.pacer.close(pause);
        }
        self.record((&job.batch.id, None), &BatchUpdate::Released, stop).await;
        for canary in &job.members {
            let freed = Pending { batch: None, ..canary.clone() };
            if let Err(error) = self.withdraw(&freed).await {
                tracing::debug!(channel = %self.settings.name, %error, "a canary is taken back later");
            }
            self.tell(canary, Err(why(error)), stop).await;
        }
    }

    /// A canary arrived.
    pub(super) async fn canary_arrived(
        &self,
        job: &Job,
        receipt: &Receipt,
        stop: &CancellationToken,
    ) {
        for canary in job.members.iter().filter(|one| one.event.is_canary()) {
            let called = receipt.id.as_ref().map(|id| format!("; the service calls it {id}"));
            let verdict = Ok(format!("{DELIVERED}{}", called.unwrap_or_default()));
            self.tell(canary, verdict, stop).await;
        }
    }

    async fn tell(
        &self,
        canary: &Pending,
        verdict: Result<String, String>,
        stop: &CancellationToken,
    ) {
        let (channel, event) = (self.settings.name.clone(), canary.event.id.clone());
        self.report(Report::Canary { channel, event, verdict }, stop).await;
    }

    /// Takes a canary out of the outbox, also where its message may have arrived: nothing is lost with it.
    async fn withdraw(&self, canary: &Pending) -> Result<(), StoreError> {
        let (name, store) = (&self.settings.name, &self.shared.store);
        if let Some(batch) = &canary.batch {
            store.settle(name, &batch.id, &BatchUpdate::Released, &self.state()).await?;
        }
        store.leave_out(name, &[canary.delivery], self.shared.clock.now()).await?;
        Ok(())
    }
}

fn why(error: &SendError) -> String {
    match error {
        SendError::ChannelDown { code, hint } => {
            format!("not delivered: the channel does not work ({code}): {hint}")
        }
        SendError::Throttled { after, code } => {
            format!("not delivered: too many messages ({code}); again in {} s", after.as_secs())
        }
        SendError::Ambiguous { code } => {
            format!("nobody knows whether it was delivered: {code}; look into the room")
        }
        SendError::RejectMessage { code } => {
            format!("not delivered: the service refuses this message ({code})")
        }
        SendError::Retry { code, .. } => format!("not delivered: {code}"),
    }
}
