//! The commit being written: what the next transaction will hold.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::audit::Decisions;
use crate::expiry::{
    Applied, Change, Event, Facts, Month, News, Notified, RowId, ScopeId, Sighting, Snooze, Status,
    Timestamp,
};
use crate::source::Checkpoint;
use crate::store::{self, AuditEntry, Commit, Post, RowWrite, ScanRecord};

/// Rows in one transaction while a scan floods in.
pub(super) const BATCH: usize = 8192;

/// Source and scope by number.
pub(super) type ScopeNames = BTreeMap<ScopeId, (Arc<str>, Arc<str>)>;

/// Changes that are not handed to the store yet.
#[derive(Default)]
pub(super) struct Draft {
    commit: Commit,
    /// Whether something changed that readers do not see yet.
    changed: bool,
    ended: AlertChanges,
    decisions: Decisions,
    /// What is new, for the digest.
    news: News,
}

/// Changes since the last decision that may end an open alert.
#[derive(Default)]
pub(super) struct AlertChanges {
    /// What sightings did.
    pub(super) applied: Vec<Applied>,
    /// Certificates whose status changed because others were removed.
    pub(super) statuses: Vec<(RowId, Status)>,
}

impl Draft {
    pub(super) fn is_full(&self) -> bool {
        self.commit.rows.len() + self.commit.checkpoints.len() >= BATCH
    }

    pub(super) fn is_empty(&self) -> bool {
        let commit = &self.commit;
        commit.scopes.is_empty()
            && commit.rows.is_empty()
            && commit.statuses.is_empty()
            && commit.removed.is_empty()
            && commit.ledger.is_empty()
            && commit.inherited.is_empty()
            && commit.conditions.is_empty()
            && commit.outbox.is_empty()
            && commit.scans.is_empty()
            && commit.unlisted.is_empty()
            && commit.checkpoints.is_empty()
            && commit.renewals.is_empty()
            && commit.snoozes.is_empty()
    }

    /// Returns what was drafted, and whether readers see something new once it is saved. The draft is empty then.
    pub(super) fn take(&mut self) -> (Commit, bool) {
        self.commit.audit.extend(self.decisions.take());
        (std::mem::take(&mut self.commit), std::mem::take(&mut self.changed))
    }

    /// Returns the changes since the last call that may end an open alert.
    pub(super) fn take_alert_changes(&mut self) -> AlertChanges {
        std::mem::take(&mut self.ended)
    }

    /// A scope has a number from now on.
    pub(super) fn scope(&mut self, id: ScopeId, source: &Arc<str>, scope: &Arc<str>) {
        self.commit.scopes.push((id, Arc::clone(source), Arc::clone(scope)));
    }

    /// Takes what a sighting did. Answers whether that changed anything: the certificate that it is of, or the status of
    /// others.
    pub(super) fn sighting(
        &mut self,
        scope: ScopeId,
        sighting: impl FnOnce() -> Sighting,
        applied: &Applied,
        first_seen: Timestamp,
    ) -> bool {
        if applied.change == Change::Unchanged && applied.restated.is_empty() {
            return false;
        }
        self.changed = true;
        self.note_renewed(&applied.restated);
        self.commit.statuses.extend(applied.restated.iter().copied());
        if applied.change == Change::Unchanged {
            return true;
        }
        let is_renewed = matches!(applied.change, Change::Changed { renewed_from: Some(_) });
        self.news.renewed += u64::from(is_renewed);
        let sighting = sighting();
        let is_added = applied.change == Change::Added && sighting.not_after.is_none();
        self.news.undated += u64::from(is_added);
        let (row, status) = (applied.row, applied.status);
        if applied.end_moved {
            self.commit.former_ends.push((row, first_seen));
        }
        if !self.commit.statuses.is_empty() {
            // Statuses are written after rows: one that was drafted before must not outlast this.
            self.commit.statuses.push((row, status));
        }
        self.commit.rows.push(RowWrite { row, scope, sighting, status, first_seen });
        true
    }

    /// A sighting may have ended an open alert.
    pub(super) fn may_end_an_alert(&mut self, applied: Applied) {
        self.ended.applied.push(applied);
    }

    /// Certificates are removed, and the status of others follows from that.
    ///
    /// A number that is free may be given away in this very draft: what was drafted for its old owner goes first.
    pub(super) fn remove(&mut self, rows: &[RowId], statuses: Vec<(RowId, Status)>) {
        self.changed = true;
        let gone: HashSet<RowId> = rows.iter().copied().collect();
        let stays = |row: &RowId| !gone.contains(row);
        let commit = &mut self.commit;
        commit.statuses.extend(statuses.iter().copied());
        commit.rows.retain(|write| stays(&write.row));
        commit.statuses.retain(|(row, _)| stays(row));
        commit.ledger.retain(|(row, _)| stays(row));
        commit.former_ends.retain(|(row, _)| stays(row));
        commit.inherited.retain(|(_, row)| stays(row));
        commit.removed.extend(rows);
        self.ended.statuses.extend(statuses);
        self.ended.applied.retain(|applied| stays(&applied.row));
        self.ended.statuses.retain(|(row, _)| stays(row));
    }

    /// The status of certificates follows from something else than a sighting.
    pub(super) fn restated(&mut self, statuses: Vec<(RowId, Status)>) {
        self.changed |= !statuses.is_empty();
        self.note_renewed(&statuses);
        self.commit.statuses.extend(statuses.iter().copied());
        self.ended.statuses.extend(statuses);
    }

    fn note_renewed(&mut self, statuses: &[(RowId, Status)]) {
        let renewed = statuses.iter().filter(|(_, status)| *status == Status::Superseded);
        self.news.renewed += renewed.count() as u64;
    }

    /// A certificate is there no more: something took its place, or nothing.
    pub(super) fn note_gone(&mut self, is_replaced: bool) {
        let count = if is_replaced { &mut self.news.renewed } else { &mut self.news.gone };
        *count += 1;
    }

    /// Returns what is new since the last call.
    pub(super) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Something happened. It waits for a transaction that there is anyway.
    pub(super) fn happened(&mut self, entry: AuditEntry) {
        self.commit.audit.push(entry);
    }

    /// Something is to be said for the first time.
    pub(super) fn decided(&mut self, event: &Event, reason: &'static str, channels: &[String]) {
        self.decisions.add(event, reason, channels);
    }

    /// Returns whether something happened, and nothing else is to be written.
    pub(super) fn has_only_audit(&self) -> bool {
        !self.commit.audit.is_empty() && self.is_empty()
    }

    /// Something was notified of a certificate; `None` forgets.
    pub(super) fn ledger(&mut self, row: RowId, notified: Option<Notified>) {
        self.commit.ledger.push((row, notified));
    }

    /// A condition began or ended.
    pub(super) fn condition(&mut self, key: String, raised: Option<Timestamp>) {
        self.commit.conditions.push((key, raised));
    }

    /// What was said of one certificate was said of another one as well.
    pub(super) fn inherit(&mut self, from: RowId, to: RowId) {
        self.commit.inherited.push((from, to));
    }

    /// Something is said, or is true no more.
    pub(super) fn post(&mut self, post: Post) {
        let is_nothing = matches!(&post, Post::Say { channels, .. } if channels.is_empty());
        if !is_nothing {
            self.commit.outbox.push(post);
        }
    }

    /// Returns how many were renewed since what is new was last taken.
    pub(super) const fn renewed(&self) -> u64 {
        self.news.renewed
    }

    /// So many certificates of a source were renewed in a month; 0: it was watched.
    pub(super) fn renewals(&mut self, source: &str, month: Month, count: u64) {
        self.commit.renewals.push((source.to_owned(), month, count));
    }

    /// A snooze began or ended.
    pub(super) fn snooze(&mut self, snooze: Snooze) {
        self.commit.snoozes.push(snooze);
    }

    /// A scan ended, or is planned for the first time.
    pub(super) fn scan(&mut self, scan: ScanRecord) {
        self.commit.scans.push(scan);
    }

    /// A scan wants to find this again, after the rows that came before it.
    pub(super) fn checkpoints(&mut self, source: &str, scope: &str, checkpoints: Vec<Checkpoint>) {
        let checkpoint = |(key, value)| {
            let (source, scope) = (source.to_owned(), scope.to_owned());
            store::Checkpoint { source, scope, key, value }
        };
        self.commit.checkpoints.extend(checkpoints.into_iter().map(checkpoint));
    }

    /// A scope is not listed any more: its scans and checkpoints are forgotten.
    pub(super) fn forget_scope(&mut self, source: &str, scope: &str) {
        let commit = &mut self.commit;
        commit.scans.retain(|scan| scan.source != source || scan.scope != scope);
        // Checkpoints are written after scopes are forgotten: one that was drafted before must not outlast this.
        commit.checkpoints.retain(|one| one.source != source || one.scope != scope);
        commit.unlisted.push((source.to_owned(), scope.to_owned()));
    }

    /// Brings what the store knows of certificates up to what is drafted, so that what is notified of a change can be
    /// saved together with it.
    pub(super) fn amend(&self, rows: &[RowId], known: &mut [Option<Facts>], names: &ScopeNames) {
        let wanted: HashSet<RowId> = rows.iter().copied().collect();
        let drafted = self.commit.rows.iter().filter(|write| wanted.contains(&write.row));
        let drafted: HashMap<RowId, &RowWrite> = drafted.map(|write| (write.row, write)).collect();
        let statuses = self.commit.statuses.iter().filter(|(row, _)| wanted.contains(row));
        let statuses: HashMap<RowId, Status> = statuses.copied().collect();
        for (row, known) in rows.iter().zip(known) {
            if let Some(write) = drafted.get(row) {
                *known = facts(write, names);
            }
            if let (Some(known), Some(status)) = (known, statuses.get(row)) {
                known.status = *status;
            }
        }
    }
}

fn facts(write: &RowWrite, names: &ScopeNames) -> Option<Facts> {
    let (source, scope) = names.get(&write.scope)?;
    Some(Facts::of(source.to_string(), scope.to_string(), write.sighting.clone(), write.status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::{Kind, Severity, Topic};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const SCOPE: ScopeId = ScopeId(1);

    fn sighting(serial: &str) -> Sighting {
        Sighting {
            issuer: "ca".into(),
            serial: serial.into(),
            not_after: Some(NOW),
            ..Sighting::bare(Kind::Device, Status::Active)
        }
    }

    fn applied(row: u32, change: Change, restated: &[(u32, Status)]) -> Applied {
        Applied {
            row: RowId(row),
            status: Status::Active,
            change,
            restated: restated.iter().map(|(row, status)| (RowId(*row), *status)).collect(),
            end_moved: false,
            collides: false,
            inherits: None,
        }
    }

    fn draft(changes: &[Applied]) -> Draft {
        let mut draft = Draft::default();
        for applied in changes {
            let serial = applied.row.0.to_string();
            let expected = applied.change != Change::Unchanged;
            assert_eq!(draft.sighting(SCOPE, || sighting(&serial), applied, NOW), expected);
        }
        draft
    }

    #[test]
    fn a_sighting_that_changes_nothing_drafts_nothing() {
        let mut draft = draft(&[applied(1, Change::Unchanged, &[])]);
        assert!(draft.is_empty());
        assert!(!draft.take().1);
    }

    #[test]
    fn a_row_that_is_written_after_its_status_keeps_its_own() {
        let superseded = [(7, Status::Superseded)];
        let changes = [
            applied(1, Change::Added, &superseded),
            applied(7, Change::Changed { renewed_from: None }, &[]),
        ];
        let (commit, is_news) = draft(&changes).take();
        assert!(is_news);
        let statuses: Vec<_> =
            commit.statuses.iter().map(|(row, status)| (row.0, *status)).collect();
        // The store applies them in this order.
        assert_eq!(statuses.last(), Some(&(7, Status::Active)));
    }

    #[test]
    fn what_is_removed_leaves_nothing_of_itself_in_the_draft() {
        let mut draft = draft(&[applied(1, Change::Added, &[]), applied(2, Change::Added, &[])]);
        draft.may_end_an_alert(applied(1, Change::Added, &[]));
        draft.ledger(RowId(1), None);
        draft.remove(&[RowId(1)], vec![(RowId(1), Status::Active), (RowId(2), Status::Active)]);
        let changes = draft.take_alert_changes();
        assert_eq!((changes.applied, changes.statuses), (vec![], vec![(RowId(2), Status::Active)]));
        // The number is given away again, in the same draft.
        assert!(draft.sighting(SCOPE, || sighting("new"), &applied(1, Change::Added, &[]), NOW));
        let (commit, _) = draft.take();
        let rows: Vec<_> = commit.rows.iter().map(|write| write.sighting.serial.as_str()).collect();
        assert_eq!((rows, commit.removed), (vec!["2", "new"], vec![RowId(1)]));
        assert_eq!(commit.ledger, []);
        let statuses: Vec<u32> = commit.statuses.iter().map(|(row, _)| row.0).collect();
        assert_eq!(statuses, [2, 1]);
    }

    #[test]
    fn a_scope_that_is_forgotten_leaves_nothing_of_itself_in_the_draft() {
        let mut draft = Draft::default();
        let checkpoint = |key: &str| vec![(key.to_owned(), None)];
        draft.checkpoints("iot", "a", checkpoint("k"));
        draft.checkpoints("iot", "b", checkpoint("l"));
        draft.checkpoints("else", "a", checkpoint("m"));
        draft.forget_scope("iot", "a");
        draft.checkpoints("iot", "a", checkpoint("n"));
        let (commit, changed) = draft.take();
        let keys: Vec<_> = commit.checkpoints.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["l", "m", "n"]);
        assert_eq!(commit.unlisted, [("iot".to_owned(), "a".to_owned())]);
        assert!(!changed, "readers see certificates, not scans");
    }

    #[test]
    fn an_event_that_goes_nowhere_is_not_drafted() {
        let mut draft = Draft::default();
        let (severity, topic) = (Severity::Info, Topic::Test);
        let event = Event { id: "e".to_owned(), at: NOW, severity, topic };
        draft.post((event.clone(), Vec::new()).into());
        assert!(draft.is_empty());
        draft.post((event, vec!["ops".to_owned()]).into());
        assert!(!draft.is_empty());
    }
}
