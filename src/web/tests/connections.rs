//! Clients that are slow, silent or gone, and the end of the server.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::limits::Limits;
use super::client::{Server, answer, send, start};

fn hasty() -> Limits {
    Limits { head: Duration::from_millis(100), ..Limits::default() }
}

/// Nobody is sent away for being slow.
fn patient() -> Limits {
    Limits { head: Duration::from_hours(1), ..Limits::default() }
}

async fn closes(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut said));
    drop(read.await.expect("the server keeps the connection"));
    said
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = start(&[], hasty()).await;
    let mut stream = server.connect().await;
    assert_eq!(closes(&mut stream).await, b"");
}

#[tokio::test]
async fn a_half_head_is_closed() {
    let server = start(&[], hasty()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: ").await.unwrap();
    let said = String::from_utf8(closes(&mut stream).await).unwrap();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answer() {
    let server = start(&[], hasty()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let said = String::from_utf8(closes(&mut stream).await).unwrap();
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = start(&[], Limits { head_bytes: 16 * 1024, ..Limits::default() }).await;
    let mut stream = server.connect().await;
    let long = "x".repeat(64 * 1024);
    let head = format!("GET / HTTP/1.1\r\nhost: localhost\r\nlong: {long}\r\n\r\n");
    // The server may close before everything is written.
    drop(stream.write_all(head.as_bytes()).await);
    let said = String::from_utf8(closes(&mut stream).await).unwrap();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
}

/// Opens connections of which every other one begins a request and does not go on.
async fn idlers(server: &Server, count: usize) -> Vec<TcpStream> {
    let mut idlers = Vec::new();
    for number in 0..count {
        let mut stream = server.connect().await;
        if number % 2 == 1 {
            // One that has given way already may have been closed.
            drop(stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: ").await);
        }
        idlers.push(stream);
    }
    idlers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_and_half_open_connections_hold_nobody_up() {
    let server = start(&[], Limits { connections: 8, ..patient() }).await;
    let _idlers = idlers(&server, 400).await;
    for path in ["/-/healthy", "/metrics", "/"] {
        let answer = tokio::time::timeout(Duration::from_secs(1), server.get(path)).await;
        assert_eq!(answer.expect("it waits for those who say nothing").status, 200, "{path}");
    }
}

#[tokio::test]
async fn an_idle_connection_gives_way_and_one_at_work_does_not() {
    let mut server = start(&[], Limits { connections: 2, ..patient() }).await;
    let mut idle = server.control().await;
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    idle.readable().await.unwrap();
    let mut busy = server.control().await;
    send(&mut busy, "POST /-/reload", &[]).await;
    let waiting = server.reloads.recv().await.unwrap();
    for _ in 0..3 {
        assert_eq!(server.command("GET /-/healthy").await.status, 200);
    }
    let said = String::from_utf8(closes(&mut idle).await).unwrap();
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    waiting.send(Ok(String::new())).unwrap();
    assert_eq!(answer(&mut busy).await.status, 200);
}

#[tokio::test]
async fn one_more_than_can_be_at_work_waits_for_the_first_to_end() {
    let mut server = start(&[], Limits { connections: 1, ..patient() }).await;
    let mut busy = server.control().await;
    send(&mut busy, "POST /-/reload", &[]).await;
    let waiting = server.reloads.recv().await.unwrap();
    let (other, ()) = tokio::join!(server.command("GET /-/healthy"), async {
        waiting.send(Ok(String::new())).unwrap();
        assert_eq!(answer(&mut busy).await.status, 200);
    });
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_stop_lets_the_request_under_way_end_and_takes_no_other() {
    let mut server = start(&[], Limits::default()).await;
    let idle = server.connect().await;
    let mut stream = server.control().await;
    send(&mut stream, "POST /-/reload", &[]).await;
    let waiting = server.reloads.recv().await.unwrap();
    server.stop.cancel();
    // The listener is gone once a connection is refused.
    let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
    tokio::time::timeout(Duration::from_mins(1), refused).await.unwrap();
    waiting.send(Ok(String::new())).unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    let ended = tokio::time::timeout(Duration::from_mins(1), server.tasks.join_next());
    ended.await.unwrap().unwrap().unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let mut server = start(&[], limits).await;
    let mut stream = server.control().await;
    send(&mut stream, "POST /-/reload", &[]).await;
    let waiting = server.reloads.recv().await.unwrap();
    server.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_mins(1), server.tasks.join_next());
    ended.await.unwrap().unwrap().unwrap();
    drop(waiting);
}
