use super::*;
use crate::expiry::absence::Accepted;
use crate::expiry::certificate::Kind;
use crate::expiry::endpoint::{EndpointNews, Invalid, InvalidReason};
use crate::expiry::event::{Facts, Newer};
use crate::expiry::sample::facts;

const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
const DAY: i64 = 86_400;
const BASE: Option<&str> = Some("https://certs.example.com/");

fn event(severity: Severity, topic: Topic) -> Event {
    Event { id: "0193e4b0".into(), at: NOW, severity, topic }
}

fn expiring(name: &str, days: i64) -> Event {
    let rung = if days > 0 { Rung::Before(7 * 86_400) } else { Rung::Expired };
    let severity = if days > 0 { Severity::Warning } else { Severity::Critical };
    event(severity, Topic::Expiring { facts: facts(name, days), rung, leaves: None, newer: None })
}

fn inactive(name: &str) -> Event {
    let facts = Facts { status: Status::Inactive, ..facts(name, 2) };
    event(
        Severity::Info,
        Topic::Expiring { facts, rung: Rung::Before(3 * 86_400), leaves: None, newer: None },
    )
}

fn renewed(name: &str) -> Event {
    let topic = Topic::Renewed {
        facts: facts(name, 3),
        successor: "05ffee".into(),
        successor_not_after: NOW.plus(90 * DAY),
    };
    event(Severity::Info, topic)
}

fn shown(message: &Message) -> String {
    let entries = message.entries.iter().map(|entry| match &entry.link {
        Some(link) => format!("- {} <{link}>", entry.text),
        None => format!("- {}", entry.text),
    });
    let link = message.link.iter().map(|link| format!("<{link}>"));
    let title = std::iter::once(format!("{} ({})", message.title, message.severity.as_str()));
    title.chain(message.summary.clone()).chain(entries).chain(link).collect::<Vec<_>>().join("\n")
}

fn said(events: &[Event]) -> String {
    let both = Language::ALL
        .map(|language| shown(&Message::compose("id", NOW, language, events.to_vec(), BASE)));
    both.join("\n\n")
}

fn said_of(topic: Topic) -> String {
    said(&[event(Severity::Warning, topic)])
}

#[test]
fn one_certificate_is_told_with_its_facts() {
    insta::assert_snapshot!(said(&[expiring("www.example.com", 7)]), @r"
    [notafter] certificate www.example.com expires in 7 days (warning)
    Common name: www.example.com
    Source: web-certs
    Scope: all
    Issuer: R11
    Serial: 04a1b2c3
    Not after: 2026-01-08T00:00:00Z
    Days left: 7
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] 证书 www.example.com 将在 7 天后到期 (warning)
    通用名称 (CN)：www.example.com
    来源：web-certs
    签发者：R11
    序列号：04a1b2c3
    到期时间：2026-01-08T00:00:00Z
    剩余天数：7
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    ");
}

#[test]
fn an_expired_certificate_is_told_with_its_facts() {
    let mut event = expiring("", -2);
    let Topic::Expiring { facts, .. } = &mut event.topic else { panic!("made above") };
    facts.holder = "meter 7/@all".into();
    facts.unit = "plant-7".into();
    insta::assert_snapshot!(said(&[event]), @r"
    [notafter] certificate meter 7/%40all expired 2 days ago (critical)
    Holder: meter 7/%40all
    Unit: plant-7
    Source: web-certs
    Scope: all
    Issuer: R11
    Serial: 04a1b2c3
    Not after: 2025-12-30T00:00:00Z
    Days past: 2
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] 证书 meter 7/%40all 已过期 2 天 (critical)
    持有者：meter 7/%40all
    组织单元：plant-7
    来源：web-certs
    签发者：R11
    序列号：04a1b2c3
    到期时间：2025-12-30T00:00:00Z
    已过天数：2
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
    };
    insta::assert_snapshot!(said_of(topic), @r"
    [notafter] certificate meter 7 expires in 1 day (warning)
    Common name: meter 7
    Source: iot-prod
    Scope: mqtt-qgzaawn9
    Issuer: 00c5
    Serial: 04a1b2c3
    Not after: 2026-01-02T00:00:00Z
    Days left: 1
    <https://certs.example.com/?source=iot-prod&scope=mqtt-qgzaawn9&q=04a1b2c3>

    [notafter] 证书 meter 7 将在 1 天后到期 (warning)
    通用名称 (CN)：meter 7
    来源：iot-prod
    实例：mqtt-qgzaawn9
    签发 CA 序列号：00c5
    序列号：04a1b2c3
    到期时间：2026-01-02T00:00:00Z
    剩余天数：1
    <https://certs.example.com/?source=iot-prod&scope=mqtt-qgzaawn9&q=04a1b2c3>
    ");
    let ca = Facts { kind: Kind::Ca, issuer: "Root CA".into(), ..facts };
    let topic =
        Topic::Expiring { facts: ca, rung: Rung::Before(86_400), leaves: None, newer: None };
    let message =
        Message::compose("id", NOW, Language::Zh, vec![event(Severity::Warning, topic)], None);
    assert!(message.summary.contains(&"签发者：Root CA".to_owned()), "{:?}", message.summary);
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
fn a_ca_is_told_with_its_leaves() {
    let facts = Facts { kind: Kind::Ca, ..facts("Root CA", 13) };
    let topic =
        Topic::Expiring { facts, rung: Rung::Before(14 * 86_400), leaves: Some(1234), newer: None };
    insta::assert_snapshot!(said_of(topic), @r"
    [notafter] CA certificate Root CA expires in 13 days, with 1234 active certificates (warning)
    Common name: Root CA
    Source: web-certs
    Scope: all
    Issuer: R11
    Serial: 04a1b2c3
    Not after: 2026-01-14T00:00:00Z
    Days left: 13
    Active certificates that expire with it: 1234
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] CA 证书 Root CA 将在 13 天后到期，涉及 1234 张有效证书 (warning)
    通用名称 (CN)：Root CA
    来源：web-certs
    签发者：R11
    序列号：04a1b2c3
    到期时间：2026-01-14T00:00:00Z
    剩余天数：13
    随之失效的有效证书：1234
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    ");
}

#[test]
fn a_renewal_names_the_successor() {
    insta::assert_snapshot!(said(&[renewed("www.example.com")]), @r"
    [notafter] certificate www.example.com is renewed (info)
    Common name: www.example.com
    Source: web-certs
    Scope: all
    Issuer: R11
    Serial: 04a1b2c3
    Not after: 2026-01-04T00:00:00Z
    Successor: 05ffee
    Successor expires: 2026-04-01T00:00:00Z
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] 证书 www.example.com 已续期 (info)
    通用名称 (CN)：www.example.com
    来源：web-certs
    签发者：R11
    序列号：04a1b2c3
    到期时间：2026-01-04T00:00:00Z
    新证书：05ffee
    新的到期时间：2026-04-01T00:00:00Z
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    ");
}

#[test]
fn a_stale_source_is_told() {
    let topic = Topic::SourceStale {
        source: "iot-prod".into(),
        last_proven: Some(NOW.plus(-3600)),
        error: Some("throttled: RequestLimitExceeded".into()),
    };
    insta::assert_snapshot!(said_of(topic), @r"
    [notafter] source iot-prod has no proven scan since 2025-12-31T23:00:00Z (warning)
    Source: iot-prod
    Last proven scan: 2025-12-31T23:00:00Z
    Last error: throttled: RequestLimitExceeded
    <https://certs.example.com/?source=iot-prod>

    [notafter] 来源 iot-prod 自 2025-12-31T23:00:00Z 起未能完整读取 (warning)
    来源：iot-prod
    上次完整读取：2025-12-31T23:00:00Z
    最近的错误：throttled: RequestLimitExceeded
    <https://certs.example.com/?source=iot-prod>
    ");
    insta::assert_snapshot!(said_of(Topic::SourceStale { source: "new".into(), last_proven: None, error: None }), @r"
    [notafter] source new has never had a proven scan (warning)
    Source: new
    <https://certs.example.com/?source=new>

    [notafter] 来源 new 从未能完整读取 (warning)
    来源：new
    <https://certs.example.com/?source=new>
    ");
}

#[test]
fn a_recovered_source_is_told() {
    insta::assert_snapshot!(said_of(Topic::SourceRecovered { source: "iot-prod".into() }), @r"
    [notafter] source iot-prod has a proven scan again (warning)
    Source: iot-prod
    <https://certs.example.com/?source=iot-prod>

    [notafter] 来源 iot-prod 已恢复完整读取 (warning)
    来源：iot-prod
    <https://certs.example.com/?source=iot-prod>
    ");
}

#[test]
fn a_place_that_cannot_be_read_is_told_with_what_to_do() {
    let (source, place) = ("machine".to_owned(), "pki.pem".to_owned());
    let error = "Permission denied".to_owned();
    let closed = Topic::PlaceUnreadable { source: source.clone(), place: place.clone(), error };
    insta::assert_snapshot!(said_of(closed), @r"
    [notafter] source machine cannot read pki.pem (warning)
    Source: machine
    Place: pki.pem
    Last error: Permission denied
    <https://certs.example.com/?source=machine>

    [notafter] 来源 machine 无法读取 pki.pem (warning)
    来源：machine
    位置：pki.pem
    最近的错误：Permission denied
    <https://certs.example.com/?source=machine>
    ");
    insta::assert_snapshot!(said_of(Topic::PlaceReadable { source, place }), @r"
    [notafter] source machine reads pki.pem again (warning)
    Source: machine
    Place: pki.pem
    <https://certs.example.com/?source=machine>

    [notafter] 来源 machine 恢复读取 pki.pem (warning)
    来源：machine
    位置：pki.pem
    <https://certs.example.com/?source=machine>
    ");
}

#[test]
fn an_endpoint_is_told_with_why_clients_refuse_it() {
    let (source, place) = ("web".to_owned(), "www.example.com:443/www.example.com".to_owned());
    let invalid = |reason| {
        let detail = "it names shop.example.com <!channel>\r\n".to_owned();
        let news = EndpointNews::Invalid(Invalid { reason, detail });
        Topic::Endpoint { source: source.clone(), place: place.clone(), news }
    };
    insta::assert_snapshot!(said_of(invalid(InvalidReason::NameMismatch)), @r"
    [notafter] clients refuse what www.example.com:443/www.example.com serves: the certificate is for other names (warning)
    Source: web
    Place: www.example.com:443/www.example.com
    Detail: it names shop.example.com %3C%21channel%3E%0D%0A
    <https://certs.example.com/?source=web>

    [notafter] 客户端拒绝 www.example.com:443/www.example.com 提供的证书：证书与域名不匹配 (warning)
    来源：web
    位置：www.example.com:443/www.example.com
    详情：it names shop.example.com %3C%21channel%3E%0D%0A
    <https://certs.example.com/?source=web>
    ");
    let titles = InvalidReason::ALL.map(|reason| {
        let titles = Language::ALL.map(|language| {
            let event = event(Severity::Critical, invalid(reason));
            Message::compose("id", NOW, language, vec![event], None).title
        });
        titles.join("\n")
    });
    insta::assert_snapshot!(titles.join("\n"), @r"
    [notafter] clients refuse what www.example.com:443/www.example.com serves: no trusted authority has signed it
    [notafter] 客户端拒绝 www.example.com:443/www.example.com 提供的证书：不是由受信任的机构签发
    [notafter] clients refuse what www.example.com:443/www.example.com serves: the certificate is for other names
    [notafter] 客户端拒绝 www.example.com:443/www.example.com 提供的证书：证书与域名不匹配
    [notafter] clients refuse what www.example.com:443/www.example.com serves: the certificate has expired
    [notafter] 客户端拒绝 www.example.com:443/www.example.com 提供的证书：证书已过期
    [notafter] clients refuse what www.example.com:443/www.example.com serves: the certificate is not valid yet
    [notafter] 客户端拒绝 www.example.com:443/www.example.com 提供的证书：证书尚未生效
    [notafter] clients refuse what www.example.com:443/www.example.com serves: the certificate is self-signed
    [notafter] 客户端拒绝 www.example.com:443/www.example.com 提供的证书：证书是自签名的
    [notafter] clients refuse what www.example.com:443/www.example.com serves: the chain is incomplete
    [notafter] 客户端拒绝 www.example.com:443/www.example.com 提供的证书：证书链不完整
    [notafter] clients refuse what www.example.com:443/www.example.com serves: the chain is in the wrong order
    [notafter] 客户端拒绝 www.example.com:443/www.example.com 提供的证书：证书链顺序错误
    ");
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_told() {
    let (source, place) = ("web".to_owned(), "mqtt.example.com:8883/mqtt.example.com".to_owned());
    let news = EndpointNews::Unreachable { error: "connection refused".to_owned() };
    let closed = Topic::Endpoint { source: source.clone(), place: place.clone(), news };
    let open = Topic::Endpoint { source, place, news: EndpointNews::Reachable };
    insta::assert_snapshot!(said_of(closed.clone()), @r"
    [notafter] source web cannot reach mqtt.example.com:8883/mqtt.example.com (warning)
    Source: web
    Place: mqtt.example.com:8883/mqtt.example.com
    Last error: connection refused
    <https://certs.example.com/?source=web>

    [notafter] 来源 web 无法连接 mqtt.example.com:8883/mqtt.example.com (warning)
    来源：web
    位置：mqtt.example.com:8883/mqtt.example.com
    最近的错误：connection refused
    <https://certs.example.com/?source=web>
    ");
    insta::assert_snapshot!(said_of(open.clone()), @r"
    [notafter] source web reaches mqtt.example.com:8883/mqtt.example.com again (warning)
    Source: web
    Place: mqtt.example.com:8883/mqtt.example.com
    <https://certs.example.com/?source=web>

    [notafter] 来源 web 恢复连接 mqtt.example.com:8883/mqtt.example.com (warning)
    来源：web
    位置：mqtt.example.com:8883/mqtt.example.com
    <https://certs.example.com/?source=web>
    ");
    let both = [event(Severity::Warning, closed), event(Severity::Info, open)];
    insta::assert_snapshot!(said(&both), @r"
    [notafter] 2 events: 1 fault, 1 recovered (warning)
    - source web cannot reach mqtt.example.com:8883/mqtt.example.com · connection refused <https://certs.example.com/?source=web>
    - source web reaches mqtt.example.com:8883/mqtt.example.com again <https://certs.example.com/?source=web>
    <https://certs.example.com/>

    [notafter] 2 个事件：1 个故障，1 个恢复 (warning)
    - 来源 web 无法连接 mqtt.example.com:8883/mqtt.example.com · connection refused <https://certs.example.com/?source=web>
    - 来源 web 恢复连接 mqtt.example.com:8883/mqtt.example.com <https://certs.example.com/?source=web>
    <https://certs.example.com/>
    ");
    let six = vec![both[0].clone(); 6];
    insta::assert_snapshot!(said(&six).lines().take(2).collect::<Vec<_>>().join("\n"), @r"
    [notafter] 6 events: 6 faults (warning)
    endpoint not reachable: 6
    ");
}

#[test]
fn a_shrunken_inventory_is_told() {
    let (source, scope) = ("iot-prod".to_owned(), "mqtt-1".to_owned());
    let shrunk = Topic::InventoryShrunk {
        source: source.clone(),
        scope: scope.clone(),
        known: 5000,
        missing: 4000,
    };
    insta::assert_snapshot!(said_of(shrunk), @r"
    [notafter] iot-prod / mqtt-1 misses 4000 of 5000 certificates, removals are frozen (warning)
    Source: iot-prod
    Scope: mqtt-1
    Known: 5000
    Missing: 4000
    <https://certs.example.com/?source=iot-prod>

    [notafter] iot-prod / mqtt-1 的 5000 张证书中缺失 4000 张，已暂停移除 (warning)
    来源：iot-prod
    实例：mqtt-1
    已知：5000
    缺失：4000
    <https://certs.example.com/?source=iot-prod>
    ");
    let restored = |accepted| {
        let (source, scope) = (source.clone(), scope.clone());
        said_of(Topic::InventoryRestored { source, scope, accepted })
    };
    insta::assert_snapshot!(restored(Some(Accepted { known: 5, missing: 5 })), @r"
    [notafter] 5 of 5 certificates of iot-prod / mqtt-1 are gone, accepted after two scans (warning)
    Source: iot-prod
    Scope: mqtt-1
    Known: 5
    Missing: 5
    <https://certs.example.com/?source=iot-prod>

    [notafter] iot-prod / mqtt-1 的 5 张证书中 5 张已消失，两次扫描一致，已接受 (warning)
    来源：iot-prod
    实例：mqtt-1
    已知：5
    缺失：5
    <https://certs.example.com/?source=iot-prod>
    ");
    insta::assert_snapshot!(restored(None), @r"
    [notafter] iot-prod / mqtt-1 agrees with its provider again (warning)
    Source: iot-prod
    Scope: mqtt-1
    <https://certs.example.com/?source=iot-prod>

    [notafter] iot-prod / mqtt-1 与云端重新一致 (warning)
    来源：iot-prod
    实例：mqtt-1
    <https://certs.example.com/?source=iot-prod>
    ");
}

#[test]
fn a_list_that_leaves_out_what_is_there_is_told() {
    let (source, scope) = ("iot-prod".to_owned(), "mqtt-1".to_owned());
    let contradicts = |unlisted| {
        let (source, scope) = (source.clone(), scope.clone());
        said_of(Topic::InventoryContradicts { source, scope, unlisted })
    };
    insta::assert_snapshot!(contradicts(2), @r"
    [notafter] iot-prod / mqtt-1 leaves 2 certificates out of its list that it has when asked, nothing is removed (warning)
    Source: iot-prod
    Scope: mqtt-1
    Missing: 2
    <https://certs.example.com/?source=iot-prod>

    [notafter] iot-prod / mqtt-1 的清单缺少 2 张证书，但单独查询时存在，未移除 (warning)
    来源：iot-prod
    实例：mqtt-1
    缺失：2
    <https://certs.example.com/?source=iot-prod>
    ");
    assert!(contradicts(1).contains("leaves 1 certificate out of"), "{}", contradicts(1));
    let consistent = Topic::InventoryConsistent { source: source.clone(), scope: scope.clone() };
    insta::assert_snapshot!(said_of(consistent), @r"
    [notafter] iot-prod / mqtt-1 lists again what it left out (warning)
    Source: iot-prod
    Scope: mqtt-1
    <https://certs.example.com/?source=iot-prod>

    [notafter] iot-prod / mqtt-1 的清单已恢复完整 (warning)
    来源：iot-prod
    实例：mqtt-1
    <https://certs.example.com/?source=iot-prod>
    ");
}

#[test]
fn a_channel_going_down_and_up_is_told() {
    let topic = Topic::ChannelDown {
        channel: "ops".into(),
        code: "19024".into(),
        hint: "set the option keyword to a word the robot asks for".into(),
    };
    insta::assert_snapshot!(said_of(topic), @r"
    [notafter] channel ops cannot deliver (warning)
    Channel: ops
    Code: 19024
    What to do: set the option keyword to a word the robot asks for
    <https://certs.example.com/>

    [notafter] 通道 ops 无法投递 (warning)
    通道：ops
    代码：19024
    处理办法：set the option keyword to a word the robot asks for
    <https://certs.example.com/>
    ");
    insta::assert_snapshot!(said_of(Topic::ChannelUp { channel: "ops".into() }), @r"
    [notafter] channel ops delivers again (warning)
    Channel: ops
    <https://certs.example.com/>

    [notafter] 通道 ops 恢复投递 (warning)
    通道：ops
    <https://certs.example.com/>
    ");
}

#[test]
fn clock_trouble_is_told() {
    insta::assert_snapshot!(said_of(Topic::ClockSuspect { detail: "it jumped by 3600 s".into() }), @r"
    [notafter] the clock of this machine cannot be trusted, nothing is evaluated (warning)
    Detail: it jumped by 3600 s
    <https://certs.example.com/>

    [notafter] 本机时钟不可信，已停止判断到期 (warning)
    详情：it jumped by 3600 s
    <https://certs.example.com/>
    ");
    insta::assert_snapshot!(said_of(Topic::ClockRecovered), @r"
    [notafter] the clock of this machine can be trusted again (warning)
    <https://certs.example.com/>

    [notafter] 本机时钟恢复可信 (warning)
    <https://certs.example.com/>
    ");
    insta::assert_snapshot!(said_of(Topic::ClockOffset { source: "plant".into(), seconds: 75 }), @r"
    [notafter] the clock of plant is 75 s ahead of ours (warning)
    Source: plant
    Seconds: 75
    <https://certs.example.com/?source=plant>

    [notafter] plant 的时钟比本机快 75 秒 (warning)
    来源：plant
    秒数：75
    <https://certs.example.com/?source=plant>
    ");
    insta::assert_snapshot!(said_of(Topic::ClockOffset { source: "plant".into(), seconds: -75 }), @r"
    [notafter] the clock of plant is 75 s behind ours (warning)
    Source: plant
    Seconds: -75
    <https://certs.example.com/?source=plant>

    [notafter] plant 的时钟比本机慢 75 秒 (warning)
    来源：plant
    秒数：-75
    <https://certs.example.com/?source=plant>
    ");
}

#[test]
fn a_test_says_that_it_is_one() {
    insta::assert_snapshot!(said_of(Topic::Test), @r"
    [notafter] test message, this channel works (warning)
    <https://certs.example.com/>

    [notafter] 测试消息，此通道工作正常 (warning)
    <https://certs.example.com/>
    ");
}

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
    - *.x.com · expired 1 day ago · 2025-12-31T00:00:00Z · web-certs / all <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - a.example.com · expires in 6 days · 2026-01-07T00:00:00Z · web-certs / all <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - source iot-prod has never had a proven scan <https://certs.example.com/?source=iot-prod>
    - b.example.com · renewed · 2026-04-01T00:00:00Z · web-certs / all <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    <https://certs.example.com/>

    [notafter] 4 个事件：1 个已过期，1 个将到期，1 个已续期，1 个故障 (critical)
    - *.x.com · 已过期 1 天 · 2025-12-31T00:00:00Z · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - a.example.com · 将在 6 天后到期 · 2026-01-07T00:00:00Z · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    - 来源 iot-prod 从未能完整读取 <https://certs.example.com/?source=iot-prod>
    - b.example.com · 已续期 · 2026-04-01T00:00:00Z · web-certs <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
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
    - gone.example.com · expired 3 days ago · 2025-12-29T00:00:00Z · web-certs / all
    - h3.example.com · expires in 3 days · 2026-01-04T00:00:00Z · web-certs / all
    - h2.example.com · expires in 4 days · 2026-01-05T00:00:00Z · web-certs / all
    - h1.example.com · expires in 5 days · 2026-01-06T00:00:00Z · web-certs / all
    - h0.example.com · expires in 6 days · 2026-01-07T00:00:00Z · web-certs / all
    - channel ops delivers again
    - spare.example.com · expires in 2 days · 2026-01-03T00:00:00Z · web-certs / all · inactive
    - new.example.com · renewed · 2026-04-01T00:00:00Z · web-certs / all
    <https://certs.example.com/>

    [notafter] 8 个事件：1 个已过期，4 个将到期，1 个未启用或待启用，1 个已续期，1 个恢复 (critical)
    已过期：1
    7 天内到期：4
    未启用或待启用：1
    已续期：1
    通道已恢复：1
    - gone.example.com · 已过期 3 天 · 2025-12-29T00:00:00Z · web-certs
    - h3.example.com · 将在 3 天后到期 · 2026-01-04T00:00:00Z · web-certs
    - h2.example.com · 将在 4 天后到期 · 2026-01-05T00:00:00Z · web-certs
    - h1.example.com · 将在 5 天后到期 · 2026-01-06T00:00:00Z · web-certs
    - h0.example.com · 将在 6 天后到期 · 2026-01-07T00:00:00Z · web-certs
    - 通道 ops 恢复投递
    - spare.example.com · 将在 2 天后到期 · 2026-01-03T00:00:00Z · web-certs · 未启用
    - new.example.com · 已续期 · 2026-04-01T00:00:00Z · web-certs
    <https://certs.example.com/>
    ");
}

#[test]
fn a_certificate_that_is_not_in_use_is_told_in_a_digest_only() {
    let message =
        Message::compose("id", NOW, Language::En, vec![inactive("spare.example.com")], BASE);
    assert_eq!(message.summary, ["inactive or pending: 1"]);
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
fn hostile_names_reach_no_link_and_no_line() {
    let hostile = "](https://evil.test) <!channel> @all\r\n[x";
    let mut event = expiring(hostile, 3);
    let Topic::Expiring { facts, .. } = &mut event.topic else { panic!("made above") };
    (facts.serial, facts.scope, facts.issuer) = (hostile.into(), hostile.into(), hostile.into());
    (facts.holder, facts.unit, facts.source) = (hostile.into(), hostile.into(), hostile.into());
    for events in [vec![event.clone()], vec![event.clone(); 3], vec![event; 9]] {
        let message = Message::compose("id", NOW, Language::En, events, BASE);
        let links: Vec<_> = message
            .entries
            .iter()
            .filter_map(|entry| entry.link.clone())
            .chain(message.link.clone())
            .collect();
        assert!(
            links.iter().all(|link| link.starts_with("https://certs.example.com/")),
            "{links:?}"
        );
        assert!(
            links.iter().all(|link| !link.contains(['(', ')', '<', '[', ']', '@', ' ', '\n'])),
            "{links:?}"
        );
        let texts: Vec<_> =
            message.entries.iter().map(|entry| &entry.text).chain(&message.summary).collect();
        assert!(
            texts.iter().all(|text| !text.contains(['@', '<', '>', '[', '\n', '\r', '!'])),
            "{texts:?}"
        );
    }
}

#[test]
fn without_an_external_url_nothing_is_linked() {
    for count in [1, 3, 9] {
        let message =
            Message::compose("id", NOW, Language::En, vec![expiring("a", 3); count], None);
        assert_eq!(message.link, None);
        assert!(message.entries.iter().all(|entry| entry.link.is_none()));
    }
}

#[test]
fn an_endless_serial_makes_no_endless_message() {
    let mut event = expiring("a.example.com", 3);
    let Topic::Expiring { facts, .. } = &mut event.topic else { panic!("made above") };
    facts.serial = "7".repeat(100_000);
    let message = Message::compose("id", NOW, Language::En, vec![event], BASE);
    assert_eq!(message.link.as_deref(), Some("https://certs.example.com/"));
    assert!(message.summary.iter().all(|line| line.len() < 200));
}

#[test]
fn nothing_to_say_is_still_a_message() {
    let message = Message::compose("id", NOW, Language::En, Vec::new(), BASE);
    assert_eq!((message.severity, message.entries.len()), (Severity::Info, 0));
    assert!(message.title.starts_with("[notafter] "));
}

#[test]
fn the_last_resort_names_nothing_untrusted() {
    let message =
        Message::compose("id", NOW, Language::En, vec![expiring("evil.test", 3); 2], BASE);
    assert_eq!(message.one_line(), "[notafter] 2 events need attention");
    let message = Message { language: Language::Zh, ..message };
    assert_eq!(message.one_line(), "[notafter] 2 个事件需要处理");
    assert_eq!((message.left_out(3).as_str(), message.link_label()), ("……另有 3 条", "查看"));
}

#[test]
fn words_and_numbers_round_trip() {
    for language in Language::ALL {
        assert_eq!(Language::from_word(language.as_str()), Some(language));
    }
    assert_eq!(Language::from_word("de"), None);
    for detail in Detail::ALL {
        assert_eq!(Detail::from_index(detail.index()), detail);
    }
    assert_eq!(Detail::from_index(9), Detail::OneLine);
    assert_eq!(Detail::Full.lower(), Some(Detail::Shorter));
    assert_eq!(Detail::OneLine.lower(), None);
}

#[test]
fn rungs_have_short_words() {
    for (rung, word) in [
        (Rung::Before(30 * 86_400), "30d"),
        (Rung::Before(3600 * 6), "6h"),
        (Rung::Before(90 * 60), "90m"),
        (Rung::Before(61), "61s"),
        (Rung::Before(0), "0s"),
        (Rung::Expired, "expired"),
    ] {
        assert_eq!(Message::rung_word(rung), word);
    }
}

#[test]
fn lengths_of_time_are_whole_units_rounded_down() {
    for (seconds, en, zh) in [
        (0, "1 minute", "1 分钟"),
        (7199, "1 hour", "1 小时"),
        (86_399, "23 hours", "23 小时"),
        (2 * 86_400, "2 days", "2 天"),
    ] {
        assert_eq!(words::span(seconds, Language::En), en);
        assert_eq!(words::span(seconds, Language::Zh), zh);
    }
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
    assert_eq!(message.summary, ["expired: 1", "within 7d: 1", "inactive or pending: 2"]);
}

#[test]
fn a_certificate_in_a_place_is_told_with_its_place_and_with_what_is_newer() {
    let newer = Newer {
        source: "web".into(),
        place: "/b.pem".into(),
        serial: "05ffee".into(),
        not_after: Some(NOW.plus(90 * DAY)),
        deployment_unknown: false,
    };
    let placed = Facts {
        place: "/etc/a.pem".into(),
        issuer: "C=JP, O=SECOM (x)".into(),
        fingerprint: Some([7; 32]),
        collides: true,
        ..facts("a.example.com", 7)
    };
    let rung = Rung::Before(7 * 86_400);
    let topic =
        Topic::Expiring { facts: placed.clone(), rung, leaves: None, newer: Some(newer.clone()) };
    insta::assert_snapshot!(said_of(topic.clone()), @r"
    [notafter] certificate a.example.com expires in 7 days (warning)
    Common name: a.example.com
    Source: web-certs
    Scope: all
    Place: /etc/a.pem
    Issuer: C=JP, O=SECOM (x)
    Serial: 04a1b2c3
    Fingerprint: 0707070707070707070707070707070707070707070707070707070707070707
    Not after: 2026-01-08T00:00:00Z
    Days left: 7
    Newer certificate: 05ffee, 2026-04-01T00:00:00Z, web / /b.pem
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>

    [notafter] 证书 a.example.com 将在 7 天后到期 (warning)
    通用名称 (CN)：a.example.com
    来源：web-certs
    位置：/etc/a.pem
    签发者：C=JP, O=SECOM (x)
    序列号：04a1b2c3
    指纹：0707070707070707070707070707070707070707070707070707070707070707
    到期时间：2026-01-08T00:00:00Z
    剩余天数：7
    较新的证书：05ffee, 2026-04-01T00:00:00Z, web / /b.pem
    <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
    ");
    let listed = Newer { place: "all".into(), deployment_unknown: true, ..newer.clone() };
    let unknown = Topic::Expiring { facts: facts("b", 7), rung, leaves: None, newer: Some(listed) };
    let gone = Topic::Gone { facts: placed, elsewhere: Some(newer) };
    let events = [topic, unknown, gone].map(|topic| event(Severity::Warning, topic));
    let message = Message::compose("id", NOW, Language::En, events.to_vec(), None);
    let lines: Vec<_> = message.entries.iter().map(|entry| entry.text.as_str()).collect();
    assert!(lines[0].contains("web-certs / /etc/a.pem · Newer certificate: 05ffee"), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("not known whether it is deployed")));
    assert!(lines.iter().any(|line| line.starts_with("a.example.com · gone · web-certs")));
}
