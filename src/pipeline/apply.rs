//! What the events of a scan do to the inventory.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Pipeline, Watched};
use crate::expiry::{
    Applied, Change, Condition, Coverage, Ends, Outcome, Part, PointReads, Proof, Reason, Removal,
    RowId, ScopeId, Seen, Sighting, Status, Topic, WindowName,
};
use crate::scan::{Candidate, Report, ScanEvent, ScanStatus};
use crate::source::{Checkpoint, Page, Slice, Window};
use crate::store::{Note, RowWrite, ScanRecord};

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
                tell(source, unlisted, self.unlisted(source, &scopes).await?);
            }
            ScanEvent::ScopesAsked { absent } => self.scopes_absent(source, &absent),
            ScanEvent::Planned { window, slices } => self.register_parts(source, window, &slices),
            ScanEvent::Begin { slice } => {
                let scope = self.scope(source, &slice.scope);
                self.absence.begin(&part(scope, &slice));
            }
            ScanEvent::Page { slice, page } => self.apply_page(source, &slice, &page),
            ScanEvent::Checkpoint { scope, notes } => self.keep_notes(source, &scope, notes),
            ScanEvent::Covered { slice, ends, missing } => {
                tell(source, missing, self.covered(source, &slice, ends).await?);
            }
            ScanEvent::End { report } => self.end_slice(source, &report),
            ScanEvent::Asked { slice, absent, present, unasked } => {
                let scope = self.scope(source, &slice.scope);
                let answers = PointReads { absent, present, unasked };
                let gone = self.absence.point_reads(&part(scope, &slice), &answers);
                self.parts.metrics.gone(source, &slice.scope, gone.len() as u64);
                self.forget(&gone);
            }
            ScanEvent::Polled { window, started, proven, error, offset, .. } => {
                self.offsets.extend(offset.map(|offset| (source.to_string(), offset)));
                let problem = self.listing.take_problem(source);
                if let Some(status) = self.statuses.get_mut(&**source) {
                    status.up = Some(error.is_none());
                    status.last_attempt = Some(started);
                    status.last_error = error.or(problem);
                }
                tracing::debug!(%source, window = window.as_str(), proven, "poll ended");
                self.publish_sources();
            }
        }
        Ok(())
    }

    /// Notes the parts of a plan that were never read: what is known of the others alone is not the whole.
    fn register_parts(&mut self, source: &Arc<str>, window: Window, slices: &[Arc<Slice>]) {
        let now = self.parts.clock.now();
        for slice in slices {
            let scan = ScanRecord {
                source: source.to_string(),
                scope: slice.scope.to_string(),
                window: part_name(window, slice),
                started: now,
                ended: now,
                proven: false,
                reported: 0,
                collected: 0,
                last_proven: None,
                error: Some("not read yet".to_owned()),
            };
            let key = (scan.source.clone(), scan.scope.clone(), scan.window.clone());
            if !self.scans.contains_key(&key) {
                self.draft.scans.push(scan.clone());
                self.remember(scan);
            }
            if let Some(scope) = self.inventory.find_scope(source, &slice.scope) {
                self.absence.plan(&part(scope, slice));
            }
        }
        self.tell_scopes();
    }

    /// Returns the number of a scope, giving it one when it is new.
    fn scope(&mut self, source: &Arc<str>, scope: &Arc<str>) -> ScopeId {
        let (id, new) = self.inventory.scope(source, scope);
        if new {
            self.draft.scopes.push((id, Arc::clone(source), Arc::clone(scope)));
        }
        id
    }

    fn apply_page(&mut self, source: &Arc<str>, slice: &Slice, page: &Page) {
        let scope = self.scope(source, &slice.scope);
        let mut added = 0;
        let mut rows = Vec::with_capacity(page.sightings.len());
        let known = self.inventory.recognise(scope, &page.sightings);
        for (seen, known) in page.sightings.seen().zip(known) {
            let row = known.unwrap_or_else(|| {
                let applied = self.apply_sighting(scope, seen);
                added += u64::from(applied.1 == Change::Added);
                applied.0
            });
            rows.push(row);
        }
        self.absence.list(&part(scope, slice), &rows);
        self.parts.metrics.added(source, &slice.scope, added);
        for reason in Reason::ALL {
            let count = page.rejected.iter().filter(|rejected| rejected.reason == reason).count();
            self.parts.metrics.rejected(source, reason, count as u64);
        }
        for rejected in page.rejected.iter().take(3) {
            tracing::debug!(%source, reason = %rejected.reason, what = %rejected.what, "a row was rejected");
        }
    }

    /// Drafts what a scan wants to find again, after the rows that came before it.
    fn keep_notes(&mut self, source: &str, scope: &str, notes: Vec<Checkpoint>) {
        let (source, scope) = (source.to_owned(), scope.to_owned());
        self.draft.notes.extend(notes.into_iter().map(|(key, value)| Note {
            source: source.clone(),
            scope: scope.clone(),
            key,
            value,
        }));
    }

    /// Applies a sighting that may say something new, and drafts what it changed.
    fn apply_sighting(&mut self, scope: ScopeId, seen: Seen<'_>) -> (RowId, Change) {
        let applied;
        if seen.not_after().is_none() && seen.status() != Status::Pending {
            let sighting = self.with_known_end(scope, seen.owned());
            applied = self.inventory.apply(scope, &sighting);
            self.note(scope, || sighting, &applied);
        } else {
            applied = self.inventory.apply(scope, &seen.sighting());
            self.note(scope, || seen.owned(), &applied);
        }
        (applied.row, applied.change)
    }

    /// A certificate never loses its end: an answer without one says nothing new, and must not silence an alert. Only
    /// an order that waits to be issued, again perhaps, truly has none.
    fn with_known_end(&self, scope: ScopeId, sighting: Sighting) -> Sighting {
        let known = self.inventory.find(scope, &sighting.issuer, &sighting.serial);
        let Some(known) = known.and_then(|row| self.inventory.row(row)) else { return sighting };
        let not_before = sighting.not_before.or(known.not_before);
        Sighting { not_after: known.not_after, not_before, ..sighting }
    }

    /// Drafts what a sighting changed.
    fn note(&mut self, scope: ScopeId, sighting: impl FnOnce() -> Sighting, applied: &Applied) {
        if applied.change == Change::Unchanged && applied.restated.is_empty() {
            return;
        }
        self.changed = true;
        self.draft.statuses.extend(applied.restated.iter().copied());
        if applied.change != Change::Unchanged {
            if !self.draft.statuses.is_empty() {
                // Statuses are written after rows: one that was drafted before must not outlast this.
                self.draft.statuses.push((applied.row, applied.status));
            }
            self.draft.rows.push(RowWrite {
                row: applied.row,
                scope,
                sighting: sighting(),
                status: applied.status,
                first_seen: self.parts.clock.now(),
            });
        }
        if self.may_end_an_alert(applied) {
            self.applied.push(applied.clone());
        }
    }

    fn may_end_an_alert(&self, applied: &Applied) -> bool {
        let said = |row: &RowId| self.ledger.contains(*row);
        said(&applied.row) || applied.restated.iter().any(|(row, _)| said(row))
    }

    /// Drops certificates without a word: their series end, their open alerts close as gone.
    pub(super) fn forget(&mut self, rows: &[RowId]) {
        if rows.is_empty() {
            return;
        }
        self.changed = true;
        for row in rows {
            self.ledger.remove(*row);
            let restated = self.inventory.remove(*row);
            self.draft.statuses.extend(restated.iter().copied());
            self.restated.extend(restated);
        }
        // A number that is free may be given away in this very draft: what was drafted for its old owner goes first.
        self.absence.forget(rows);
        let gone: HashSet<RowId> = rows.iter().copied().collect();
        self.draft.rows.retain(|write| !gone.contains(&write.row));
        self.draft.statuses.retain(|(row, _)| !gone.contains(row));
        self.draft.ledger.retain(|(row, _)| !gone.contains(row));
        self.draft.removed.extend(rows);
        self.applied.retain(|applied| !gone.contains(&applied.row));
        self.restated.retain(|(row, _)| !gone.contains(row));
    }

    /// A part of a slice was read whole: names what is missing from it, unless that is too much to be believed.
    async fn covered(
        &mut self,
        source: &Arc<str>,
        slice: &Slice,
        ends: Ends,
    ) -> anyhow::Result<Vec<Candidate>> {
        let scope = self.scope(source, &slice.scope);
        let missing = self.absence.missing(&part(scope, slice), ends, &self.inventory);
        if missing.removal == Removal::Frozen {
            return Ok(Vec::new());
        }
        self.lookup_serials(missing.rows).await
    }

    fn end_slice(&mut self, source: &Arc<str>, report: &Report) {
        let scope = self.scope(source, &report.slice.scope);
        let part = part(scope, &report.slice);
        let outcome = self.absence.end(&part, proof(report), &self.inventory);
        self.listing.note(source, report.problem());
        self.record(source, report, outcome.map_or(0, |outcome| outcome.missing));
        let Some(Outcome { known, missing, removal }) = outcome else {
            if is_sound_skim(report) {
                self.update_scope_alarm(scope, report, key_of(source, report), false);
            }
            return;
        };
        let frozen = removal == Removal::Frozen;
        self.update_scope_alarm(scope, report, key_of(source, report), frozen);
        if frozen {
            let (source, scope) = (source.to_string(), report.slice.scope.to_string());
            let condition = Condition::Scope(source.clone(), scope.clone());
            self.raise(condition, Topic::InventoryShrunk { source, scope, known, missing });
        }
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
            .filter_map(|(row, facts)| Some(Candidate { row, serial: facts?.serial }))
            .collect())
    }

    /// Keeps how the scan of a slice went, for metrics, the page and the next start.
    fn record(&mut self, source: &Arc<str>, report: &Report, missing: u64) {
        let key = key_of(source, report);
        let before = self.scans.get(&key);
        // A failed poll changes nothing but that it failed: the counts stay those of the last answer.
        let (reported, collected) = match (&report.error, before) {
            (Some(_), Some(before)) => (before.reported, before.collected),
            (Some(_), None) => (0, 0),
            (None, _) => (report.reading.last_total, report.reading.distinct),
        };
        let last_proven = if report.proven() {
            Some(report.ended)
        } else {
            before.and_then(|scan| scan.last_proven)
        };
        let scan = ScanRecord {
            source: key.0,
            scope: key.1,
            window: key.2,
            started: report.started,
            ended: report.ended,
            proven: report.proven(),
            reported,
            collected,
            last_proven,
            error: report.error.clone(),
        };
        let gap = scan.reported.saturating_sub(scan.collected).max(report.reading.unreadable);
        let key = (scan.source.clone(), scan.scope.clone(), scan.window.clone());
        if scan.error.is_none() {
            self.missing.insert(key, gap.max(missing));
        }
        self.draft.scans.push(scan.clone());
        self.remember(scan);
        self.tell_scopes();
    }

    /// Takes a scan record into what is known of sources.
    pub(super) fn remember(&mut self, scan: ScanRecord) {
        let key = (scan.source.clone(), scan.scope.clone(), scan.window.clone());
        self.scans.insert(key, scan);
    }

    /// Rebuilds the scopes of every source from the scan records: the kinds of certificate of one scope and window
    /// are one line, proven when all are.
    pub(super) fn tell_scopes(&mut self) {
        for status in self.statuses.values_mut() {
            status.scans.clear();
        }
        for (key, scan) in &self.scans {
            let Some(status) = self.statuses.get_mut(&scan.source) else { continue };
            let missing = self.missing.get(key).copied();
            add_line(&mut status.scans, scan, missing);
        }
        for status in self.statuses.values() {
            for line in &status.scans {
                self.tell_line(&status.name, line);
            }
        }
    }

    fn tell_line(&self, source: &str, line: &ScanStatus) {
        let metrics = &self.parts.metrics;
        if let (Some(reported), Some(collected)) = (line.reported, line.collected) {
            metrics.reported(source, &line.scope, &line.window, reported);
            metrics.collected(source, &line.scope, &line.window, collected);
        }
        if let Some(missing) = line.missing {
            metrics.missing(source, &line.scope, &line.window, missing);
        }
        if let Some(at) = line.last_proven {
            metrics.proven(source, &line.scope, &line.window, at);
        }
    }

    /// Returns when the window of a source was last proven in every scope.
    pub(super) fn last_proven(
        &self,
        source: &Watched,
        window: &str,
    ) -> Option<crate::expiry::Timestamp> {
        let status = self.statuses.get(&source.name)?;
        let mut lines = status.scans.iter().filter(|line| line.window == window).peekable();
        lines.peek()?;
        lines.map(|line| line.last_proven).min().flatten()
    }
}

/// Answers a scan that asked.
fn tell<T>(source: &str, asked: oneshot::Sender<T>, answer: T) {
    if asked.send(answer).is_err() {
        tracing::debug!(%source, "the scan stopped before it was answered");
    }
}

fn add_line(lines: &mut Vec<ScanStatus>, scan: &ScanRecord, missing: Option<u64>) {
    let window = window_of(&scan.window);
    // Unknown is never zero.
    let known = |count| (!never_answered(scan)).then_some(count);
    match lines.iter_mut().find(|line| line.scope == scan.scope && line.window == window) {
        Some(line) => {
            line.last_proven = line.last_proven.min(scan.last_proven);
            line.reported = line.reported.zip(known(scan.reported)).map(|(one, other)| one + other);
            line.collected =
                line.collected.zip(known(scan.collected)).map(|(one, other)| one + other);
            line.missing = line.missing.zip(missing).map(|(one, other)| one + other);
        }
        None => lines.push(ScanStatus {
            scope: scan.scope.clone(),
            window: window.to_owned(),
            last_proven: scan.last_proven,
            reported: known(scan.reported),
            collected: known(scan.collected),
            missing,
        }),
    }
}

/// Returns whether a report is of a near window in which nothing can be missing, because not all of it is asked for: it
/// must not keep the alarm of its scope up. The rest of a full scan that was broken off says nothing either way.
fn is_sound_skim(report: &Report) -> bool {
    let skimmed = report.slice.coverage == Coverage::Skimmed;
    skimmed && report.slice.window != Window::All && report.proven()
}

/// Returns the part of a scope that a slice is, in the words of the core.
fn part(scope: ScopeId, slice: &Slice) -> Part {
    let window = match slice.window {
        Window::Near { .. } => WindowName::Near,
        Window::All => WindowName::All,
    };
    Part { scope, kind: slice.kind, span: slice.within, window, coverage: slice.coverage }
}

/// Returns what a report proves about absence: a row that was not understood could be any certificate.
fn proof(report: &Report) -> Proof {
    let complete = report.proven() && report.reading.unreadable == 0;
    if complete { Proof::Complete } else { Proof::Incomplete }
}

/// Names the record of a scan: its source, its scope, and the part of it.
fn key_of(source: &str, report: &Report) -> (String, String, String) {
    (
        source.to_owned(),
        report.slice.scope.to_string(),
        part_name(report.slice.window, &report.slice),
    )
}

/// Returns whether the provider never answered for this part.
pub(super) fn never_answered(scan: &ScanRecord) -> bool {
    scan.error.is_some() && (scan.reported, scan.collected) == (0, 0)
}

/// Names the window of a record; a slice of one kind of certificate has a record of its own.
fn part_name(window: Window, slice: &Slice) -> String {
    match slice.kind {
        Some(kind) => format!("{}/{kind}", window.as_str()),
        None => window.as_str().to_owned(),
    }
}

fn window_of(part: &str) -> &str {
    part.split('/').next().unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::Timestamp;
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
