//! What the pipeline wrote. 6: nothing is decided while the clock is suspect. 12: what is proven was read.

use std::collections::{BTreeMap, BTreeSet};

use notafter::facade::expiry::{Event, RowId, ScopeId, Topic};
use notafter::facade::store::{Commit, Post, ScanRecord};
use tokio::time::Instant;

use super::Judge;
use super::times::{COUNTS, EVEN, TRUSTED};

/// A right time that was shown is taken in by then, and what was decided before is written.
const TAKEN_IN: i64 = 180;

#[derive(Default)]
pub(super) struct Written {
    /// The certificate of each number.
    pub(super) rows: BTreeMap<RowId, usize>,
    sources: BTreeMap<ScopeId, String>,
    /// Events that were decided by a clock that nobody could know to be wrong.
    pub(super) excused: BTreeSet<String>,
    /// When certificates were last written.
    pub(super) last: Option<Instant>,
}

impl Judge {
    /// A step is durable.
    pub(crate) fn committed(&mut self, commit: &Commit) {
        for (id, source, _) in &commit.scopes {
            self.written.sources.insert(*id, source.to_string());
        }
        self.removed(&commit.removed);
        if !(commit.rows.is_empty() && commit.removed.is_empty() && commit.statuses.is_empty()) {
            self.written.last = Some(Instant::now());
        }
        for row in &commit.rows {
            let source = self.written.sources.get(&row.scope).cloned().unwrap_or_default();
            match self.find(&source, &row.sighting.serial) {
                Some(place) => drop(self.written.rows.insert(row.row, place)),
                None => self.violates(9, format!("nobody showed {row:?}")),
            }
        }
        for scan in commit.scans.iter().filter(|scan| scan.proven) {
            self.judge_proof(scan);
        }
        self.granted(&commit.snoozes);
        for post in &commit.outbox {
            if let Post::Say { event, .. } | Post::Rung { event, .. } = post {
                self.judge_quiet(event);
                self.judge_digest(event);
            }
        }
        let rungs: Vec<&Event> = commit.outbox.iter().filter_map(rung).collect();
        self.judge_clock(&rungs);
        for event in rungs {
            self.judge_ahead(event);
        }
        self.note_posts(commit);
    }

    fn note_posts(&mut self, commit: &Commit) {
        for post in &commit.outbox {
            self.reach(match post {
                Post::Say { .. } => "posted",
                Post::Rung { .. } => "a rung is posted",
                Post::Closed { event: Some(_), .. } => "an alert is closed aloud",
                Post::Closed { event: None, .. } => "an alert is closed quietly",
                Post::Held { .. } => "an alert is held",
                Post::Over { .. } => "a condition is over",
                Post::Channels { .. } => "channels are settled",
            });
        }
    }

    /// Nothing is decided by a clock that is known to be wrong: it was set a moment ago, or a provider showed the right time
    /// within the last hour. Where none does, ten even minutes are enough to be trusted.
    fn judge_clock(&mut self, rungs: &[&Event]) {
        let (now, bend) = (self.right(), self.times.bend());
        if bend.abs() <= TRUSTED || rungs.is_empty() {
            return;
        }
        let since = self.times.bent_since();
        let ran_before = self.times.started < since && now < since + EVEN;
        let lately = |at: i64| at >= since && now - at <= COUNTS;
        let was_told = self.times.answered_by_honest.is_some_and(lately)
            && now > self.times.started + TAKEN_IN;
        let lied_to = self.times.is_lied_to(now);
        let slow = self.times.store_fault.is_some();
        // What was decided before the clock was set is about the time before.
        let fresh = rungs
            .iter()
            .filter(|event| (event.at.seconds() - (now + bend)).abs() < TAKEN_IN)
            .count();
        if fresh == 0 {
            return;
        }
        if (ran_before || was_told) && !lied_to && !slow {
            let first = rungs.first();
            self.violates(6, format!("{fresh} rungs while the clock is {bend} s off: {first:?}"));
        } else {
            self.reach("decided by a clock that nobody could know to be wrong");
            self.written.excused.extend(rungs.iter().map(|event| event.id.clone()));
        }
    }

    /// No event is from the future of a clock that shows it.
    fn judge_ahead(&mut self, event: &Event) {
        let latest = self.wall().max(self.right()) + 2;
        let highest = self.times.bends.iter().map(|(_, bend)| *bend).max().unwrap_or(0).max(0);
        if event.at.seconds() > latest + highest {
            self.violates(1, format!("decided in the future: {event:?}"));
        }
    }

    fn judge_proof(&mut self, scan: &ScanRecord) {
        if scan.collected != scan.reported {
            self.violates(12, format!("proven, and not all of it collected: {scan:?}"));
        }
    }
}

/// Returns the event of a post, if it is about a rung.
fn rung(post: &Post) -> Option<&Event> {
    match post {
        Post::Rung { event, .. } | Post::Say { event, .. } => {
            matches!(event.topic, Topic::Expiring { .. }).then_some(event)
        }
        _ => None,
    }
}
