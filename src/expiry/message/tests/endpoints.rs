//! Messages about what is looked at: places and endpoints.

use super::*;
use crate::expiry::endpoint::{EndpointNews, Invalid, InvalidReason};

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
