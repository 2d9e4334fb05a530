//! What is open when the channels are other ones than before.

use super::Pipeline;
use super::decide::routed;
use super::draft::BATCH;
use crate::expiry::{RowId, Status};
use crate::store::{About, Post};

/// Whether what is open and what waits fit the channels that are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    /// The daemon started: they may have changed meanwhile.
    Unknown,
    /// A reload may have changed them.
    Changed,
    /// It does.
    Settled,
}

impl Pipeline {
    /// Returns the channels that there are.
    pub(super) fn channel_names(&self) -> Vec<String> {
        self.settings.config.channels.iter().map(|channel| channel.name.clone()).collect()
    }

    /// Routes anew what waits for channels that are gone, and tells channels that are newly routed to what is open.
    pub(super) async fn follow_channels(&mut self) -> anyhow::Result<()> {
        let changed = std::mem::replace(&mut self.channels, Channels::Settled);
        let names = self.channel_names();
        if changed == Channels::Settled || names.is_empty() {
            return Ok(());
        }
        self.save().await?;
        self.settle().await?;
        let stranded = self.parts.store.stranded(&names).await?;
        if self.ledger.is_empty() && stranded.is_empty() {
            return Ok(());
        }
        // Who waits for a canary has learned that the channel is gone.
        for stranded in stranded.into_iter().filter(|one| !one.event.is_canary()) {
            let (event, about) = (stranded.event, stranded.about);
            let channels = routed(&self.settings.config, &event);
            self.draft.post(Post::Say { event, channels, about });
        }
        self.draft.post(Post::Channels { at: self.parts.clock.now(), names });
        self.save().await?;
        self.settle().await?;
        self.forget_unsaid().await?;
        if changed == Channels::Changed { self.tell_what_is_open().await } else { Ok(()) }
    }

    /// What nobody was told and nobody will be was not said: it comes up again.
    async fn forget_unsaid(&mut self) -> anyhow::Result<()> {
        let unsaid = self.parts.store.unsaid().await?;
        for row in &unsaid {
            self.close(*row, None);
        }
        if !unsaid.is_empty() {
            self.evaluator.revisit();
        }
        Ok(())
    }

    async fn tell_what_is_open(&mut self) -> anyhow::Result<()> {
        let rows = self.ledger.rows();
        let is_held = |row: &RowId| self.renewing.holds(*row) || self.missed.contains(row);
        let open: Vec<RowId> = rows.filter(|row| !is_held(row)).collect();
        for some in open.chunks(BATCH) {
            self.tell_others(some).await?;
            self.save().await?;
        }
        Ok(())
    }

    /// Tells of open alerts those who were not told of them.
    pub(super) async fn tell_others(&mut self, rows: &[RowId]) -> anyhow::Result<()> {
        let now = self.parts.clock.now();
        let status = |row: &RowId| self.inventory.row(*row).map(|known| known.status);
        let alerts = |row: &RowId| status(row).is_some_and(Status::alerts);
        let rows: Vec<RowId> = rows.iter().copied().filter(alerts).collect();
        let events = self.rungs(&rows).await?;
        let told = self.parts.store.told(&rows).await?;
        for ((row, told), event) in rows.iter().zip(told).zip(events) {
            let Some(event) = event.filter(|event| self.quiet.hushing(event, now).is_none()) else {
                continue;
            };
            let mut channels = routed(&self.settings.config, &event);
            channels.retain(|channel| !told.contains(channel));
            let about = About::Certificate(*row);
            self.draft.post(Post::Say { event, channels, about });
        }
        Ok(())
    }
}
