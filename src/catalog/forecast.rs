//! Who will be told what, and when, if nothing changes.
//!
//! Reading order: `courses` (of each certificate), `ahead` (what will hurt later), `messages` (what goes together).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Catalog, CatalogError, off_the_runtime};
use crate::expiry::{RowId, Timestamp};

mod ahead;
mod courses;
mod messages;

use ahead::Before;
use courses::{Said, courses};
pub use messages::{Line, Planned, PlannedAhead};

/// Certificates that are read at once.
const STEP: usize = 1000;

/// What is asked.
#[derive(Clone, Debug)]
pub struct PlanQuery {
    /// How far to look ahead, in seconds.
    pub ahead: i64,
    /// Only what this channel will be told.
    pub channel: Option<String>,
}

/// Who will be told what.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// The messages, the first first.
    pub messages: Vec<Planned>,
    /// Certificates that were not looked at, because there are too many.
    pub left_out: u64,
}

impl Catalog {
    /// Returns who will be told what if nothing changes.
    pub async fn outlook(&self, query: &PlanQuery) -> Result<Outlook, CatalogError> {
        let moment = self.moment();
        let (from, until) = (moment.now, moment.now.plus(query.ahead));
        let (said, before) = self.said().await?;
        let mut planned = self.ahead_of(&moment, before, (from, until)).await?;
        let (view, config) = (Arc::clone(&moment.view), Arc::clone(&moment.config));
        let work = move || courses(&view, &config, &said, (from, until));
        let (found, left_out) = off_the_runtime(work).await?;
        for some in found.chunks(STEP) {
            let rows: Vec<RowId> = some.iter().map(|course| course.row).collect();
            let kept = self.read(&moment, &rows).await?;
            for (course, kept) in some.iter().zip(kept) {
                if let Some(kept) = kept {
                    planned.extend(course.said(&kept.facts, &moment));
                }
            }
        }
        planned.retain(|one| query.channel.as_ref().is_none_or(|wanted| *wanted == one.channel));
        let wait = i64::try_from(moment.config.alerts.group_wait.as_secs()).unwrap_or(0);
        Ok(Outlook { from, until, messages: messages::messages(planned, wait), left_out })
    }

    /// Reads what was said so far.
    async fn said(&self) -> Result<(Said, Before), CatalogError> {
        let saved = self.store.saved().await?;
        let mut said = Said { ledger: saved.ledger.into_iter().collect(), ..Said::default() };
        let late = self.store.heard_late().await?.into_iter();
        let late: Vec<RowId> =
            late.map(|(row, _)| row).collect::<BTreeSet<_>>().into_iter().collect();
        for some in late.chunks(STEP) {
            said.heard.extend(some.iter().copied().zip(self.store.heard(some).await?));
        }
        let conditions = saved.conditions.into_iter().map(|(key, _)| key).collect();
        Ok((said, Before { conditions, renewals: saved.renewals }))
    }
}
