//! Connections over TLS that never come to a request.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::super::Access;
use super::super::limits::Limits;
use super::access::Files;
use super::client::{Server, start_behind};
use crate::config::Hosts;

const TLS: &str = "tls_server_config:\n  cert_file: localhost.pem\n  key_file: localhost.key\n";

/// The beginning of a TLS record with a hello that does not come.
const HALF_HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 7, 7, 7];

async fn serve(files: &Files, limits: Limits) -> Server {
    files.write(TLS);
    let access = Access::new(Some(files.path("web.yml")), true).unwrap();
    let server = start_behind(access, &[], limits).await;
    let hosts = Hosts::new(vec!["any.example".to_owned()], None);
    server.hosts.send_replace(Arc::new(hosts));
    server
}

/// Those who never finish a handshake, and those who finish it and do not ask.
#[derive(Default)]
struct Idlers {
    raw: Vec<TcpStream>,
    through: Vec<TlsStream<TcpStream>>,
}

impl Idlers {
    async fn gather(count: usize, files: &Files, server: &Server) -> Self {
        let mut idlers = Self::default();
        for number in 0..count {
            if number % 4 < 2 {
                let mut stream = server.connect().await;
                if number % 4 == 1 {
                    // One that has given way already may have been closed.
                    drop(stream.write_all(HALF_HELLO).await);
                }
                idlers.raw.push(stream);
                continue;
            }
            let mut stream = files.connect(server, false).await.expect("a newcomer has a place");
            if number % 4 == 3 {
                drop(stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: ").await);
            }
            idlers.through.push(stream);
        }
        idlers
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_that_do_not_ask_hold_nobody_up() {
    let files = Files::new();
    // Nobody is sent away for being slow: room is made for who asks.
    let patient = Limits { head: Duration::from_hours(1), ..Limits::default() };
    let server = serve(&files, patient).await;
    let idlers = Idlers::gather(1000, &files, &server).await;
    assert_eq!((idlers.raw.len(), idlers.through.len()), (500, 500));
    for path in ["/-/healthy", "/metrics"] {
        let request = format!("GET {path}");
        let asked = files.ask(&server, &request, false);
        let answer = tokio::time::timeout(Duration::from_secs(1), asked).await;
        let answer = answer.expect("it waits for those who say nothing").unwrap();
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_handshake_has_as_long_as_the_head_of_a_request() {
    let files = Files::new();
    let hasty = Limits { head: Duration::from_millis(300), ..Limits::default() };
    let server = serve(&files, hasty).await;
    for begun in [&[][..], HALF_HELLO] {
        let mut stream = server.connect().await;
        stream.write_all(begun).await.unwrap();
        let mut said = Vec::new();
        let read = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut said));
        drop(read.await.expect("the server keeps the connection"));
        assert_eq!(said, b"");
    }
}
