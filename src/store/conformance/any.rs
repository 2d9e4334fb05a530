//! Arbitrary values of what a store keeps.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::expiry::{
    Accepted, DailyDigest, DigestSnooze, Ending, EndpointNews, Event, Facts, Invalid,
    InvalidReason, Kind, Month, Newer, News, Rung, Severity, Sighting, SourceCount, Status,
    Timestamp, Topic, Unproven,
};

const AWKWARD: [&str; 9] =
    ["", " ", "\0", "a\0b", "'; DROP TABLE scope; --", "\"\\\n", "设备-7", "\u{202e}", "null"];

/// Any text that a provider could send, the awkward ones often.
pub(crate) fn text() -> BoxedStrategy<String> {
    prop_oneof![
        proptest::sample::select(AWKWARD.as_slice()).prop_map(str::to_owned),
        "[a-z0-9-]{1,12}",
        any::<String>(),
    ]
    .boxed()
}

pub(crate) fn time() -> BoxedStrategy<Timestamp> {
    prop_oneof![
        4 => 0_i64..4_000_000_000,
        1 => any::<i64>(),
    ]
    .prop_map(Timestamp::from_seconds)
    .boxed()
}

pub(crate) fn status() -> impl Strategy<Value = Status> {
    proptest::sample::select(Status::ALL.as_slice())
}

pub(crate) fn rung() -> impl Strategy<Value = Rung> {
    let before = (1..u32::MAX - 100).prop_map(Rung::Before);
    prop_oneof![2 => Just(Rung::Expired), 2 => before, 1 => (1..100_u8).prop_map(Rung::Share)]
}

pub(crate) fn sighting() -> impl Strategy<Value = Sighting> {
    let identity = (text(), text(), kind(), status());
    let times = (option::of(time()), option::of(time()), any::<bool>());
    let texts = (text(), text(), text(), vec(text(), 0..3), vec(text(), 0..3));
    let place = (text(), option::of(any::<[u8; 32]>()), any::<bool>(), text(), text());
    let labels = proptest::collection::btree_map(text(), text(), 0..3);
    let sighting = (identity, times, texts, place, labels);
    sighting.prop_map(|((issuer, serial, kind, status), times, texts, place, labels)| Sighting {
        issuer,
        serial,
        place: place.0,
        fingerprint: place.1,
        collides: place.2,
        signer: place.3,
        signs: place.4,
        kind,
        status,
        not_before: times.0,
        not_after: times.1,
        end_unlisted: times.2,
        common_name: texts.0,
        holder: texts.1,
        unit: texts.2,
        names: texts.3,
        successors: texts.4,
        labels: labels.into_iter().collect(),
    })
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let severity = proptest::sample::select(Severity::ALL.as_slice());
    (text(), time(), severity, topic()).prop_map(|(id, at, severity, topic)| Event {
        id,
        at,
        severity,
        topic,
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    proptest::sample::select(Kind::ALL.as_slice())
}

fn facts() -> impl Strategy<Value = Facts> {
    (sighting(), text(), text()).prop_map(|(sighting, source, scope)| {
        let status = sighting.status;
        Facts::of(source, scope, sighting, status)
    })
}

fn newer() -> impl Strategy<Value = Newer> {
    let rest = (option::of(time()), any::<bool>());
    (text(), text(), text(), rest).prop_map(|(source, place, serial, rest)| {
        let (not_after, deployment_unknown) = rest;
        Newer { source, place, serial, not_after, deployment_unknown }
    })
}

fn endpoint() -> BoxedStrategy<Topic> {
    let reason = proptest::sample::select(InvalidReason::ALL.as_slice());
    let invalid = |(reason, detail)| EndpointNews::Invalid(Invalid { reason, detail });
    let news = prop_oneof![
        (reason, text()).prop_map(invalid),
        text().prop_map(|error| EndpointNews::Unreachable { error }),
        Just(EndpointNews::Reachable),
    ];
    let parts = (text(), text(), news);
    parts.prop_map(|(source, place, news)| Topic::Endpoint { source, place, news }).boxed()
}

fn daily() -> BoxedStrategy<DailyDigest> {
    let ending = (facts(), rung()).prop_map(|(facts, rung)| Ending { facts, rung });
    let snooze = (text(), text(), text(), time(), any::<bool>()).prop_map(
        |(id, author, reason, until, idle)| DigestSnooze { id, author, reason, until, idle },
    );
    let unproven = (text(), option::of(time()), option::of(text()))
        .prop_map(|(source, last_proven, error)| Unproven { source, last_proven, error });
    let source = (text(), any::<[u64; 2]>()).prop_map(|(source, [total, on_a_rung])| SourceCount {
        source,
        total,
        on_a_rung,
    });
    let lists = (
        vec((rung(), any::<u64>()), 0..3),
        vec(source, 0..3),
        vec(ending, 0..3),
        vec(snooze, 0..3),
        vec((text(), any::<u64>()), 0..3),
        vec(unproven, 0..3),
    );
    let news = any::<[u64; 4]>().prop_map(|[inside, renewed, gone, undated]| News {
        inside,
        renewed,
        gone,
        undated,
    });
    let rest = (text(), time(), option::of(time()), any::<[u64; 4]>(), news);
    (rest, lists, option::of(facts()))
        .prop_map(|(rest, (rungs, sources, soonest, snoozes, dead, unproven), next)| {
            let (channel, scheduled, since, counts, news) = rest;
            let [total, long_ended, undated, snoozed] = counts;
            DailyDigest {
                channel,
                scheduled,
                since,
                total,
                next,
                rungs,
                long_ended,
                undated,
                snoozed,
                sources,
                news,
                soonest,
                snoozes,
                dead,
                unproven,
            }
        })
        .boxed()
}

fn topic() -> BoxedStrategy<Topic> {
    prop_oneof![
        (facts(), rung(), option::of(newer()), any::<bool>(), any::<[Option<u64>; 2]>()).prop_map(
            |(facts, rung, newer, unserved, [leaves, places])| {
                Topic::Expiring { facts, rung, leaves, newer, unserved, places }
            }
        ),
        (facts(), rung(), newer(), option::of(time()), vec(text(), 0..3)).prop_map(
            |(facts, rung, newer, since, bound)| {
                Topic::NotDeployed { facts, rung, newer, since, bound }
            }
        ),
        (facts(), option::of(newer()))
            .prop_map(|(facts, elsewhere)| Topic::Gone { facts, elsewhere }),
        (facts(), any::<u64>(), option::of(any::<u64>()))
            .prop_map(|(facts, leaves, places)| Topic::EndsFirst { facts, leaves, places }),
        (text(), any::<i32>(), any::<[u64; 2]>()).prop_map(|(source, month, [ending, renewed])| {
            let month = Month::from_index(month);
            Topic::FleetCliff { source, month, ending, renewed }
        }),
        (text(), text()).prop_map(|(channel, code)| Topic::NotificationDead { channel, code }),
        (facts(), text(), time()).prop_map(|(facts, successor, successor_not_after)| {
            Topic::Renewed { facts, successor, successor_not_after }
        }),
        (text(), option::of(time()), option::of(text())).prop_map(
            |(source, last_proven, error)| Topic::SourceStale { source, last_proven, error }
        ),
        text().prop_map(|source| Topic::SourceRecovered { source }),
        (text(), text(), text()).prop_map(|(source, place, error)| Topic::PlaceUnreadable {
            source,
            place,
            error
        }),
        (text(), text()).prop_map(|(source, place)| Topic::PlaceReadable { source, place }),
        endpoint(),
        (text(), text(), any::<u64>(), any::<u64>()).prop_map(|(source, scope, known, missing)| {
            Topic::InventoryShrunk { source, scope, known, missing }
        }),
        (text(), text(), option::of((any::<u64>(), any::<u64>()))).prop_map(
            |(source, scope, accepted)| {
                let accepted = accepted.map(|(known, missing)| Accepted { known, missing });
                Topic::InventoryRestored { source, scope, accepted }
            }
        ),
        (text(), text(), any::<u64>()).prop_map(|(source, scope, unlisted)| {
            Topic::InventoryContradicts { source, scope, unlisted }
        }),
        (text(), text()).prop_map(|(source, scope)| Topic::InventoryConsistent { source, scope }),
        (text(), text(), text()).prop_map(|(channel, code, hint)| Topic::ChannelDown {
            channel,
            code,
            hint
        }),
        text().prop_map(|channel| Topic::ChannelUp { channel }),
        text().prop_map(|detail| Topic::ClockSuspect { detail }),
        (text(), any::<i64>()).prop_map(|(source, seconds)| Topic::ClockOffset { source, seconds }),
        daily().prop_map(|digest| Topic::DailyDigest(Box::new(digest))),
        (facts(), rung()).prop_map(|(facts, rung)| Topic::Canary { facts, rung }),
        proptest::sample::select(vec![Topic::ClockRecovered, Topic::Test]),
    ]
    .boxed()
}
