//! The page, problems, health and reload.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::limits::Limits;
use super::client::{Answer, answer, send, start};
use crate::expiry::{Kind, Status, View};
use crate::metrics::testing::{Known, NOW};
use crate::scan::{ScanStatus, SourceStatus};

fn problem(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(document["type"], "about:blank");
    assert_eq!(document["status"], answer.status);
    assert!(document["title"].is_string());
    (answer.status, document["detail"].as_str().unwrap().to_owned())
}

fn polled() -> SourceStatus {
    SourceStatus {
        name: "s".to_owned(),
        kind: "files".to_owned(),
        up: Some(false),
        last_attempt: Some(NOW.plus(-60)),
        last_error: Some("unavailable: <b>bold</b>".to_owned()),
        problems: Vec::new(),
        differing: vec![
            "a.test:443/a.test: 2 of 3 addresses serve <0a>, 10.0.0.1 serves 0b".into(),
        ],
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

#[tokio::test]
async fn health_and_readiness() {
    let server = start(&[], Limits::default()).await;
    assert_eq!(server.get("/-/healthy").await.status, 200);
    assert_eq!(problem(&server.get("/-/ready").await).0, 503);
    server.ready.send(true).unwrap();
    assert_eq!(server.get("/-/ready").await.status, 200);
    server.writable.send(false).unwrap();
    let answer = server.get("/-/ready").await;
    assert_eq!(problem(&answer), (503, "the store cannot be written; the log says why".to_owned()));
    assert_eq!(server.get("/-/healthy").await.status, 200);
    server.writable.send(true).unwrap();
    assert_eq!(server.get("/-/ready").await.status, 200);
}

#[tokio::test]
async fn errors_are_problem_documents() {
    let server = start(&[], Limits::default()).await;
    for (request, status) in [
        ("GET /nothing", 404),
        ("GET /-/", 404),
        ("GET /metrics/", 404),
        ("POST /metrics", 405),
        ("DELETE /", 405),
        ("GET /-/reload", 405),
        ("GET /?q=%FF&q=2", 400),
    ] {
        let answer = server.ask(request, &[]).await;
        assert_eq!(problem(&answer).0, status, "{request}");
    }
    let answer = server.ask("GET /-/reload", &[]).await;
    assert_eq!(answer.header("allow"), Some("POST, PUT"));
    let answer = server.ask("PUT /metrics", &[]).await;
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn a_reload_tells_how_it_went() {
    let mut server = start(&[], Limits::default()).await;
    for (method, result, status) in [
        ("POST", Ok("`server.listen` stays 127.0.0.1:1 until the next start".to_owned()), 200),
        ("PUT", Ok("the configuration is reloaded".to_owned()), 200),
        ("POST", Err("line 3: unknown key `regoin`\nline 9: bad".to_owned()), 422),
    ] {
        let mut stream = server.control().await;
        send(&mut stream, &format!("{method} /-/reload"), &[]).await;
        let wish = server.reloads.recv().await.unwrap();
        wish.send(result.clone()).unwrap();
        let answer = answer(&mut stream).await;
        assert_eq!(answer.status, status);
        match result {
            Ok(done) => assert_eq!(answer.text(), done + "\n"),
            Err(mistakes) => assert_eq!(problem(&answer).1, mistakes),
        }
    }
}

#[tokio::test]
async fn a_reload_for_another_site_is_refused() {
    let mut server = start(&[], Limits::default()).await;
    for header in ["origin: http://evil.example", "sec-fetch-site: cross-site", "origin: null"] {
        let answer = server.ask("POST /-/reload", &[header]).await;
        assert_eq!(problem(&answer).0, 403, "{header}");
    }
    assert!(server.reloads.try_recv().is_err());
}

#[tokio::test]
async fn a_second_reload_does_not_queue_for_ever() {
    let server = start(&[], Limits::default()).await;
    let mut first = server.control().await;
    send(&mut first, "POST /-/reload", &[]).await;
    // Nobody takes the first one, so the place stays taken once it is there.
    while server.reloads.is_empty() {
        tokio::task::yield_now().await;
    }
    let second = server.command("POST /-/reload").await;
    assert_eq!(problem(&second).0, 503);
}

#[tokio::test]
async fn the_page_shows_sources_and_certificates() {
    let known = [
        Known::new("s", "all", "0a").names("late.example", "late", "").ends_in(90 * 86_400),
        Known::new("s", "all", "0b")
            .names("soon.example", "soon", "")
            .issuer("CN=Root")
            .kind(Kind::Server)
            .ends_in(3 * 86_400 + 4 * 3600 + 1800),
        Known::new("t", "i-1", "0c").names("gone.example", "", "").status(Status::Revoked),
    ];
    let server = start(&known, Limits::default()).await;
    server.sources.send(Arc::new(vec![polled()])).unwrap();
    let page = server.get("/").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    for part in [
        "<b>s</b>",
        "<span class=\"bad\">down</span>",
        "2026-11-21 23:59:00 UTC</time> <span class=\"dim\">1 min ago</span>",
        "2026-11-21 22:00:00 UTC</time> <span class=\"dim\">2 h ago</span>",
        "<td class=\"number\" data-label=\"Missing\"><span class=\"bad\">1</span></td>",
        "<span class=\"soon\">in 3 d 4 h</span>",
        "soon.example",
        "CN=Root",
        "<code>0b</code>",
        "revoked",
    ] {
        assert!(page.text().contains(part), "{part} is not in\n{}", page.text());
    }
    let place = |name: &str| page.text().find(name).unwrap();
    assert!(place("soon.example") < place("late.example"));
    assert!(place("late.example") < place("gone.example"));
    let style = server.get("/style.css").await;
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert!(style.text().contains("prefers-color-scheme: dark"));
}

#[tokio::test]
async fn what_should_be_served_is_named_beside_what_is() {
    let place = "a.test:443/<a>";
    let mut old = Known::new("web", "all", "0a").names("a.example", "", "");
    old.0.place = place.to_owned();
    let known = [old, Known::new("ssl", "all", "<0b>").ends_in(90 * 86_400)];
    let server = start(&known, Limits::default()).await;
    let rows: Vec<_> = server.view.borrow().rows().map(|(row, _)| row).collect();
    let page = server.get("/").await;
    assert!(!page.text().contains("not deployed"), "{}", page.text());
    let view = View::clone(&server.view.borrow());
    let undeployed = Arc::new([(rows[0], rows[1])].into());
    server.view.send(Arc::new(view.with_undeployed(undeployed))).unwrap();
    let page = server.get("/").await;
    let named = "active · <span class=\"soon\">not deployed</span>: <code>&lt;0b&gt;</code> should be served";
    for part in [named, "all · a.test:443/&lt;a&gt;"] {
        assert!(page.text().contains(part), "{part} is not in\n{}", page.text());
    }
    server.names.fails.store(true, Ordering::SeqCst);
    let page = server.get("/").await;
    assert!(page.text().contains("not deployed</span>"), "{}", page.text());
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
        let page = server.get(&format!("/{query}")).await;
        for name in ["one.example", "Two.example", "two.other"] {
            assert_eq!(page.text().contains(name), expected.contains(&name), "{query} {name}");
        }
    }
}

#[tokio::test]
async fn hostile_names_do_not_break_the_page() {
    let hostile = "<script>alert(1)</script>\u{202e}\" onload=\"x";
    let known =
        [Known::new(hostile, hostile, hostile).names(hostile, hostile, hostile).issuer(hostile)];
    let server = start(&known, Limits::default()).await;
    let status = SourceStatus { name: hostile.to_owned(), ..polled() };
    server.sources.send(Arc::new(vec![status])).unwrap();
    let page = server.get("/?q=%3Cscript%3E&source=%22%3E%3Cscript%3E").await;
    assert!(!page.text().contains("<script"), "{}", page.text());
    let page = server.get("/?q=%3Cscript%3E").await;
    assert!(!page.text().contains("<script"), "{}", page.text());
    assert!(!page.text().contains("<b>bold"), "{}", page.text());
    assert!(page.text().contains("&lt;script&gt;alert(1)"), "{}", page.text());
    assert!(!page.text().contains("\" onload="), "{}", page.text());
    assert!(page.text().contains("2 of 3 addresses serve &lt;0a&gt;, "), "{}", page.text());
    let shown = page.text().replace("value=\"<", "");
    assert_eq!(shown.matches('\u{202e}').count(), 1, "only the form's value keeps it:\n{shown}");
}

#[tokio::test]
async fn the_page_lives_without_the_store() {
    let server = start(&[Known::new("s", "all", "0a")], Limits::default()).await;
    server.names.fails.store(true, Ordering::SeqCst);
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("cannot be read: the disk is gone"), "{}", page.text());
    assert!(page.text().contains("in 1 d"), "{}", page.text());
}
