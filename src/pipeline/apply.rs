//! What the events of a scan do to what is known.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Pipeline;
use super::completion::complete;
use super::poll_counts::Counts;
use super::window_key::{WindowKey, part};
use crate::expiry::{
    Applied, Change, Coverage, Ends, Facts, Missing, Outcome, PointReads, Proof, Reason, Removal,
    RowId, ScopeId, Seen, Sighting, Status, Timestamp,
};
use crate::scan::{Candidate, Report, ScanEvent};
use crate::source::{Page, Slice, Window};
use crate::store::{Audited, Kept};

impl Pipeline {
    pub(super) async fn apply(
        &mut self,
        source: &Arc<str>,
        event: ScanEvent,
    ) -> anyhow::Result<()> {
        if !self.settings.watched.iter().any(|watched| *watched.name == **source) {
            return Ok(());
        }
        match event {
            ScanEvent::Listed { scopes, unlisted } => {
                answer(source, unlisted, self.unlisted(source, &scopes).await?);
            }
            ScanEvent::ScopesAsked { absent } => self.scopes_absent(source, &absent).await?,
            ScanEvent::Planned { slices, .. } => self.register_parts(source, &slices),
            ScanEvent::Begin { slice } => {
                let scope = self.scope(source, &slice.scope);
                self.absence.begin(&part(scope, &slice));
            }
            ScanEvent::Page { slice, page, offset } => {
                self.checks.observe_offset(source, offset);
                self.apply_page(source, &slice, &page).await?;
            }
            ScanEvent::Checkpoint { scope, checkpoints } => {
                self.draft.checkpoints(source, &scope, checkpoints);
            }
            ScanEvent::Covered { slice, ends, missing } => {
                answer(source, missing, self.missing(source, &slice, ends).await?);
            }
            ScanEvent::End { report } => self.end_slice(source, &report),
            ScanEvent::Asked { slice, absent, present, unasked } => {
                let answers = PointReads { absent, present, unasked };
                self.point_reads(source, &slice, &answers).await?;
            }
            ScanEvent::MaybeReplaced { asked } => {
                answer(source, asked, self.maybe_replaced(source).await?);
            }
            ScanEvent::Bound { answers } => self.take_bound(answers),
            ScanEvent::Polled { window, started, proven, error, offset, .. } => {
                self.log_poll(source, window, (started, proven), error.clone());
                self.checks.observe_offset(source, offset);
                self.polled(source, started, error);
            }
        }
        Ok(())
    }

    /// Notes the parts of a plan that were never read: what is known of the others alone is not the whole.
    fn register_parts(&mut self, source: &Arc<str>, slices: &[Arc<Slice>]) {
        let now = self.parts.clock.now();
        for slice in slices {
            if let Some(scan) = self.sources.register(&WindowKey::of(source, slice), now) {
                self.draft.scan(scan);
            }
            if let Some(scope) = self.inventory.find_scope(source, &slice.scope) {
                self.absence.plan(&part(scope, slice));
            }
        }
    }

    async fn apply_page(
        &mut self,
        source: &Arc<str>,
        slice: &Slice,
        page: &Page,
    ) -> anyhow::Result<()> {
        let scope = self.scope(source, &slice.scope);
        let (mut added, renewed) = (0, self.draft.renewed());
        let mut rows = Vec::with_capacity(page.sightings.len());
        let known = self.inventory.recognise(scope, &page.sightings);
        let mut lacking = self.lacking(scope, page, &known).await?;
        for (place, (seen, known)) in page.sightings.seen().zip(known).enumerate() {
            let row = known.unwrap_or_else(|| {
                let knows_status = !page.unknown_status.contains(&seen.digests().listed());
                let (row, change) =
                    self.apply_sighting(scope, seen, lacking.remove(&place), knows_status);
                added += u64::from(change == Change::Added);
                row
            });
            rows.push(row);
        }
        self.count_renewed((source, &slice.scope), self.draft.renewed().saturating_sub(renewed));
        self.absence.list(&part(scope, slice), &rows);
        if let Some(places) = &page.places {
            self.absence.look(&part(scope, slice), &places.looked);
            self.apply_places(source, scope, places, &rows);
        }
        self.parts.metrics.added(source, &slice.scope, added);
        let counts = self.polls.of(source, slice.window);
        counts.new += added;
        counts.rejected += page.rejected.len() as u64;
        self.count_rejected(source, page);
        Ok(())
    }

    fn count_rejected(&self, source: &str, page: &Page) {
        for reason in Reason::ALL {
            let count = page.rejected.iter().filter(|rejected| rejected.reason == reason).count();
            self.parts.metrics.rejected(source, reason, count as u64);
        }
        for rejected in page.rejected.iter().take(3) {
            tracing::debug!(source, reason = %rejected.reason, what = %rejected.what, "a row was rejected");
        }
    }

    /// Applies a sighting that may say something new, and drafts what it changed. `known` is what is known of it where
    /// it lost something.
    fn apply_sighting(
        &mut self,
        scope: ScopeId,
        seen: Seen<'_>,
        known: Option<Kept>,
        knows_status: bool,
    ) -> (RowId, Change) {
        let applied;
        let has_end = seen.not_after().is_some() || seen.status() == Status::Pending;
        if has_end && knows_status && known.is_none() {
            applied = self.inventory.apply(scope, &seen.sighting());
            self.draft_sighting(scope, || seen.owned(), &applied);
        } else {
            let mut sighting = seen.owned();
            if let Some(known) = known {
                complete(&mut sighting, known);
            }
            let sighting = self.with_known(scope, sighting, knows_status);
            applied = self.inventory.apply(scope, &sighting);
            self.draft_sighting(scope, || sighting, &applied);
        }
        (applied.row, applied.change)
    }

    fn draft_sighting(
        &mut self,
        scope: ScopeId,
        sighting: impl FnOnce() -> Sighting,
        applied: &Applied,
    ) {
        let sighting = || Sighting { collides: applied.collides, ..sighting() };
        let changed = self.draft.sighting(scope, sighting, applied, self.parts.clock.now());
        let notified = |row: &RowId| self.ledger.contains(*row);
        let mut touched = applied.restated.iter().map(|(row, _)| row).chain([&applied.row]);
        if changed && touched.any(notified) {
            self.draft.may_end_an_alert(applied.clone());
        }
        if let Some(from) = applied.inherits
            && let Some(said) = self.ledger.get(from)
        {
            self.keep_notified(applied.row, said);
            self.draft.inherit(from, applied.row);
        }
    }

    /// Drops certificates: their series end, and of alerts that are still open nothing is said.
    pub(super) fn forget(&mut self, rows: &[RowId]) {
        if rows.is_empty() {
            return;
        }
        let mut statuses = Vec::new();
        for row in rows {
            self.close(*row, None);
            self.forget_bound(*row);
            statuses.extend(self.inventory.remove(*row));
        }
        self.absence.forget(rows);
        self.draft.remove(rows, statuses);
    }

    /// Some ends of a slice were read whole: names what is missing from them, unless that is too much to be believed.
    async fn missing(
        &mut self,
        source: &Arc<str>,
        slice: &Slice,
        ends: Ends,
    ) -> anyhow::Result<Vec<Candidate>> {
        let scope = self.scope(source, &slice.scope);
        let Missing { mut rows, removal, unlisted } =
            self.absence.missing(&part(scope, slice), ends, &self.inventory);
        if removal == Removal::Frozen && !self.may_be_unlisted(source, slice, rows.len()) {
            rows.clear();
        }
        rows.extend(unlisted);
        self.lookup_serials(rows).await
    }

    /// Looks up the serials of missing certificates. What is not in the store yet is asked for next time.
    pub(super) async fn lookup_serials(
        &mut self,
        rows: Vec<RowId>,
    ) -> anyhow::Result<Vec<Candidate>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        self.save().await?;
        self.settle().await?;
        let facts = self.parts.store.facts(&rows).await?;
        let named = rows.into_iter().zip(facts);
        Ok(named
            .filter_map(|(row, facts)| {
                let Facts { issuer, serial, .. } = facts?;
                Some(Candidate { row, issuer, serial })
            })
            .collect())
    }

    /// The provider was asked for what is missing: drops what is gone.
    async fn point_reads(
        &mut self,
        source: &Arc<str>,
        slice: &Slice,
        answers: &PointReads,
    ) -> anyhow::Result<()> {
        let scope = self.scope(source, &slice.scope);
        let gone = self.absence.point_reads(&part(scope, slice), answers, &self.inventory);
        self.parts.metrics.gone(source, &slice.scope, gone.len() as u64);
        self.polls.of(source, slice.window).gone += gone.len() as u64;
        self.close_gone(&gone).await?;
        self.forget(&gone);
        self.hold_missed(&answers.absent);
        if std::mem::take(&mut self.holds_back) {
            self.evaluator.revisit();
        }
        Ok(())
    }

    fn end_slice(&mut self, source: &Arc<str>, report: &Report) {
        let (slice, key) = (&report.slice, WindowKey::of(source, &report.slice));
        let scope = self.scope(source, &slice.scope);
        self.see_renewals(&part(scope, slice));
        let report = &self.judged(&part(scope, slice), report);
        let outcome = self.absence.end(&part(scope, slice), proof(report), &self.inventory);
        self.sources.note_problem(source, report.problem());
        let missing = outcome.map_or(0, |outcome| outcome.missing);
        let counts = self.polls.of(source, slice.window);
        counts.rows += report.reading.distinct;
        counts.missing += missing;
        self.draft.scan(self.sources.record(&key, report, missing));
        self.raise_contradiction(source, &slice.scope, scope);
        if self.absence.release() {
            // What was held back is there after all, or gone.
            self.evaluator.revisit();
        }
        match outcome {
            Some(Outcome { known, missing, removal: Removal::Frozen }) => {
                self.update_scope_alarm(scope, &key, true);
                self.raise_scope_alarm(source, &slice.scope, known, missing);
            }
            Some(_) => self.update_scope_alarm(scope, &key, false),
            None if is_sound_skim(report) => self.update_scope_alarm(scope, &key, false),
            None => {}
        }
    }

    /// Says in one line what a poll did, and writes it down.
    fn log_poll(
        &mut self,
        source: &Arc<str>,
        window: Window,
        (started, proven): (Timestamp, bool),
        error: Option<String>,
    ) {
        let Counts { rows, new, gone, missing, rejected } = self.polls.take(source, window);
        let seconds = self.parts.clock.now().since(started);
        let window = window.as_str();
        tracing::info!(
            %source, window, rows, new, gone, missing, rejected, proven, seconds,
            "the poll ended"
        );
        let (source, window) = (source.to_string(), window.to_owned());
        self.happened(Audited::Scan {
            source,
            window,
            proven,
            rows,
            new,
            gone,
            missing,
            rejected,
            seconds,
            error,
        });
    }

    fn polled(&mut self, source: &str, started: Timestamp, error: Option<String>) {
        self.sources.polled(source, started, error);
        self.publish_sources();
    }
}

/// Answers a scan that asked.
fn answer<T>(source: &str, asked: oneshot::Sender<T>, answer: T) {
    if asked.send(answer).is_err() {
        tracing::debug!(%source, "the scan stopped before it was answered");
    }
}

/// Returns what a report proves about absence.
fn proof(report: &Report) -> Proof {
    if report.shows_absence() { Proof::Complete } else { Proof::Incomplete }
}

/// Returns whether a report is of a near window in which nothing can be missing, because not all of it is asked for: it
/// must not keep the alarm of its scope up. The rest of a full scan that was broken off says nothing either way.
fn is_sound_skim(report: &Report) -> bool {
    let skimmed = report.slice.coverage == Coverage::Skimmed;
    skimmed && report.slice.window != Window::All && report.proven()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Reading;

    #[test]
    fn only_a_proven_scan_that_understood_every_row_is_complete() {
        let at = Timestamp::from_seconds(0);
        let slice = Arc::new(Slice::whole(&"mqtt-1".into(), Window::All, 100, 10));
        let reading = Reading { finished: true, ..Reading::default() };
        let whole = Report { slice, started: at, ended: at, reading, error: None };
        assert_eq!(proof(&whole), Proof::Complete);
        let spoils: [fn(&mut Report); 6] = [
            |report| report.error = Some("broke off".into()),
            |report| report.reading.finished = false,
            |report| report.reading.gap_detected = true,
            |report| report.reading.last_total = 1,
            |report| report.reading.unreadable = 1,
            |report| report.reading.unknown = 1,
        ];
        for spoil in spoils {
            let mut report = whole.clone();
            spoil(&mut report);
            assert_eq!(proof(&report), Proof::Incomplete, "{report:?}");
        }
    }
}
