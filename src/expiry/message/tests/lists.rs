//! Several events in one message: lists, digests, and their titles.

use super::*;
use crate::expiry::sample;
use crate::expiry::{DailyDigest, Ending};

#[test]
fn up_to_five_events_are_a_list() {
    let stale = Topic::SourceStale { source: "iot-prod".into(), last_proven: None, error: None };
    let events = [
        renewed("b.example.com"),
        event(Severity::Warning, stale),
        expiring("a.example.com", 6),
        expiring("*.x.com", -1),
    ];
    insta::assert_snapshot!(said(&events), @"
    [notafter] 4 events: 1 expired, 1 expiring, 1 renewed, 1 fault (critical)
    - *.x.com · expired 1 day ago · 2025-12-31 00:00 (UTC) · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - a.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - source iot-prod has never had a proven scan <https://certs.example.com/?source=iot-prod>
    - b.example.com · renewed · 2026-04-01 00:00 (UTC), in 90 days · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
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
    insta::assert_snapshot!(said(&events), @"
    [notafter] 8 events: 1 expired, 4 expiring, 1 inactive or pending, 1 renewed, 1 recovered (critical)
    expired: 1
    within 7d: 4
    inactive or pending: 1
    renewed: 1
    channel up: 1
    - gone.example.com · expired 3 days ago · 2025-12-29 00:00 (UTC) · web-certs
    - h3.example.com · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs
    - h2.example.com · expires in 4 days · 2026-01-05 00:00 (UTC) · web-certs
    - h1.example.com · expires in 5 days · 2026-01-06 00:00 (UTC) · web-certs
    - h0.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
    - channel ops delivers again
    - spare.example.com · expires in 2 days · 2026-01-03 00:00 (UTC) · web-certs · inactive
    - new.example.com · renewed · 2026-04-01 00:00 (UTC), in 90 days · web-certs
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

#[test]
fn a_daily_digest_says_how_everything_stands() {
    let digest = sample::daily("edge");
    let topic = Topic::DailyDigest(Box::new(digest));
    insta::assert_snapshot!(said(&[event(Severity::Info, topic)]), @"
    [notafter] watching 12 003 certificates, 3 near or past the end, the next ends 2026-01-04 (edge) (info)
    expired: 1
    within 7d: 2
    ended more than 30 days ago: 4
    without a known end: 5
    snoozed: 1
    new since 2025-12-31 00:00 (UTC): 2 crossed a threshold, 9 renewed, 1 gone, 0 without a known end
    edge: 12 003, 3 near or past the end
    - source edge has never had a proven scan · edge
    - 2 messages to edge given up
    - edge · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs
    - edge · expires in 5 days · 2026-01-06 00:00 (UTC) · web-certs
    - snooze by edge ends 2026-01-03 00:00 (UTC) · edge
    <https://certs.example.com/>

    [notafter] 正在监控 12 003 张证书，3 张临近或已过期，下一张于 2026-01-04 到期（edge） (info)
    已过期：1
    7 天内到期：2
    30 天前已过期：4
    到期时间未知：5
    已暂停提醒：1
    自 2025-12-31 00:00 (UTC) 以来：2 张跨过阈值，9 张已续期，1 张已移除，0 张到期时间未知
    edge：12 003 张，3 张临近或已过期
    - 来源 edge 从未能完整读取 · edge
    - 发往 edge 的 2 条消息已放弃投递
    - edge · 将在 3 天后到期 · 2026-01-04 00:00 (UTC) · web-certs
    - edge · 将在 5 天后到期 · 2026-01-06 00:00 (UTC) · web-certs
    - edge 的暂停提醒于 2026-01-03 00:00 (UTC) 结束 · edge
    <https://certs.example.com/>
    ");
}

#[test]
fn a_daily_digest_is_said_when_there_is_nothing_to_report_and_takes_what_waited_along() {
    let mut digest = DailyDigest::new("ops".into(), NOW);
    (digest.total, digest.next) = (12_003, Some(sample::facts("www.example.com", 7)));
    let alone = event(Severity::Info, Topic::DailyDigest(Box::new(digest.clone())));
    let message = Message::compose("1", NOW, Language::Zh, vec![alone.clone()], None);
    assert_eq!(
        message.title,
        "[notafter] 正在监控 12 003 张证书，下一张于 2026-01-08 到期（www.example.com）"
    );
    assert!(message.entries.is_empty());
    let topic = Topic::DailyDigest(Box::new(digest));
    let events = vec![inactive("spare.example.com"), Event { topic, ..alone }];
    let message = Message::compose("1", NOW, Language::En, events, None);
    assert_eq!(
        message.title,
        "[notafter] watching 12 003 certificates, the next ends 2026-01-08 (www.example.com)"
    );
    assert_eq!(message.entries.len(), 1);
    assert!(message.events[0].daily().is_some());
    assert_eq!(message.tone(), Tone::Info);
}

#[test]
fn forty_thousand_that_expire_are_one_message_that_names_the_first() {
    let ending = |n: i64| Ending {
        facts: sample::facts(&format!("d{n}"), n % 7),
        rung: Rung::Before(7 * 86_400),
    };
    let mut digest = DailyDigest::new("ops".into(), NOW);
    digest.rungs = vec![(Rung::Before(7 * 86_400), 40_000)];
    (digest.total, digest.soonest) = (50_000, (0..500).map(ending).collect());
    let topic = Topic::DailyDigest(Box::new(digest));
    let message =
        Message::compose("1", NOW, Language::En, vec![event(Severity::Info, topic)], None);
    assert_eq!(message.entries.len(), 21);
    assert_eq!(message.entries[20].text, "…and 39980 more");
}
