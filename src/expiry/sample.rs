//! A certificate that tests write messages about.

use super::certificate::{Kind, Status, Timestamp};
use super::event::Facts;

/// When these tests play.
const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// Returns what is known of a certificate that expires so many days later.
pub fn facts(name: &str, days: i64) -> Facts {
    Facts {
        source: "web-certs".into(),
        scope: "all".into(),
        issuer: "R11".into(),
        serial: "04a1b2c3".into(),
        common_name: name.into(),
        not_after: Some(NOW.plus(days * 86_400)),
        ..Facts::bare(Kind::Server, Status::Active)
    }
}
