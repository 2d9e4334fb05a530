//! What waits although nothing is wrong: warnings while their routes are muted.

use std::fmt;
use std::sync::Arc;

use crate::expiry::{Event, Timestamp};
use crate::store::Pending;

type Until = dyn Fn(&Event, Timestamp) -> Option<Timestamp> + Send + Sync;

/// Tells until when an event waits; by default none does.
#[derive(Clone, Default)]
pub struct Hold(Option<Arc<Until>>);

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Hold" } else { "Hold(nothing)" })
    }
}

impl Hold {
    /// Returns one that asks `until`.
    pub fn new(
        until: impl Fn(&Event, Timestamp) -> Option<Timestamp> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(until)))
    }

    /// Takes out those that wait now, and answers when the first of them waits no more. What may have arrived is repeated
    /// whatever the time.
    pub(super) fn take_out(&self, pending: &mut Vec<Pending>, now: Timestamp) -> Option<Timestamp> {
        let until = self.0.as_ref()?;
        let mut first: Option<Timestamp> = None;
        pending.retain(|one| {
            let held = if one.batch.is_some() { None } else { until(&one.event, now) };
            first = held.into_iter().chain(first).min();
            held.is_none()
        });
        first
    }
}
