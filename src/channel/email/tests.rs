use super::super::robot::kit::built;
use super::super::sample;
use super::*;
use crate::expiry::{Detail, Language};

const OPTIONS: &str = "server = \"smtps://mail.example.com\"\nfrom = \"notafter <notafter@example.com>\"\n\
                       to = [\"ops@example.com\", \"web@example.com\"]";

fn channel() -> Arc<dyn Channel> {
    let (channel, mistakes) = built("email", "", OPTIONS);
    channel.unwrap_or_else(|| panic!("{mistakes:?}"))
}

fn letter(message: &Message) -> String {
    let body: Value = serde_json::from_str(&channel().encode(message)[0]).unwrap();
    body["mail"].as_str().unwrap().replace("\r\n", "\n")
}

fn header(mail: &str, name: &str) -> String {
    let line = mail.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_default().to_owned()
}

#[test]
fn a_single_event() {
    insta::assert_snapshot!(letter(&sample::single()), @r#"
    From: notafter <notafter@example.com>
    To: ops@example.com
    Subject: [notafter] WARNING: certificate www.example.com expires in 7 days
    Date: Thu, 01 Jan 2026 00:00:00 +0000
    Message-ID: <0193e4b0-7d-1@example.com>
    In-Reply-To: <notafter-56c67059b76ed87b@example.com>
    References: <notafter-56c67059b76ed87b@example.com>
    MIME-Version: 1.0
    Auto-Submitted: auto-generated
    X-Auto-Response-Suppress: All
    List-Id: notafter <notafter>
    Content-Type: multipart/mixed; boundary="notafter-all-0193e4b0-7d"

    --notafter-all-0193e4b0-7d
    Content-Type: multipart/alternative; boundary="notafter-forms-0193e4b0-7d"

    --notafter-forms-0193e4b0-7d
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: 7bit

    [notafter] certificate www.example.com expires in 7 days
    Expiry: 2026-01-08 00:00 (UTC), in 7 days
    Common name: www.example.com
    Source: web-certs
    Issuer: R11
    Serial: 04a1b2c3
    https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3
    id 0193e4b0-7d
    --notafter-forms-0193e4b0-7d
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    <div style=3D"border-left:6px solid #e8710a;padding:4px 16px;font-family:sa=
    ns-serif"><h2 style=3D"font-size:18px">[notafter] certificate www.example.c=
    om expires in 7 days</h2><table><tr><td style=3D"padding:2px 16px 2px 0;col=
    or:#5f6368">Expiry</td><td><b>2026-01-08 00:00 (UTC), in 7 days</b></td></t=
    r><tr><td style=3D"padding:2px 16px 2px 0;color:#5f6368">Common name</td><t=
    d>www.example.com</td></tr><tr><td style=3D"padding:2px 16px 2px 0;color:#5=
    f6368">Source</td><td>web-certs</td></tr><tr><td style=3D"padding:2px 16px =
    2px 0;color:#5f6368">Issuer</td><td>R11</td></tr><tr><td style=3D"padding:2=
    px 16px 2px 0;color:#5f6368">Serial</td><td>04a1b2c3</td></tr></table><ul s=
    tyle=3D"padding-left:16px"></ul><p><a href=3D"https://certs.example.com/?so=
    urce=3Dweb-certs&amp;scope=3Dall&amp;q=3D04a1b2c3">Open</a></p><p style=3D"=
    color:#5f6368;font-size:12px">id 0193e4b0-7d</p></div>
    --notafter-forms-0193e4b0-7d--
    --notafter-all-0193e4b0-7d--
    "#);
}

#[test]
fn a_list_comes_with_a_table() {
    insta::assert_snapshot!(letter(&sample::list()), @r#"
    From: notafter <notafter@example.com>
    To: ops@example.com
    Subject: [notafter] WARNING: 2 events: 2 expiring
    Date: Thu, 01 Jan 2026 00:00:00 +0000
    Message-ID: <0193e4b0-7d-1@example.com>
    MIME-Version: 1.0
    Auto-Submitted: auto-generated
    X-Auto-Response-Suppress: All
    List-Id: notafter <notafter>
    Content-Type: multipart/mixed; boundary="notafter-all-0193e4b0-7d"

    --notafter-all-0193e4b0-7d
    Content-Type: multipart/alternative; boundary="notafter-forms-0193e4b0-7d"

    --notafter-forms-0193e4b0-7d
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    [notafter] 2 events: 2 expiring
    *.a.example.com =C2=B7 expires in 3 days =C2=B7 2026-01-04 00:00 (UTC) =C2=
    =B7 web-certs
    b.example.com =C2=B7 expires in 7 days =C2=B7 2026-01-08 00:00 (UTC) =C2=B7=
     web-certs
    https://certs.example.com/
    id 0193e4b0-7d
    --notafter-forms-0193e4b0-7d
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    <div style=3D"border-left:6px solid #e8710a;padding:4px 16px;font-family:sa=
    ns-serif"><h2 style=3D"font-size:18px">[notafter] 2 events: 2 expiring</h2>=
    <table></table><ul style=3D"padding-left:16px"><li><b>*.a.example.com</b> =
    =C2=B7 expires in 3 days =C2=B7 2026-01-04 00:00 (UTC) =C2=B7 web-certs <a =
    href=3D"https://certs.example.com/?source=3Dweb-certs&amp;scope=3Dall&amp;q=
    =3D04a1b2c3">Open</a></li><li><b>b.example.com</b> =C2=B7 expires in 7 days=
     =C2=B7 2026-01-08 00:00 (UTC) =C2=B7 web-certs <a href=3D"https://certs.ex=
    ample.com/?source=3Dweb-certs&amp;scope=3Dall&amp;q=3D04a1b2c3">Open</a></l=
    i></ul><p><a href=3D"https://certs.example.com/">Open</a></p><p style=3D"co=
    lor:#5f6368;font-size:12px">id 0193e4b0-7d</p></div>
    --notafter-forms-0193e4b0-7d--
    --notafter-all-0193e4b0-7d
    Content-Disposition: attachment; filename="certificates.csv"
    Content-Type: text/csv; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    severity,event,common_name,holder,source,scope,place,issuer,serial,not_afte=
    r=0Awarning,certificate.expiring,*.a.example.com,,web-certs,all,,R11,04a1b2=
    c3,2026-01-04T00:00:00Z=0Awarning,certificate.expiring,b.example.com,,web-c=
    erts,all,,R11,04a1b2c3,2026-01-08T00:00:00Z=0A
    --notafter-all-0193e4b0-7d--
    "#);
}

#[test]
fn each_recipient_has_a_letter_with_an_id_of_its_own_that_stays() {
    let (first, again) = (channel().encode(&sample::single()), channel().encode(&sample::single()));
    assert_eq!(first, again, "the same bytes each time");
    let ids: Vec<_> = first
        .iter()
        .map(|body| serde_json::from_str::<Value>(body).unwrap())
        .map(|body| (body["to"].clone(), header(body["mail"].as_str().unwrap(), "Message-ID")))
        .collect();
    assert_eq!(
        ids,
        [
            (json!("ops@example.com"), "<0193e4b0-7d-1@example.com>".to_owned()),
            (json!("web@example.com"), "<0193e4b0-7d-2@example.com>".to_owned()),
        ]
    );
}

#[test]
fn what_is_said_of_one_certificate_is_one_thread() {
    let topics = sample::topics("x").into_iter().filter(|topic| topic.facts().is_some());
    let threads: Vec<_> = topics
        .filter(|topic| topic.kind() != "certificate.not_deployed")
        .map(|topic| crate::expiry::Event {
            id: "1".into(),
            at: sample::NOW,
            severity: crate::expiry::Severity::Info,
            topic,
        })
        .map(|event| header(&letter(&sample::compose(Language::En, vec![event])), "References"))
        .collect();
    assert_eq!(threads.len(), 5);
    assert!(threads.iter().all(|thread| *thread == threads[0]), "{threads:?}");
    assert!(threads[0].starts_with("<notafter-") && threads[0].ends_with("@example.com>"));
    assert_eq!(header(&letter(&sample::list()), "References"), "");
}

#[test]
fn nothing_in_a_letter_acts() {
    for message in [sample::hostile(1), sample::hostile(9)] {
        for detail in Detail::ALL {
            let mail = letter(&Message { detail, ..message.clone() });
            let head = mail.split("\n\n").next().unwrap();
            let names = head.lines().filter(|line| !line.starts_with(' ')).count();
            assert!((10..=13).contains(&names), "{head}");
            assert!(mail.is_ascii() && mail.lines().all(|line| line.len() <= 998));
            assert!(mail.len() < 1 << 20);
        }
    }
}

#[test]
fn what_is_no_server_or_address_is_a_mistake() {
    let good = "from = \"a@b.c\"\nto = [\"a@b.c\"]";
    for (options, expected) in [
        (format!("server = \"mail.example.com\"\n{good}"), "`server` must be a URL"),
        (format!("server = \"http://mail.example.com\"\n{good}"), "`server` must begin with"),
        (
            format!("server = \"smtp://u:s3cr3t@mail.example.com\"\n{good}"),
            "`server` must not hold a user",
        ),
        (
            "server = \"smtps://m\"\nfrom = \"nobody\"\nto = [\"a@b.c\"]".into(),
            "`from` is no address",
        ),
        ("server = \"smtps://m\"\nfrom = \"a@b.c\"\nto = []".into(), "`to` names nobody"),
        (
            "server = \"smtps://m\"\nfrom = \"a@b.c\"\nto = [\"x\"]".into(),
            "`to`: this is no address",
        ),
        (
            format!("server = \"smtps://m\"\nuser = \"u\"\n{good}"),
            "`user` and `password` go together",
        ),
        (
            format!("server = \"smtps://m\"\nproxy = \"http://p\"\n{good}"),
            "mail goes to its server without one",
        ),
    ] {
        let (channel, mistakes) = built("email", "", &options);
        assert!(channel.is_none(), "{options}");
        assert!(mistakes.len() == 1 && mistakes[0].contains(expected), "{mistakes:?}");
        let (_, said) = mistakes[0].split_once(" | ").unwrap();
        assert!(!said.contains("s3cr3t"), "{said}");
    }
}

#[test]
fn a_daily_digest_comes_with_the_table_of_those_that_end() {
    let digest = crate::expiry::sample::daily("=edge");
    let topic = crate::expiry::Topic::DailyDigest(Box::new(digest));
    let severity = crate::expiry::Severity::Info;
    let event = crate::expiry::Event { id: "d".into(), at: sample::NOW, severity, topic };
    let text = letter(&sample::compose(crate::expiry::Language::En, vec![event]));
    let table = text.split("certificates.csv").nth(1).unwrap();
    assert!(table.contains("warning,certificate.expiring,'=3Dedge,,web-certs"), "{table}");
    assert_eq!(table.matches("certificate.expiring").count(), 2, "{table}");
}
