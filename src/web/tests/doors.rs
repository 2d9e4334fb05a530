//! Which requests are let in.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;

use super::super::limits::Limits;
use super::client::{Answer, Server, answer, send, start};
use crate::config::Hosts;

/// Sends a head as it is written here, and returns the answer.
async fn ask(server: &Server, head: &str) -> Answer {
    let mut stream = server.connect().await;
    let head = head.replace('\n', "\r\n") + "connection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    answer(&mut stream).await
}

#[tokio::test]
async fn a_name_that_is_not_this_servers_reads_nothing_and_changes_nothing() {
    let mut server = start(&[], Limits::default()).await;
    for request in ["GET /metrics", "GET /", "GET /-/healthy", "GET /nothing", "POST /-/reload"] {
        // What a browser sends for a page whose name was pointed at this machine.
        let headers = ["host: evil.example:1", "origin: http://evil.example:1"];
        let answer = server.ask(request, &headers).await;
        assert_eq!(answer.status, 421, "{request}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.text().contains("`evil.example` is not a name of this server"));
    }
    assert!(server.reloads.try_recv().is_err());
}

#[tokio::test]
async fn a_configured_name_is_let_in_from_then_on() {
    let server = start(&[], Limits::default()).await;
    let name = &["host: notafter.monitoring.svc:10793"][..];
    assert_eq!(server.ask("GET /metrics", name).await.status, 421);
    server.hosts.send(Arc::new(Hosts::new(vec!["*.svc".to_owned()], None))).unwrap();
    assert_eq!(server.ask("GET /metrics", name).await.status, 200);
    assert_eq!(server.ask("GET /metrics", &["host: 192.0.2.1:10793"]).await.status, 200);
}

#[tokio::test]
async fn every_name_in_a_request_counts() {
    let server = start(&[], Limits::default()).await;
    for (head, status) in [
        ("GET /-/healthy HTTP/1.1\nhost: localhost\n", 200),
        // A probe of an older load balancer. No browser asks without a name.
        ("GET /-/healthy HTTP/1.0\n", 200),
        ("GET /-/healthy HTTP/1.0\nhost: evil.example\n", 421),
        ("GET /-/healthy HTTP/1.1\n", 400),
        ("GET /-/healthy HTTP/1.1\nhost: localhost\nhost: localhost\n", 400),
        ("GET /-/healthy HTTP/1.1\nhost: a b\n", 400),
        ("GET http://evil.example/-/healthy HTTP/1.1\nhost: localhost\n", 421),
        ("GET http://localhost/-/healthy HTTP/1.1\nhost: evil.example\n", 421),
        ("GET http://localhost/-/healthy HTTP/1.1\nhost: localhost\n", 200),
        ("POST /-/healthy HTTP/1.1\nhost: localhost\ncontent-length: 65537\n", 413),
        ("POST /-/healthy HTTP/1.1\nhost: localhost\ncontent-length: 65536\n", 405),
    ] {
        assert_eq!(ask(&server, head).await.status, status, "{head}");
    }
}

#[tokio::test]
async fn who_reads_may_not_change_and_who_may_open_the_socket_may() {
    let mut server = start(&[], Limits::default()).await;
    for request in ["POST /-/reload", "PUT /-/reload", "POST /api/v1/channels/ops/test"] {
        let refused = server.ask(request, &[]).await;
        assert_eq!(refused.status, 403, "{request}");
        assert!(refused.text().contains("or on the control socket"), "{}", refused.text());
    }
    assert!(server.reloads.try_recv().is_err() && server.asked.try_recv().is_err());
    // Names are of the network, and nobody points one of theirs at a file.
    let mut stream = server.control().await;
    send(&mut stream, "GET /-/healthy", &["host: evil.example"]).await;
    assert_eq!(answer(&mut stream).await.status, 200);
    assert_eq!(server.command("GET /api/v1/certificates").await.status, 200);
}

#[tokio::test]
async fn head_is_answered_as_get_is_without_the_body() {
    let server = start(&[], Limits::default()).await;
    for path in ["/metrics", "/", "/style.css", "/-/healthy", "/-/ready", "/nothing"] {
        let [get, head] = ["GET", "HEAD"].map(|method| format!("{method} {path}"));
        let (get, head) = (server.ask(&get, &[]).await, server.ask(&head, &[]).await);
        // How the body is cut into pieces is a matter of the body alone.
        let lasting = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            headers.retain(|name, _| !["date", "transfer-encoding"].contains(&name.as_str()));
            headers
        };
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(lasting(&head), lasting(&get), "{path}");
        assert!(!get.body.is_empty() && head.body.is_empty(), "{path}");
    }
}
