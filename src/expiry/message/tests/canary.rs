//! What is said of a certificate that does not exist.

use super::*;

#[test]
fn a_canary_is_marked_as_a_test_wherever_it_is_shown() {
    let at = Timestamp::from_seconds(1_800_000_000);
    let facts = Facts { not_after: Some(at.plus(600)), ..facts("notafter-canary", 3) };
    let topic = Topic::Canary { facts, rung: Rung::Before(86_400) };
    let event = Event { id: "c".into(), at, severity: Severity::Info, topic };
    let mut shown = Vec::new();
    for language in Language::ALL {
        let events = vec![event.clone()];
        let message = Message::compose("m", at, language, events, Some("https://certs.example"));
        assert_eq!(message.link.as_deref(), Some("https://certs.example/"), "no page knows of it");
        assert!(message.only_alert().is_none(), "it is nothing to snooze");
        shown.push(message.title.clone());
        shown.extend(message.facts.iter().take(2).map(|fact| fact.line(language)));
        let both = vec![event.clone(), Event { topic: Topic::Test, ..event.clone() }];
        let list = Message::compose("m", at, language, both, None);
        shown.push(list.title.clone());
        shown.push(list.entries[0].text.clone());
    }
    insta::assert_snapshot!(shown.join("\n"), @"
    [notafter] test: certificate notafter-canary expires in 10 minutes, nothing needs to be done
    Detail: a test: this certificate does not exist
    Expiry: 2027-01-15 08:10 (UTC), in 10 minutes
    [notafter] 2 events: 2 tests
    notafter-canary · expires in 10 minutes · 2027-01-15 08:10 (UTC) · web-certs · a test: this certificate does not exist
    [notafter] 测试：证书 notafter-canary 将在 10 分钟后到期，无需处理
    详情：测试：此证书并不存在
    到期时间：2027-01-15 08:10 (UTC)，10 分钟后
    [notafter] 2 个事件：2 个测试
    notafter-canary · 将在 10 分钟后到期 · 2027-01-15 08:10 (UTC) · web-certs · 测试：此证书并不存在
    ");
}
