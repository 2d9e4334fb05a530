//! How one certificate stands: what only the pipeline knows of it.

use super::Pipeline;
use crate::catalog::{Standing, StandingRequest};

impl Pipeline {
    pub(super) fn tell_standing(&self, request: StandingRequest) {
        let row = request.row;
        let held = if self.renewing.holds(row) {
            Some("renewing")
        } else if self.missed.contains(&row) || self.absence.is_missed(row) {
            Some("missed")
        } else {
            None
        };
        let standing = Standing {
            notified: self.ledger.get(row),
            held,
            is_served: self.inventory.is_served(row),
            served_at: self.inventory.served_at(row),
            bound: self.inventory.bound(row).cloned(),
            hidden_since: self.checks.hidden_since(&request.place.0, &request.place.1),
            served_nowhere: self.inventory.is_served_nowhere(row, &self.looked),
        };
        if request.answer.send(standing).is_err() {
            tracing::debug!("nobody waited to hear how a certificate stands");
        }
    }
}
