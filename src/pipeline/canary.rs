//! A certificate that does not exist travels the whole way, so that somebody sees that a message would arrive.
//!
//! It is seen, known, planned, routed and committed by what does that with every certificate, but in an inventory and a ledger
//! of its own: no sum, no list, no guard and no scan ever has it, and nothing of it is in the store but the message.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Pipeline;
use super::decide::routed;
use crate::channel::{CanaryRefusal, CanaryRequest, CanaryStage, CanaryStep};
use crate::expiry::text::iso;
use crate::expiry::{
    Change, Evaluator, Event, Facts, Inventory, Kind, Ledger, Occasion, RowId, Severity, Sighting,
    Status, Timestamp, Topic, event_id, plan,
};
use crate::store::Post;

/// It ends in so many seconds,
const LEFT: i64 = 600;
/// and began so long ago.
const LIFETIME: i64 = 90 * 86_400;

/// For so long its channels have time.
const PATIENCE: Duration = Duration::from_mins(1);

/// The scope of a source of which nothing is known yet.
const WHOLE: &str = "all";

/// A canary on its way.
pub(super) struct Canary {
    steps: mpsc::UnboundedSender<CanaryStep>,
    inventory: Inventory,
    row: RowId,
    /// The id of its event, once it is decided.
    event: String,
    /// The channels that have not answered.
    waiting: BTreeSet<String>,
    until: Instant,
}

impl Canary {
    /// Returns whether nobody waits for it any more.
    fn is_left(&self) -> bool {
        self.steps.is_closed()
    }
}

/// A part of the way that could not be gone.
struct Stuck(CanaryStage, String);

impl Pipeline {
    /// Sends a canary on its way, as far as to the outbox. What its channels say of it comes by itself.
    pub(super) async fn begin_canary(&mut self, request: CanaryRequest) -> anyhow::Result<()> {
        let CanaryRequest { source, steps, answer } = request;
        if self.canary.as_ref().is_some_and(Canary::is_left) {
            self.end_canary();
        }
        let source = self.source_of_canary(source.as_deref());
        let is_heard = answer.send(source.clone()).is_ok();
        let Some(source) = source.ok().filter(|_| is_heard) else { return Ok(()) };
        let (inventory, until) = (Inventory::new(), Instant::now() + PATIENCE);
        let (row, event, waiting) = (RowId(0), String::new(), BTreeSet::new());
        self.canary = Some(Canary { steps, inventory, row, event, waiting, until });
        if let Err(Stuck(stage, why)) = self.send_canary(&source).await? {
            self.canary_step(stage, Err(why));
            self.end_canary();
        }
        Ok(())
    }

    fn source_of_canary(&self, named: Option<&str>) -> Result<String, CanaryRefusal> {
        if self.canary.is_some() {
            return Err(CanaryRefusal::UnderWay);
        }
        let sources = &self.settings.config.sources;
        let fits = |name: &str| named.is_none_or(|named| named == name);
        let found = sources.iter().map(|source| &source.name).find(|name| fits(name));
        found.cloned().ok_or_else(|| {
            CanaryRefusal::NoSuchSource(sources.iter().map(|source| source.name.clone()).collect())
        })
    }

    async fn send_canary(&mut self, source: &str) -> anyhow::Result<Result<(), Stuck>> {
        // Whether the clock can be trusted is known after that.
        self.decide().await?;
        let now = self.parts.clock.now();
        let (scope, sighting) = self.sight_canary(source, now).await?;
        if let Err(stuck) = self.know_canary((source, &scope), &sighting) {
            return Ok(Err(stuck));
        }
        let facts = Facts::of(source.to_owned(), scope, sighting, Status::Active);
        let event = match self.plan_canary(facts, now) {
            Ok(event) => event,
            Err(stuck) => return Ok(Err(stuck)),
        };
        let channels = routed(&self.settings.config, &event);
        self.parts.metrics.event(event.kind(), "asked");
        if channels.is_empty() {
            let why = "the routes lead to nobody; `notafter route explain` tells why".to_owned();
            return Ok(Err(Stuck(CanaryStage::Outbox, why)));
        }
        if let Some(canary) = &mut self.canary {
            canary.event.clone_from(&event.id);
            canary.waiting = channels.iter().cloned().collect();
        }
        self.outputs.canary.send_replace(Some(event.id.clone()));
        self.draft.decided(&event, "asked", &channels);
        let names = channels.join(", ");
        self.draft.post(Post::from((event, channels)));
        self.save().await?;
        self.settle().await?;
        self.canary_step(CanaryStage::Outbox, Ok(format!("committed, for {names}")));
        Ok(Ok(()))
    }

    /// Returns what a source would report: like the certificate of it that ends next, in all that routes may ask for.
    async fn sight_canary(
        &mut self,
        source: &str,
        now: Timestamp,
    ) -> anyhow::Result<(String, Sighting)> {
        let like = self.inventory.view().soonest(source, 1, now);
        let like = self.facts(&like).await?.into_iter().flatten().next();
        let bare =
            || Facts { scope: WHOLE.to_owned(), ..Facts::bare(Kind::Server, Status::Active) };
        let Facts { scope, kind, unit, labels, .. } = like.unwrap_or_else(bare);
        let serial = format!("canary-{}", self.parts.random.uuid(self.parts.clock.millis()));
        let not_after = now.plus(LEFT);
        let told = format!("{serial} of {source} / {scope}, expires {}", iso(not_after));
        let sighting = Sighting {
            issuer: "notafter".to_owned(),
            serial,
            common_name: "notafter-canary".to_owned(),
            not_before: Some(not_after.plus(-LIFETIME)),
            not_after: Some(not_after),
            unit,
            labels: labels.into_iter().collect(),
            ..Sighting::bare(kind, Status::Active)
        };
        self.canary_step(CanaryStage::Sighting, Ok(told));
        Ok((scope, sighting))
    }

    fn know_canary(
        &mut self,
        (source, scope): (&str, &str),
        sighting: &Sighting,
    ) -> Result<(), Stuck> {
        let Some(canary) = &mut self.canary else { return Ok(()) };
        let (scope, _) = canary.inventory.scope(source, scope);
        let applied = canary.inventory.apply(scope, sighting);
        canary.row = applied.row;
        if applied.change != Change::Added || applied.status != Status::Active {
            let why = "it was not taken up as a new certificate; please report it".to_owned();
            return Err(Stuck(CanaryStage::Inventory, why));
        }
        self.canary_step(CanaryStage::Inventory, Ok("known, and active".to_owned()));
        Ok(())
    }

    fn plan_canary(&mut self, mut facts: Facts, now: Timestamp) -> Result<Event, Stuck> {
        let stuck = |why: &str| Stuck(CanaryStage::Plan, why.to_owned());
        if !self.checks.clock_is_trusted() {
            return Err(stuck("the clock is not trusted, so nothing is evaluated"));
        }
        let Some(canary) = &mut self.canary else {
            return Err(stuck("it is not there any more"));
        };
        let ladders = self.settings.config.alerts.ladders.clone();
        let view = canary.inventory.view();
        let planned = plan(&mut Evaluator::new(ladders), &view, now, &Ledger::default());
        let Some(notice) = planned.notices.first() else {
            return Err(stuck("it crossed no rung of its ladder"));
        };
        self.settings.config.label(&mut facts);
        let topic = Topic::Canary { facts, rung: notice.verdict.rung };
        let id = event_id(&topic, Severity::Info, &Occasion::First);
        let event = Event { id, at: now, severity: Severity::Info, topic };
        if let Some(snooze) = self.quiet.hushing(&event, now) {
            return Err(stuck(&format!("snoozed until {}: {}", iso(snooze.until), snooze.reason)));
        }
        let (rung, reason) = (notice.verdict.rung.as_label(), notice.reason.as_str());
        self.canary_step(CanaryStage::Plan, Ok(format!("on rung {rung}: {reason}")));
        Ok(event)
    }

    /// A channel has said what became of a canary.
    pub(super) fn canary_told(
        &mut self,
        channel: String,
        event: &str,
        verdict: Result<String, String>,
    ) {
        let Some(canary) = self.canary.as_mut().filter(|canary| canary.event == event) else {
            return;
        };
        if !canary.waiting.remove(&channel) {
            return;
        }
        let is_last = canary.waiting.is_empty();
        self.canary_step(CanaryStage::Channel(channel), verdict);
        if is_last {
            self.end_canary();
        }
    }

    /// Ends the way of a canary that nobody waits for any more, or whose channels have had their time.
    pub(super) fn check_canary(&mut self) {
        let Some(canary) = &self.canary else { return };
        if canary.is_left() {
            return self.end_canary();
        }
        if Instant::now() < canary.until {
            return;
        }
        for channel in canary.waiting.clone() {
            let why = format!("no verdict within {} s", PATIENCE.as_secs());
            self.canary_step(CanaryStage::Channel(channel), Err(why));
        }
        self.end_canary();
    }

    /// Returns when the channels of a canary have had their time.
    pub(super) fn canary_due(&self) -> Option<Instant> {
        self.canary.as_ref().map(|canary| canary.until)
    }

    /// Forgets the canary. What of it waits is taken back by the outboxes.
    fn end_canary(&mut self) {
        if let Some(canary) = &mut self.canary {
            canary.inventory.remove(canary.row);
        }
        self.canary_step(CanaryStage::Removed, Ok("nothing of it is known any more".to_owned()));
        self.canary = None;
        self.outputs.canary.send_replace(None);
        self.outputs.outbox.send_modify(|count| *count += 1);
    }

    fn canary_step(&self, stage: CanaryStage, result: Result<String, String>) {
        let Some(canary) = &self.canary else { return };
        let at = self.parts.clock.millis();
        if canary.steps.send(CanaryStep { stage, at, result }).is_err() {
            tracing::debug!("nobody waits for the canary any more");
        }
    }
}
