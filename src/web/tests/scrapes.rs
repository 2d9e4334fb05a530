//! `/metrics`.

use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;
use tokio::io::AsyncReadExt;

use super::super::limits::Limits;
use super::client::{answer, send, start};
use crate::metrics::Format;
use crate::metrics::parse::{parse, samples};
use crate::metrics::testing::{Known, view};

fn fleet(count: usize) -> Vec<Known> {
    let device = |index: usize| {
        Known::new("s", "all", &format!("{index:040x}"))
            .issuer("the authority of the fleet")
            .names(&format!("device-{index:09}"), &format!("client-{index:09}"), "plant-7")
            .ends_in(i64::try_from(index).unwrap() * 60)
    };
    (0..count).map(device).collect()
}

fn without_process(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("process_")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_big_scrape_is_whole_plain_and_compressed() {
    let server = start(&fleet(60_000), Limits::default()).await;
    let plain = server.get("/metrics").await;
    assert_eq!((plain.status, plain.whole), (200, true));
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(plain.header("vary"), Some("accept, accept-encoding"));
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("x-content-type-options"), Some("nosniff"));
    assert!(plain.text().lines().count() > 120_000);
    let families = parse(plain.text(), Format::Text).unwrap();
    let series = samples(&families, "notafter_certificate_not_after_timestamp_seconds");
    assert_eq!(series.len(), 60_000);

    let packed = server.ask("GET /metrics", &["accept-encoding: br, gzip;q=0.9"]).await;
    assert_eq!((packed.status, packed.whole), (200, true));
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    GzDecoder::new(&*packed.body).read_to_string(&mut text).unwrap();
    assert!(without_process(&text) == without_process(plain.text()), "the two bodies differ");
    assert!(packed.body.len() < plain.body.len() / 4);
}

#[tokio::test]
async fn the_format_is_negotiated() {
    let server = start(&fleet(1), Limits::default()).await;
    let accept = "accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let answer = server.ask("GET /metrics", &[accept]).await;
    let expected = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(expected));
    parse(answer.text(), Format::OpenMetrics).unwrap();
    let answer = server.ask("GET /metrics", &["accept: */*", "accept-encoding: gzip;q=0"]).await;
    assert_eq!(answer.header("content-encoding"), None);
    parse(answer.text(), Format::Text).unwrap();
}

#[tokio::test]
async fn head_has_the_headers_and_writes_nothing() {
    let server = start(&fleet(1), Limits::default()).await;
    let answer = server.ask("HEAD /metrics", &["accept-encoding: gzip"]).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_certificate_that_is_gone_has_no_series_in_the_next_scrape() {
    let known = fleet(3);
    let server = start(&known, Limits::default()).await;
    let count = |text: &str| text.lines().filter(|line| line.contains("certificate_info{")).count();
    assert_eq!(count(server.get("/metrics").await.text()), 3);
    server.view.send(std::sync::Arc::new(view(2, &known[..2]))).unwrap();
    assert_eq!(count(server.get("/metrics").await.text()), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_are_refused_when_too_many_and_free_their_place() {
    let limits = Limits {
        scrapes: 2,
        scrape: Duration::from_secs(3),
        stall: Duration::from_mins(10),
        ..Limits::default()
    };
    // Far more than the buffers of both sockets hold.
    let server = start(&fleet(60_000), limits).await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        send(&mut stream, "GET /metrics", &[]).await;
        // Its place is taken once the first byte is there.
        let mut first = [0];
        stream.read_exact(&mut first).await.unwrap();
        slow.push((first, stream));
    }
    let refused = server.get("/metrics").await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert!(refused.header("retry-after").is_some());

    let freed = async { while server.get("/metrics").await.status != 200 {} };
    tokio::time::timeout(Duration::from_mins(2), freed).await.unwrap();

    // What the slow reader gets in the end must not look like a whole scrape.
    let (first, mut stream) = slow.remove(0);
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest).await);
    let all = [&first[..], &rest[..]].concat();
    assert!(all.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(!all.ends_with(b"0\r\n\r\n"), "a scrape that was cut looks whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_who_reads_nothing_is_cut_off() {
    let limits = Limits { stall: Duration::from_millis(200), ..Limits::default() };
    let mut server = start(&fleet(60_000), limits).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /metrics", &[]).await;
    let mut first = [0];
    stream.read_exact(&mut first).await.unwrap();
    // The connection ends by itself: a stop has nothing left to drain, though the client still holds its end.
    let long = Duration::from_mins(1);
    let poll = async {
        loop {
            let mut probe = server.connect().await;
            send(&mut probe, "GET /-/healthy", &[]).await;
            assert_eq!(answer(&mut probe).await.status, 200);
            if stream_is_cut(&stream) {
                break;
            }
        }
    };
    tokio::time::timeout(long, poll).await.unwrap();
    server.stop.cancel();
    tokio::time::timeout(long, server.tasks.join_next()).await.unwrap();
}

/// Tells whether the other end has closed or reset, without reading what has arrived.
fn stream_is_cut(stream: &tokio::net::TcpStream) -> bool {
    stream.take_error().is_ok_and(|error| error.is_some()) || {
        let state = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let hex = |port: u16| format!(":{port:04X} ");
        let local = hex(stream.local_addr().unwrap().port());
        let remote = hex(stream.peer_addr().map_or(0, |peer| peer.port()));
        // The server's row of this connection: gone, or no longer ESTABLISHED (01).
        !state.lines().any(|line| {
            let mut columns = line.split_whitespace();
            let (Some(_), Some(here), Some(there), Some(state)) =
                (columns.next(), columns.next(), columns.next(), columns.next())
            else {
                return false;
            };
            format!("{here} ").ends_with(&remote)
                && format!("{there} ").ends_with(&local)
                && state == "01"
        })
    }
}
