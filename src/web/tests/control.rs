//! Problems, health and reload.

use super::super::limits::Limits;
use super::client::{Answer, answer, send, start};

fn problem(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(document["type"], "about:blank");
    assert_eq!(document["status"], answer.status);
    assert!(document["title"].is_string());
    (answer.status, document["detail"].as_str().unwrap().to_owned())
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
        ("GET /sources/s/x", 404),
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
