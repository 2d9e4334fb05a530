use super::*;
use crate::expiry::absence::Accepted;
use crate::expiry::certificate::Kind;
use crate::expiry::event::Newer;
use crate::expiry::facts::Facts;
use crate::expiry::sample::facts;

mod ahead;
mod canary;
mod certificates;
mod endpoints;
mod lists;
mod spelling;
mod untrusted;

const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
const DAY: i64 = 86_400;
const BASE: Option<&str> = Some("https://certs.example.com/");

fn event(severity: Severity, topic: Topic) -> Event {
    Event { id: "0193e4b0".into(), at: NOW, severity, topic }
}

fn expiring(name: &str, days: i64) -> Event {
    let rung = if days > 0 { Rung::Before(7 * 86_400) } else { Rung::Expired };
    let severity = if days > 0 { Severity::Warning } else { Severity::Critical };
    event(
        severity,
        Topic::Expiring {
            facts: facts(name, days),
            rung,
            leaves: None,
            newer: None,
            unserved: false,
            places: None,
        },
    )
}

fn inactive(name: &str) -> Event {
    let facts = Facts { status: Status::Inactive, ..facts(name, 2) };
    event(
        Severity::Info,
        Topic::Expiring {
            facts,
            rung: Rung::Before(3 * 86_400),
            leaves: None,
            newer: None,
            unserved: false,
            places: None,
        },
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

fn newer(source: &str, place: &str) -> Newer {
    Newer {
        source: source.into(),
        place: place.into(),
        serial: "05ffee".into(),
        not_after: Some(NOW.plus(90 * DAY)),
        deployment_unknown: false,
    }
}

fn undeployed(days: i64) -> Event {
    let place = "www.example.com:443/www.example.com".into();
    let facts = Facts { source: "web".into(), place, ..facts("www.example.com", days) };
    let rung = if days > 0 { Rung::Before(7 * 86_400) } else { Rung::Expired };
    let since = (days > 0).then(|| NOW.plus(-20 * DAY));
    let newer = newer("web-certs", "all");
    let bound = Vec::new();
    event(Severity::Warning, Topic::NotDeployed { facts, rung, newer, since, bound })
}

fn fact_lines(message: &Message) -> Vec<String> {
    message.facts.iter().map(|fact| fact.line(message.language)).collect()
}

fn shown(message: &Message) -> String {
    let entries = message.entries.iter().map(|entry| match &entry.link {
        Some(link) => format!("- {} <{link}>", entry.text),
        None => format!("- {}", entry.text),
    });
    let link = message.link.iter().map(|link| format!("<{link}>"));
    let title = std::iter::once(format!("{} ({})", message.title, message.severity.as_str()));
    title.chain(fact_lines(message)).chain(entries).chain(link).collect::<Vec<_>>().join("\n")
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
fn a_stale_source_is_told() {
    let topic = Topic::SourceStale {
        source: "iot-prod".into(),
        last_proven: Some(NOW.plus(-3600)),
        error: Some("throttled: RequestLimitExceeded".into()),
    };
    insta::assert_snapshot!(said_of(topic), @r"
    [notafter] source iot-prod has no proven scan since 2025-12-31 23:00 (UTC) (warning)
    Source: iot-prod
    Last proven scan: 2025-12-31 23:00 (UTC), 1 hour ago
    Last error: throttled: RequestLimitExceeded
    <https://certs.example.com/?source=iot-prod>

    [notafter] 来源 iot-prod 自 2025-12-31 23:00 (UTC) 起未能完整读取 (warning)
    来源：iot-prod
    上次完整读取：2025-12-31 23:00 (UTC)，1 小时前
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
