//! What would be said of a certificate, as far as routes ask for it.

use crate::expiry::{Facts, Newer, Rung, Topic};

/// Returns the alert about a certificate at a rung. `undeployed`: a newer one should be where it is.
pub(super) fn alert(facts: Facts, rung: Rung, undeployed: bool) -> Topic {
    if !undeployed {
        let (leaves, newer, unserved, places) = (None, None, false, None);
        return Topic::Expiring { facts, rung, leaves, newer, unserved, places };
    }
    let newer = Newer {
        source: String::new(),
        place: String::new(),
        serial: String::new(),
        not_after: None,
        deployment_unknown: false,
    };
    Topic::NotDeployed { facts, rung, newer, since: None, bound: Vec::new() }
}
