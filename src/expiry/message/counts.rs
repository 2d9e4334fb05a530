//! How many events of each sort: the title of a list, the summary of a digest.

use std::collections::BTreeMap;

use super::Language::{self, En, Zh};
use super::{Fact, is_digest_only, words};
use crate::expiry::endpoint::EndpointNews;
use crate::expiry::event::{Event, Topic};
use crate::expiry::ladder::Rung;

/// The sorts of events that a title tells apart, in the order it names them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Expired,
    Expiring,
    NotDeployed,
    Ahead,
    NotInUse,
    Renewed,
    Gone,
    Fault,
    Recovery,
    Digest,
    Test,
}

/// Returns the title of a message with several events: `12 events: 3 expired, 9 expiring`.
pub(super) fn title(events: &[Event], language: Language) -> String {
    let mut counts = BTreeMap::<Sort, u64>::new();
    for event in events {
        *counts.entry(sort_of(event)).or_default() += 1;
    }
    let parts: Vec<_> =
        counts.into_iter().map(|(sort, count)| sort.counted(count, language)).collect();
    let total = u64::try_from(events.len()).unwrap_or(u64::MAX);
    match language {
        En => format!("{}: {}", words::counted(total, "event"), parts.join(", ")),
        Zh => format!("{total} 个事件：{}", parts.join("，")),
    }
}

/// Returns how many there are on each rung and of each other sort, the most urgent first. Every event is counted once.
pub(super) fn facts(events: &[Event], language: Language) -> Vec<Fact> {
    let mut counts = BTreeMap::<(u64, String), u64>::new();
    for event in events {
        *counts.entry(bucket(event, language)).or_default() += 1;
    }
    let fact = |((_, label), count): ((u64, String), u64)| Fact {
        label,
        value: count.to_string(),
        is_end: false,
    };
    counts.into_iter().map(fact).collect()
}

fn sort_of(event: &Event) -> Sort {
    if is_digest_only(event) { Sort::NotInUse } else { sort(&event.topic) }
}

/// Returns whether the event says that something is well again.
pub(super) const fn is_good(event: &Event) -> bool {
    matches!(sort(&event.topic), Sort::Renewed | Sort::Recovery)
}

const fn sort(topic: &Topic) -> Sort {
    match topic {
        Topic::Expiring { rung: Rung::Expired, .. } => Sort::Expired,
        Topic::Expiring { .. } => Sort::Expiring,
        Topic::NotDeployed { .. } => Sort::NotDeployed,
        Topic::EndsFirst { .. } | Topic::FleetCliff { .. } => Sort::Ahead,
        Topic::Renewed { .. } => Sort::Renewed,
        Topic::Gone { .. } => Sort::Gone,
        Topic::SourceStale { .. }
        | Topic::PlaceUnreadable { .. }
        | Topic::Endpoint {
            news: EndpointNews::Invalid(_) | EndpointNews::Unreachable { .. },
            ..
        }
        | Topic::InventoryShrunk { .. }
        | Topic::InventoryContradicts { .. }
        | Topic::ChannelDown { .. }
        | Topic::NotificationDead { .. }
        | Topic::ClockSuspect { .. }
        | Topic::ClockOffset { .. } => Sort::Fault,
        Topic::SourceRecovered { .. }
        | Topic::PlaceReadable { .. }
        | Topic::InventoryRestored { .. }
        | Topic::InventoryConsistent { .. }
        | Topic::ChannelUp { .. }
        | Topic::ClockRecovered
        | Topic::Endpoint { news: EndpointNews::Reachable, .. } => Sort::Recovery,
        Topic::DailyDigest(_) => Sort::Digest,
        Topic::Canary { .. } | Topic::Test => Sort::Test,
    }
}

impl Sort {
    fn counted(self, count: u64, language: Language) -> String {
        match (self, language) {
            (Self::Expired, En) => format!("{count} expired"),
            (Self::Expired, Zh) => format!("{count} 个已过期"),
            (Self::Expiring, En) => format!("{count} expiring"),
            (Self::Expiring, Zh) => format!("{count} 个将到期"),
            (Self::NotDeployed, En) => format!("{count} not deployed"),
            (Self::NotDeployed, Zh) => format!("{count} 个新证书未部署"),
            (Self::Ahead, En) => words::counted(count, "early warning"),
            (Self::Ahead, Zh) => format!("{count} 个预警"),
            (Self::NotInUse, En) => format!("{count} inactive or pending"),
            (Self::NotInUse, Zh) => format!("{count} 个未启用或待启用"),
            (Self::Gone, En) => format!("{count} gone"),
            (Self::Gone, Zh) => format!("{count} 个已移除"),
            (Self::Renewed, En) => format!("{count} renewed"),
            (Self::Renewed, Zh) => format!("{count} 个已续期"),
            (Self::Fault, En) => words::counted(count, "fault"),
            (Self::Fault, Zh) => format!("{count} 个故障"),
            (Self::Recovery, En) => format!("{count} recovered"),
            (Self::Recovery, Zh) => format!("{count} 个恢复"),
            (Self::Digest, En) => words::counted(count, "daily digest"),
            (Self::Digest, Zh) => format!("{count} 个每日摘要"),
            (Self::Test, En) => words::counted(count, "test"),
            (Self::Test, Zh) => format!("{count} 个测试"),
        }
    }
}

/// Returns where the event is counted: an order and a label.
fn bucket(event: &Event, language: Language) -> (u64, String) {
    // Rungs are at most u32::MAX seconds; what is not a rung comes after all of them.
    const AFTER_RUNGS: u64 = 1 << 33;
    match (&event.topic, language) {
        (_, En) if is_digest_only(event) => (AFTER_RUNGS, "inactive or pending".to_owned()),
        (_, Zh) if is_digest_only(event) => (AFTER_RUNGS, "未启用或待启用".to_owned()),
        (Topic::Expiring { rung, .. }, _) => {
            let order = match rung {
                Rung::Expired => 0,
                rung => 1 + u64::from(rung.seconds()),
            };
            (order, words::within(*rung, language))
        }
        (topic, _) => (
            AFTER_RUNGS + 1 + sort(topic) as u64,
            words::kind(topic.event_kind(), language).to_owned(),
        ),
    }
}
