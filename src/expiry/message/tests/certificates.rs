//! Messages about one certificate.

use super::*;

#[test]
fn one_certificate_is_told_with_its_facts() {
    insta::assert_snapshot!(said(&[expiring("www.example.com", 7)]), @"
    [notafter] certificate www.example.com expires in 7 days (warning)
    Expiry: 2026-01-08 00:00 (UTC), in 7 days
    Common name: www.example.com
    Source: web-certs
    Issuer: R11
    Serial: 04a1b2c3
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] 证书 www.example.com 将在 7 天后到期 (warning)
    到期时间：2026-01-08 00:00 (UTC)，7 天后
    通用名称 (CN)：www.example.com
    来源：web-certs
    签发者：R11
    序列号：04a1b2c3
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    ");
}

#[test]
fn an_expired_certificate_is_told_with_its_facts() {
    let mut event = expiring("", -2);
    let Topic::Expiring { facts, .. } = &mut event.topic else { panic!("made above") };
    facts.holder = "meter 7/@all".into();
    facts.unit = "plant-7".into();
    insta::assert_snapshot!(said(&[event]), @"
    [notafter] certificate meter 7/%40all expired 2 days ago (critical)
    Expiry: 2025-12-30 00:00 (UTC), 2 days ago
    Holder: meter 7/%40all
    Unit: plant-7
    Source: web-certs
    Issuer: R11
    Serial: 04a1b2c3
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] 证书 meter 7/%40all 已过期 2 天 (critical)
    到期时间：2025-12-30 00:00 (UTC)，2 天前
    持有者：meter 7/%40all
    组织单元：plant-7
    来源：web-certs
    签发者：R11
    序列号：04a1b2c3
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    ");
}

#[test]
fn a_device_is_told_with_its_instance_and_the_authority_that_signed_it() {
    let facts = Facts {
        source: "iot-prod".into(),
        scope: "mqtt-qgzaawn9".into(),
        issuer: "00c5".into(),
        kind: Kind::Device,
        ..facts("meter 7", 1)
    };
    let topic = Topic::Expiring {
        facts: facts.clone(),
        rung: Rung::Before(86_400),
        leaves: None,
        newer: None,
        unserved: false,
        places: None,
    };
    insta::assert_snapshot!(said_of(topic), @"
    [notafter] certificate meter 7 expires in 1 day (warning)
    Expiry: 2026-01-02 00:00 (UTC), in 1 day
    Common name: meter 7
    Source: iot-prod
    Scope: mqtt-qgzaawn9
    Issuer: 00c5
    Serial: 04a1b2c3
    <https://certs.example.com/?source=iot-prod&scope=mqtt-qgzaawn9&q=04a1b2c3>

    [notafter] 证书 meter 7 将在 1 天后到期 (warning)
    到期时间：2026-01-02 00:00 (UTC)，1 天后
    通用名称 (CN)：meter 7
    来源：iot-prod
    实例：mqtt-qgzaawn9
    签发 CA 序列号：00c5
    序列号：04a1b2c3
    <https://certs.example.com/?source=iot-prod&scope=mqtt-qgzaawn9&q=04a1b2c3>
    ");
    let ca = Facts { kind: Kind::Ca, issuer: "Root CA".into(), ..facts };
    let topic = Topic::Expiring {
        facts: ca,
        rung: Rung::Before(86_400),
        leaves: None,
        newer: None,
        unserved: false,
        places: None,
    };
    let message =
        Message::compose("id", NOW, Language::Zh, vec![event(Severity::Warning, topic)], None);
    assert!(fact_lines(&message).contains(&"签发者：Root CA".to_owned()), "{:?}", message.facts);
}

#[test]
fn a_rung_is_a_length_of_time_in_chinese() {
    for (rung, words) in [
        (Rung::Before(86_400), "1 天内到期"),
        (Rung::Before(36 * 3600), "36 小时内到期"),
        (Rung::Before(90 * 60), "90 分钟内到期"),
        (Rung::Before(61), "61 秒内到期"),
        (Rung::Before(0), "0 秒内到期"),
        (Rung::Expired, "已过期"),
    ] {
        assert_eq!(words::within(rung, Language::Zh), words);
    }
}

#[test]
fn a_ca_of_which_it_is_not_known_what_it_signed_is_told_without_a_number() {
    let facts = Facts { kind: Kind::Ca, place: "a.test:443/a.test".into(), ..facts("R10", 13) };
    let rung = Rung::Before(14 * 86_400);
    let (leaves, newer, unserved, places) = (None, None, false, Some(1000));
    let topic = Topic::Expiring { facts, rung, leaves, newer, unserved, places };
    let event = event(Severity::Warning, topic);
    for (language, title, places) in [
        (Language::En, "CA certificate R10 expires in 13 days", "Places with it: 1000"),
        (Language::Zh, "CA 证书 R10 将在 13 天后到期", "所在位置数：1000"),
    ] {
        let message = Message::compose("id", NOW, language, vec![event.clone()], None);
        assert_eq!(message.title, format!("[notafter] {title}"));
        assert!(fact_lines(&message).contains(&places.to_owned()), "{:?}", message.facts);
    }
}

#[test]
fn a_ca_is_told_with_its_leaves() {
    let facts = Facts { kind: Kind::Ca, ..facts("Root CA", 13) };
    let topic = Topic::Expiring {
        facts,
        rung: Rung::Before(14 * 86_400),
        leaves: Some(1234),
        newer: None,
        unserved: false,
        places: None,
    };
    insta::assert_snapshot!(said_of(topic), @"
    [notafter] CA certificate Root CA expires in 13 days, with 1234 active certificates (warning)
    Expiry: 2026-01-14 00:00 (UTC), in 13 days
    Common name: Root CA
    Source: web-certs
    Issuer: R11
    Serial: 04a1b2c3
    Active certificates that expire with it: 1234
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] CA 证书 Root CA 将在 13 天后到期，涉及 1234 张有效证书 (warning)
    到期时间：2026-01-14 00:00 (UTC)，13 天后
    通用名称 (CN)：Root CA
    来源：web-certs
    签发者：R11
    序列号：04a1b2c3
    随之失效的有效证书：1234
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    ");
}

#[test]
fn a_renewal_names_the_successor() {
    insta::assert_snapshot!(said(&[renewed("www.example.com")]), @"
    [notafter] certificate www.example.com is renewed (info)
    Successor expires: 2026-04-01 00:00 (UTC), in 90 days
    Successor: 05ffee
    Expiry: 2026-01-04 00:00 (UTC), in 3 days
    Common name: www.example.com
    Source: web-certs
    Issuer: R11
    Serial: 04a1b2c3
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] 证书 www.example.com 已续期 (info)
    新的到期时间：2026-04-01 00:00 (UTC)，90 天后
    新证书：05ffee
    到期时间：2026-01-04 00:00 (UTC)，3 天后
    通用名称 (CN)：www.example.com
    来源：web-certs
    签发者：R11
    序列号：04a1b2c3
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    ");
}

#[test]
fn a_certificate_in_a_place_is_told_with_its_place_and_with_what_is_newer() {
    let newer = newer("web", "/b.pem");
    let placed = Facts {
        place: "/etc/a.pem".into(),
        issuer: "C=JP, O=SECOM (x)".into(),
        fingerprint: Some([7; 32]),
        collides: true,
        ..facts("a.example.com", 7)
    };
    let rung = Rung::Before(7 * 86_400);
    let topic = Topic::Expiring {
        facts: placed.clone(),
        rung,
        leaves: None,
        newer: Some(newer.clone()),
        unserved: false,
        places: None,
    };
    insta::assert_snapshot!(said_of(topic.clone()), @"
    [notafter] certificate a.example.com expires in 7 days (warning)
    Expiry: 2026-01-08 00:00 (UTC), in 7 days
    Common name: a.example.com
    Source: web-certs
    Place: /etc/a.pem
    Issuer: C=JP, O=SECOM (x)
    Serial: 04a1b2c3
    Fingerprint: 0707070707070707070707070707070707070707070707070707070707070707
    Newer certificate: 05ffee, 2026-04-01 00:00 (UTC), web / /b.pem
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] 证书 a.example.com 将在 7 天后到期 (warning)
    到期时间：2026-01-08 00:00 (UTC)，7 天后
    通用名称 (CN)：a.example.com
    来源：web-certs
    位置：/etc/a.pem
    签发者：C=JP, O=SECOM (x)
    序列号：04a1b2c3
    指纹：0707070707070707070707070707070707070707070707070707070707070707
    较新的证书：05ffee, 2026-04-01 00:00 (UTC), web / /b.pem
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    ");
    let listed = Newer { place: "all".into(), deployment_unknown: true, ..newer.clone() };
    let unknown = Topic::Expiring {
        facts: facts("b", 7),
        rung,
        leaves: None,
        newer: Some(listed),
        unserved: false,
        places: None,
    };
    let gone = Topic::Gone { facts: placed, elsewhere: Some(newer) };
    let events = [topic, unknown, gone].map(|topic| event(Severity::Warning, topic));
    let message = Message::compose("id", NOW, Language::En, events.to_vec(), None);
    let lines: Vec<_> = message.entries.iter().map(|entry| entry.text.as_str()).collect();
    assert!(lines[0].contains("web-certs / /etc/a.pem · Newer certificate: 05ffee"), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("not known whether it is deployed")));
    assert!(lines.iter().any(|line| line.starts_with("a.example.com · gone · web-certs")));
}

#[test]
fn a_certificate_that_should_not_be_served_any_more_is_told_with_the_one_that_should() {
    insta::assert_snapshot!(said(&[undeployed(7)]), @"
    [notafter] certificate www.example.com expires in 7 days, www.example.com:443/www.example.com still serves it, not the newer one (warning)
    Expiry: 2026-01-08 00:00 (UTC), in 7 days
    Common name: www.example.com
    Source: web
    Place: www.example.com:443/www.example.com
    Issuer: R11
    Serial: 04a1b2c3
    Should be served: 05ffee, 2026-04-01 00:00 (UTC), web-certs / all
    Not deployed since: 2025-12-12 00:00 (UTC), 20 days ago
    <https://certs.example.com/?source=web&scope=all&q=04a1b2c3>

    [notafter] 证书 www.example.com 将在 7 天后到期，www.example.com:443/www.example.com 仍在使用，新证书未部署 (warning)
    到期时间：2026-01-08 00:00 (UTC)，7 天后
    通用名称 (CN)：www.example.com
    来源：web
    位置：www.example.com:443/www.example.com
    签发者：R11
    序列号：04a1b2c3
    应部署的证书：05ffee, 2026-04-01 00:00 (UTC), web-certs / all
    未部署起始时间：2025-12-12 00:00 (UTC)，20 天前
    <https://certs.example.com/?source=web&scope=all&q=04a1b2c3>
    ");
    let expired = Message::compose("id", NOW, Language::En, vec![undeployed(-2)], None);
    insta::assert_snapshot!(expired.title, @"[notafter] certificate www.example.com expired 2 days ago, www.example.com:443/www.example.com still serves it, not the newer one");
}

#[test]
fn what_is_not_deployed_is_counted_by_itself() {
    insta::assert_snapshot!(said(&[undeployed(7), expiring("b", 5)]), @"
    [notafter] 2 events: 1 expiring, 1 not deployed (warning)
    - b · expires in 5 days · 2026-01-06 00:00 (UTC) · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - www.example.com · expires in 7 days · 2026-01-08 00:00 (UTC) · web / www.example.com:443/www.example.com · Should be served: 05ffee, 2026-04-01 00:00 (UTC), web-certs / all · Not deployed since: 2025-12-12 00:00 (UTC), 20 days ago <https://certs.example.com/?source=web&scope=all&q=04a1b2c3>
    <https://certs.example.com/>

    [notafter] 2 个事件：1 个将到期，1 个新证书未部署 (warning)
    - b · 将在 5 天后到期 · 2026-01-06 00:00 (UTC) · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - www.example.com · 将在 7 天后到期 · 2026-01-08 00:00 (UTC) · web / www.example.com:443/www.example.com · 应部署的证书：05ffee, 2026-04-01 00:00 (UTC), web-certs / all · 未部署起始时间：2025-12-12 00:00 (UTC)，20 天前 <https://certs.example.com/?source=web&scope=all&q=04a1b2c3>
    <https://certs.example.com/>
    ");
    let many: Vec<_> = (0..6).map(|_| undeployed(7)).chain([expiring("b", 5)]).collect();
    let many = said(&many);
    let counts = many.lines().filter(|line| !line.starts_with(['-', '<']));
    insta::assert_snapshot!(counts.collect::<Vec<_>>().join("\n"), @r"
    [notafter] 7 events: 1 expiring, 6 not deployed (warning)
    within 7d: 1
    issued, not deployed: 6

    [notafter] 7 个事件：1 个将到期，6 个新证书未部署 (warning)
    7 天内到期：1
    新证书未部署：6
    ");
}

#[test]
fn a_certificate_that_is_served_nowhere_says_so() {
    let mut lost = expiring("www.example.com", 7);
    let Topic::Expiring { unserved, .. } = &mut lost.topic else { panic!("made above") };
    *unserved = true;
    insta::assert_snapshot!(said(&[lost.clone()]), @"
    [notafter] certificate www.example.com expires in 7 days (warning)
    Expiry: 2026-01-08 00:00 (UTC), in 7 days
    Common name: www.example.com
    Source: web-certs
    Issuer: R11
    Serial: 04a1b2c3
    Served: nowhere that is looked at
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] 证书 www.example.com 将在 7 天后到期 (warning)
    到期时间：2026-01-08 00:00 (UTC)，7 天后
    通用名称 (CN)：www.example.com
    来源：web-certs
    签发者：R11
    序列号：04a1b2c3
    部署情况：所检查的端点均未使用此证书
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    ");
    insta::assert_snapshot!(said(&[lost, expiring("b", 5)]), @"
    [notafter] 2 events: 2 expiring (warning)
    - b · expires in 5 days · 2026-01-06 00:00 (UTC) · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - www.example.com · expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs · Served: nowhere that is looked at <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    <https://certs.example.com/>

    [notafter] 2 个事件：2 个将到期 (warning)
    - b · 将在 5 天后到期 · 2026-01-06 00:00 (UTC) · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - www.example.com · 将在 7 天后到期 · 2026-01-08 00:00 (UTC) · web-certs · 部署情况：所检查的端点均未使用此证书 <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    <https://certs.example.com/>
    ");
}
