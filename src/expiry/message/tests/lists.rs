//! Several events in one message: lists, digests, and their titles.

use super::*;

#[test]
fn up_to_five_events_are_a_list() {
    let stale = Topic::SourceStale { source: "iot-prod".into(), last_proven: None, error: None };
    let events = [
        renewed("b.example.com"),
        event(Severity::Warning, stale),
        expiring("a.example.com", 6),
        expiring("*.x.com", -1),
    ];
    insta::assert_snapshot!(said(&events), @r"
    [notafter] 4 events: 1 expired, 1 expiring, 1 renewed, 1 fault (critical)
    - *.x.com · expired 1 day ago · 2025-12-31 00:00 (UTC) · web-certs / all <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - a.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs / all <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - source iot-prod has never had a proven scan <https://certs.example.com/?source=iot-prod>
    - b.example.com · renewed · 2026-04-01 00:00 (UTC), in 90 days · web-certs / all <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    <https://certs.example.com/>

    [notafter] 4 个事件：1 个已过期，1 个将到期，1 个已续期，1 个故障 (critical)
    - *.x.com · 已过期 1 天 · 2025-12-31 00:00 (UTC) · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - a.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - 来源 iot-prod 从未能完整读取 <https://certs.example.com/?source=iot-prod>
    - b.example.com · 已续期 · 2026-04-01 00:00 (UTC)，90 天后 · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    <https://certs.example.com/>
    ");
}

#[test]
fn more_than_five_events_are_a_digest() {
    let mut events: Vec<_> =
        (0..4).map(|n| expiring(&format!("h{n}.example.com"), 6 - n)).collect();
    events.extend([
        expiring("gone.example.com", -3),
        inactive("spare.example.com"),
        renewed("new.example.com"),
    ]);
    events.push(event(Severity::Warning, Topic::ChannelUp { channel: "ops".into() }));
    insta::assert_snapshot!(said(&events), @r"
    [notafter] 8 events: 1 expired, 4 expiring, 1 inactive or pending, 1 renewed, 1 recovered (critical)
    expired: 1
    within 7d: 4
    inactive or pending: 1
    renewed: 1
    channel up: 1
    - gone.example.com · expired 3 days ago · 2025-12-29 00:00 (UTC) · web-certs / all
    - h3.example.com · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs / all
    - h2.example.com · expires in 4 days · 2026-01-05 00:00 (UTC) · web-certs / all
    - h1.example.com · expires in 5 days · 2026-01-06 00:00 (UTC) · web-certs / all
    - h0.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs / all
    - channel ops delivers again
    - spare.example.com · expires in 2 days · 2026-01-03 00:00 (UTC) · web-certs / all · inactive
    - new.example.com · renewed · 2026-04-01 00:00 (UTC), in 90 days · web-certs / all
    <https://certs.example.com/>

    [notafter] 8 个事件：1 个已过期，4 个将到期，1 个未启用或待启用，1 个已续期，1 个恢复 (critical)
    已过期：1
    7 天内到期：4
    未启用或待启用：1
    已续期：1
    通道已恢复：1
    - gone.example.com · 已过期 3 天 · 2025-12-29 00:00 (UTC) · web-certs
    - h3.example.com · 将在 3 天后到期 · 2026-01-04 00:00 (UTC) · web-certs
    - h2.example.com · 将在 4 天后到期 · 2026-01-05 00:00 (UTC) · web-certs
    - h1.example.com · 将在 5 天后到期 · 2026-01-06 00:00 (UTC) · web-certs
    - h0.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
    - 通道 ops 恢复投递
    - spare.example.com · 将在 2 天后到期 · 2026-01-03 00:00 (UTC) · web-certs · 未启用
    - new.example.com · 已续期 · 2026-04-01 00:00 (UTC)，90 天后 · web-certs
    <https://certs.example.com/>
    ");
}

#[test]
fn a_certificate_that_is_not_in_use_is_told_in_a_digest_only() {
    let message =
        Message::compose("id", NOW, Language::En, vec![inactive("spare.example.com")], BASE);
    assert_eq!(fact_lines(&message), ["inactive or pending: 1"]);
    assert_eq!(message.entries.len(), 1);
}

#[test]
fn events_are_told_by_severity_then_end_then_name() {
    let mut late = expiring("a", 6);
    late.severity = Severity::Critical;
    let events = vec![
        renewed("r"),
        expiring("c", 2),
        expiring("b", 2),
        expiring("d", 1),
        late,
        expiring("e", -1),
    ];
    let message = Message::compose("id", NOW, Language::En, events, None);
    let names: Vec<_> = message.events.iter().map(phrases::name).collect();
    assert_eq!(names, ["e", "a", "d", "b", "c", "r"]);
    let first_words: Vec<_> =
        message.entries.iter().map(|entry| entry.text.split(' ').next().unwrap()).collect();
    assert_eq!(first_words, names);
}

#[test]
fn what_had_ended_long_before_is_one_line_at_the_end() {
    let events = vec![
        expiring("years", -800),
        expiring("older", -31),
        expiring("month", -29),
        expiring("today", 0),
        expiring("soon", 3),
    ];
    let message = Message::compose("id", NOW, Language::En, events.clone(), None);
    let lines: Vec<_> = message.entries.iter().map(|entry| entry.text.as_str()).collect();
    let first_words: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(first_words, ["month", "today", "soon", "2"]);
    assert_eq!(lines[3], "2 certificates that ended more than 30 days before");
    // Said when it was news, and late: it is named, last.
    let late = Message::compose("id", NOW.plus(40 * DAY), Language::En, events, None);
    let names: Vec<_> = late.events.iter().map(phrases::name).collect();
    assert_eq!(names[..3], ["month", "today", "soon"]);
}

#[test]
fn two_sources_that_are_down_have_their_reasons_in_the_list() {
    let stale = |source: &str, error: &str| {
        let (source, error) = (source.to_owned(), Some(error.to_owned()));
        event(Severity::Critical, Topic::SourceStale { source, last_proven: None, error })
    };
    let events = vec![stale("a", "all: refused: no"), stale("b", "all: timed out")];
    let message = Message::compose("id", NOW, Language::En, events, None);
    let lines: Vec<_> = message.entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(
        lines,
        [
            "source a has never had a proven scan · all: refused: no",
            "source b has never had a proven scan · all: timed out"
        ]
    );
}

#[test]
fn the_title_counts_what_the_list_counts() {
    let events = vec![expiring("a", -1), inactive("b"), inactive("c"), expiring("d", 3)];
    let message = Message::compose("id", NOW, Language::En, events, None);
    assert_eq!(message.title, "[notafter] 4 events: 1 expired, 1 expiring, 2 inactive or pending");
    assert_eq!(fact_lines(&message), ["expired: 1", "within 7d: 1", "inactive or pending: 2"]);
}
