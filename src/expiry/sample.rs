//! A certificate and a daily digest that tests write messages about.

use super::certificate::{Kind, Status, Timestamp};
use super::digest::{DailyDigest, DigestSnooze, Ending, News, SourceCount, Unproven};
use super::facts::Facts;
use super::ladder::Rung;

/// When these tests play.
const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
const DAY: i64 = 86_400;

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

/// Returns a daily digest with something of everything.
pub fn daily(text: &str) -> DailyDigest {
    let text = || text.to_owned();
    let ending = |days: i64| Ending { facts: facts(&text(), days), rung: Rung::Before(7 * 86_400) };
    DailyDigest {
        since: Some(NOW.plus(-DAY)),
        total: 12_003,
        next: Some(facts(&text(), 3)),
        rungs: vec![(Rung::Expired, 1), (Rung::Before(7 * 86_400), 2)],
        long_ended: 4,
        undated: 5,
        snoozed: 1,
        sources: vec![SourceCount { source: text(), total: 12_003, on_a_rung: 3 }],
        news: News { inside: 2, renewed: 9, gone: 1, undated: 0 },
        soonest: vec![ending(3), ending(5)],
        snoozes: vec![DigestSnooze {
            id: text(),
            author: text(),
            reason: text(),
            until: NOW.plus(2 * DAY),
            idle: false,
        }],
        dead: vec![(text(), 2)],
        unproven: vec![Unproven { source: text(), last_proven: None, error: Some(text()) }],
        ..DailyDigest::new(text(), NOW)
    }
}
