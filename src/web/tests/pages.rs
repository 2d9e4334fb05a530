//! The page: every view, in both languages, whatever certificates are called.

use std::sync::Arc;

use super::super::limits::Limits;
use super::client::{Answer, Server, start};
use crate::expiry::{Kind, Status, View};
use crate::metrics::testing::{Known, NOW};
use crate::scan::{ScanStatus, SourceStatus};
use crate::store::{BatchUpdate, ChannelState};

const DAY: i64 = 86_400;

fn polled() -> SourceStatus {
    SourceStatus {
        name: "s".to_owned(),
        kind: "files".to_owned(),
        up: Some(false),
        last_attempt: Some(NOW.plus(-60)),
        last_error: Some("unavailable: <b>bold</b>".to_owned()),
        problems: Vec::new(),
        differing: vec!["a.test:443: 2 of 3 addresses serve <0a>".to_owned()],
        scans: vec![ScanStatus {
            scope: "all".to_owned(),
            window: "all".to_owned(),
            last_proven: Some(NOW.plus(-7200)),
            reported: Some(12),
            collected: Some(11),
            missing: Some(1),
        }],
    }
}

async fn page(server: &Server, path: &str) -> Answer {
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{path}:\n{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    answer
}

fn holds(answer: &Answer, parts: &[&str]) {
    for part in parts {
        assert!(answer.text().contains(part), "{part} is not in\n{}", answer.text());
    }
}

fn lacks(answer: &Answer, parts: &[&str]) {
    for part in parts {
        assert!(!answer.text().contains(part), "{part} is in\n{}", answer.text());
    }
}

fn three() -> [Known; 3] {
    [
        Known::new("s", "all", "0a").names("late.example", "late", "").ends_in(90 * DAY),
        Known::new("s", "all", "0b")
            .names("soon.example", "soon", "plant-7")
            .issuer("CN=Root")
            .kind(Kind::Server)
            .ends_in(3 * DAY + 4 * 3600 + 1800),
        Known::new("t", "i-1", "0c").names("gone.example", "", "").status(Status::Revoked),
    ]
}

/// Returns the address of the story of the first certificate in the list of `query`.
async fn story_of(server: &Server, query: &str) -> String {
    let list = page(server, &format!("/certificates?{query}")).await;
    let (_, rest) = list.text().split_once("href=\"/certificates/").unwrap();
    format!("/certificates/{}", rest.split('"').next().unwrap())
}

#[tokio::test]
async fn the_first_page_says_what_needs_somebody_first() {
    let server = start(&three(), Limits::default()).await;
    server.sources.send(Arc::new(vec![polled()])).unwrap();
    let first = page(&server, "/").await;
    holds(
        &first,
        &[
            "1 certificate needs you; 1 source was last proven 2 hours ago",
            "class=\"answer bad\"",
            "soon.example",
            "in 3 days",
            "unavailable: &lt;b&gt;bold&lt;/b&gt;",
            "href=\"/sources/s\"",
            "/certificates?status=active&amp;ends_from=2026-11-25&amp;ends_to=2026-11-25",
            "/certificates?status=active&amp;ends_from=2027-02-01&amp;ends_to=2027-02-28",
            "href=\"/certificates?rung=7d&amp;status=active\"",
        ],
    );
    lacks(&first, &["late.example", "gone.example", "<b>bold"]);
}

#[tokio::test]
async fn pages_say_what_a_browser_may_do_with_them() {
    let server = start(&three(), Limits::default()).await;
    for path in ["/", "/certificates", "/sources", "/nothing/../sources/none"] {
        let answer = server.get(path).await;
        if answer.status == 404 && answer.header("content-security-policy").is_none() {
            continue;
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        lacks(&answer, &[" style=\"", "javascript:", " onclick", "http://", "https://"]);
    }
    let style = server.get("/style.css").await;
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    holds(&style, &["prefers-color-scheme: dark"]);
    let script = server.get("/page.js").await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
}

#[tokio::test]
async fn a_page_that_did_not_change_is_not_sent_again() {
    let server = start(&three(), Limits::default()).await;
    let first = page(&server, "/").await;
    let tag = format!("if-none-match: {}", first.header("etag").unwrap());
    let again = server.ask("GET /", &[&tag]).await;
    assert_eq!((again.status, again.text()), (304, ""));
    let chinese = server.ask("GET /", &[&tag, "accept-language: zh"]).await;
    assert_eq!(chinese.status, 200, "another language is another page");
    server.sources.send(Arc::new(vec![polled()])).unwrap();
    assert_eq!(server.ask("GET /", &[&tag]).await.status, 200, "a source is another");
}

#[tokio::test]
async fn a_page_is_in_the_language_of_its_reader() {
    let server = start(&three(), Limits::default()).await;
    let chinese =
        server.ask("GET /certificates?q=a%20b&kind=ca", &["accept-language: zh-CN"]).await;
    holds(&chinese, &["lang=\"zh-CN\"", "<h1>证书</h1>", "没有符合条件的证书"]);
    let link = "/language?to=en&amp;back=%2Fcertificates%3Fq%3Da%2520b%26kind%3Dca";
    holds(&chinese, &[link]);
    let switch = server.get(&link.replace("&amp;", "&")).await;
    assert_eq!(switch.status, 303);
    assert_eq!(switch.header("location"), Some("/certificates?q=a%20b&kind=ca"));
    let cookie = switch.header("set-cookie").unwrap().split(';').next().unwrap();
    assert_eq!(cookie, "notafter_language=en");
    let headers = ["accept-language: zh-CN", &format!("cookie: {cookie}")];
    holds(&server.ask("GET /", &headers).await, &["lang=\"en\"", "Overview"]);
    let away = server.get("/language?to=zh&back=//evil.example").await;
    assert_eq!(away.header("location"), Some("/"));
    assert_eq!(server.get("/language?to=x&to=y").await.status, 400);
}

#[tokio::test]
async fn the_list_is_by_urgency_and_can_be_exported_as_it_is() {
    let server = start(&three(), Limits::default()).await;
    let list = page(&server, "/certificates").await;
    let place = |name: &str| list.text().find(name).unwrap();
    assert!(place("soon.example") < place("late.example"));
    assert!(place("late.example") < place("gone.example"));
    holds(
        &list,
        &["3 certificates", "<code><bdi>0b</bdi></code>", "plant-7", "revoked", "within 7d"],
    );
    let filtered = page(&server, "/certificates?source=s&q=&sort=-not_after&limit=1").await;
    holds(
        &filtered,
        &[
            "2 certificates",
            "href=\"/api/v1/certificates?source=s&amp;sort=-not_after&amp;format=csv\"",
            "aria-sort=\"descending\"",
            "late.example",
            "<option value=\"s\" selected>",
        ],
    );
    lacks(&filtered, &["soon.example"]);
    let (_, next) = filtered.text().split_once("rel=\"next\" href=\"").unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    let next = page(&server, &next).await;
    holds(&next, &["soon.example", "First page"]);
    lacks(&next, &["late.example", "rel=\"next\""]);
}

#[tokio::test]
async fn the_list_is_filtered() {
    let known = [
        Known::new("s", "all", "0a").names("one.example", "", ""),
        Known::new("s", "all", "0b").names("Two.example", "", ""),
        Known::new("t", "all", "0c").names("two.other", "", ""),
    ];
    let server = start(&known, Limits::default()).await;
    for (query, expected) in [
        ("", &["one.example", "Two.example", "two.other"][..]),
        ("?q=TWO", &["Two.example", "two.other"]),
        ("?q=two&source=t", &["two.other"]),
        ("?source=s", &["one.example", "Two.example"]),
        ("?q=0A", &["one.example"]),
        ("?q=none", &[]),
        ("?source=nowhere", &[]),
    ] {
        let list = page(&server, &format!("/certificates{query}")).await;
        for name in ["one.example", "Two.example", "two.other"] {
            assert_eq!(list.text().contains(name), expected.contains(&name), "{query} {name}");
        }
    }
    // Links of messages that were sent before there was a list.
    let old = server.get("/?source=s&scope=all&q=0a").await;
    assert_eq!(old.status, 308);
    assert_eq!(old.header("location"), Some("/certificates?source=s&scope=all&q=0a"));
}

#[tokio::test]
async fn a_mistake_is_answered_by_a_page_that_says_what_may_be_there() {
    let server = start(&three(), Limits::default()).await;
    for (path, status, part) in [
        ("/certificates?status=x", 400, "status: it is one of `active`"),
        ("/certificates?colour=red", 400, "colour: it is none of"),
        ("/certificates?cursor=x", 404, "begin again without it"),
        ("/certificates/0000", 404, "No certificate with this id"),
        ("/certificates/%FF", 404, "No certificate with this id"),
        ("/sources/none", 404, "No source of this name"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(answer.header("etag").is_none());
        holds(&answer, &[part]);
    }
}

#[tokio::test]
async fn the_story_of_one_certificate() {
    let server = start(&three(), Limits::default()).await;
    let story = page(&server, &story_of(&server, "q=soon.example").await).await;
    holds(
        &story,
        &[
            "Expires in 3 days",
            "2026-11-25 04:30 UTC",
            "within 7d",
            "<tr class=\"now\">",
            "plant-7",
            "CN=Root",
            "First seen",
            "No channel has been told",
            "/api/v1/certificates/",
            "/certificates?serial=0b&amp;issuer=CN%3DRoot",
        ],
    );
}

#[tokio::test]
async fn what_should_be_served_is_named_beside_what_is() {
    let mut old = Known::new("web", "all", "0a").names("a.example", "", "");
    "a.test:443/<a>".clone_into(&mut old.0.place);
    let known = [old, Known::new("ssl", "all", "<0b>").ends_in(90 * DAY)];
    let server = start(&known, Limits::default()).await;
    let rows: Vec<_> = server.view.borrow().rows().map(|(row, _)| row).collect();
    lacks(&page(&server, "/certificates").await, &["newer not deployed"]);
    let view = View::clone(&server.view.borrow());
    let undeployed = Arc::new([(rows[0], rows[1])].into());
    server.view.send(Arc::new(view.with_undeployed(undeployed))).unwrap();
    let list = page(&server, "/certificates?not_deployed=true").await;
    holds(&list, &["newer not deployed", "a.test:443/&lt;a&gt;"]);
    lacks(&list, &["&lt;0b&gt;"]);
    let story = page(&server, &story_of(&server, "not_deployed=true").await).await;
    holds(&story, &["It is served still, although there is a newer one", "&lt;0b&gt;"]);
}

#[tokio::test]
async fn the_sources_say_how_whole_they_were_seen() {
    let server = start(&[], Limits::default()).await;
    holds(&page(&server, "/sources").await, &["No source is configured"]);
    holds(
        &page(&server, "/").await,
        &["No source is configured, so nothing is watched", "notafter check"],
    );
    let mut source = polled();
    source.problems = vec!["/etc/<x>: permission denied".to_owned()];
    source.scans = vec![source.scans[0].clone(); 30];
    server.sources.send(Arc::new(vec![source])).unwrap();
    holds(&page(&server, "/sources").await, &["Its last poll failed", "2026-11-21 22:00 UTC"]);
    let one = page(&server, "/sources/s").await;
    holds(
        &one,
        &[
            "/etc/&lt;x&gt;: permission denied",
            "2 of 3 addresses serve &lt;0a&gt;",
            "<span class=\"bad\">1</span>",
            "10 more",
            "href=\"/certificates?source=s\"",
        ],
    );
}

#[tokio::test]
async fn hostile_names_do_not_break_a_page() {
    let hostile = "<script>alert(1)</script>\u{202e}\" onload=\"x";
    let known =
        [Known::new(hostile, hostile, hostile).names(hostile, hostile, hostile).issuer(hostile)];
    let server = start(&known, Limits::default()).await;
    let status = SourceStatus { name: hostile.to_owned(), ..polled() };
    server.sources.send(Arc::new(vec![status])).unwrap();
    let first = page(&server, "/").await;
    let (_, link) = first.text().split_once("href=\"/sources/").unwrap();
    let source = format!("/sources/{}", link.split('"').next().unwrap());
    let story = story_of(&server, "").await;
    let asked = "/certificates?q=%3Cscript%3E&source=%22%3E%3Cscript%3E%E2%80%AE";
    for path in ["/", "/certificates", "/sources", &source, &story, asked] {
        let answer = page(&server, path).await;
        lacks(&answer, &["<script>", "<b>bold", "\" onload=", "<script a"]);
        let shown = answer.text().split("<option").next().unwrap();
        assert!(!shown.contains('\u{202e}'), "{path}:\n{shown}");
        if path != "/sources" && path != asked {
            holds(&answer, &["&lt;script&gt;alert(1)"]);
        }
    }
}

#[tokio::test]
async fn the_channels_say_whether_rooms_are_reached() {
    let server = start(&three(), Limits::default()).await;
    holds(
        &page(&server, "/notifications").await,
        &["ops", "webhook", "Nothing has been sent to it yet"],
    );
    let settle = async |state: ChannelState| {
        server.store.settle("ops", "none", &BatchUpdate::Released, &state).await.unwrap();
    };
    let last_success = Some(NOW.plus(-7200));
    settle(ChannelState { last_success, ..ChannelState::default() }).await;
    holds(&page(&server, "/notifications").await, &["Delivers", "2 hours ago"]);
    let down = Some("410 <gone>".to_owned());
    let gate_until = Some(NOW.plus(600));
    settle(ChannelState { down, failures: 5, gate_until, ..ChannelState::default() }).await;
    let channels = page(&server, "/notifications").await;
    holds(&channels, &["Down (410 &lt;gone&gt;)", "notafter channel test", "in 10 minutes"]);
    server
        .sources
        .send(Arc::new(vec![SourceStatus { up: Some(true), last_error: None, ..polled() }]))
        .unwrap();
    holds(&page(&server, "/").await, &["1 channel does not deliver", "href=\"/notifications\""]);
}
