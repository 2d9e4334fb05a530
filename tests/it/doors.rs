//! The real binary behind its door: who holds it up, who is let in, what it says of a store that cannot be written.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "how long an answer took is real time")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::harness::{Daemon, http};
use crate::written::source;

const STORE_UP: &str = "notafter_store_up";

/// A daemon that reads one certificate from a file.
fn daemon(schedule: &str) -> Daemon {
    let daemon = Daemon::prepared("", &[]);
    let path = daemon.folder.path().join("own.pem");
    let name = vec!["files.example.com".to_owned()];
    let certificate = rcgen::generate_simple_self_signed(name).unwrap().cert.pem();
    std::fs::write(&path, certificate).unwrap();
    let options = format!("paths = [\"{}\"]", path.display());
    daemon.configure(&source("files", "own", schedule, &options));
    daemon
}

/// A process that opens a thousand connections and says nothing on them, or half a head; they end with it.
async fn thousand_idlers(port: u16) -> Child {
    let script = format!(
        "ulimit -n 2048; for i in $(seq 1000); do exec {{fd}}<>/dev/tcp/127.0.0.1/{port} || exit 1
         [ $((i % 2)) = 0 ] || printf 'GET /metrics HTTP/1.1\\r\\nhost: ' >&$fd; done; echo open; read -r _"
    );
    let mut idlers = Command::new("bash");
    idlers.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut idlers = idlers.spawn().unwrap();
    let mut said = BufReader::new(idlers.stdout.take().unwrap()).lines();
    assert_eq!(said.next_line().await.unwrap().as_deref(), Some("open"));
    idlers
}

#[tokio::test]
async fn a_thousand_silent_and_half_open_connections_keep_nobody_from_an_answer_within_a_second() {
    let mut daemon = daemon("every 1h");
    daemon.start();
    daemon.ready().await;
    let mut idlers = thousand_idlers(daemon.port).await;
    for path in ["/-/healthy", "/metrics"] {
        let mut fastest = Duration::MAX;
        // The machine may be busy; who waits for the idle ones waits each time.
        for _ in 0..3 {
            let began = Instant::now();
            assert_eq!(daemon.get(path).await.unwrap().0, 200, "{path}");
            fastest = fastest.min(began.elapsed());
        }
        assert!(fastest < Duration::from_secs(1), "{path} took {fastest:?}");
    }
    assert_eq!(idlers.try_wait().unwrap(), None, "the idle ones are still there");
    idlers.stdin.take().unwrap().write_all(b"\n").await.unwrap();
}

#[tokio::test]
async fn a_name_is_let_in_once_the_configuration_has_it_and_a_refused_one_is_logged_with_the_line_to_add()
 {
    let mut daemon = daemon("every 1h");
    daemon.start();
    daemon.ready().await;
    let ask = async |path: &str, post: bool| {
        let url = format!("http://127.0.0.1:{}{path}", daemon.port);
        let request = if post { http().post(url) } else { http().get(url) };
        let headers = [("host", "notafter.svc"), ("origin", "http://notafter.svc")];
        let request =
            headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        request.send().await.unwrap().status().as_u16()
    };
    for _ in 0..2 {
        assert_eq!((ask("/metrics", false).await, ask("/-/reload", true).await), (421, 421));
    }
    let line = "hosts = [\"notafter.svc\"]";
    assert_eq!(daemon.log().matches(line).count(), 1, "{}", daemon.log());

    let config = std::fs::read_to_string(daemon.config_path()).unwrap();
    let config = config.replace("[server]\n", &format!("[server]\n{line}\n"));
    std::fs::write(daemon.config_path(), config).unwrap();
    assert_eq!(daemon.post("/-/reload").await.0, 200);
    // It is known now, and whoever reads may change nothing.
    assert_eq!((ask("/metrics", false).await, ask("/-/reload", true).await), (200, 403));
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_said_and_waited_for() {
    let mut daemon = daemon("every 1s");
    daemon.start();
    daemon.ready().await;
    daemon.until(STORE_UP, |up| up > 0.5).await;
    let path = daemon.folder.path().join("notafter.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    daemon.until(STORE_UP, |up| up < 0.5).await;
    let (status, problem) = daemon.get("/-/ready").await.unwrap();
    assert_eq!(status, 503);
    assert!(problem.contains("the store cannot be written"), "{problem}");
    assert_eq!(daemon.get("/-/healthy").await.unwrap().0, 200);
    other.execute_batch("ROLLBACK").unwrap();
    daemon.until(STORE_UP, |up| up > 0.5).await;
    daemon.ready().await;
    assert!(daemon.stop().await.success(), "{}", daemon.log());
}

/// Returns the resident memory of the daemon in KiB.
fn resident(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    resident.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn reloads_leave_nothing_behind() {
    let mut daemon = daemon("0 3 * * *");
    daemon.set("RUST_LOG", "warn");
    daemon.start();
    daemon.ready().await;
    let reload = async |times: u32| {
        for _ in 0..times {
            assert_eq!(daemon.post("/-/reload").await.0, 200);
        }
    };
    // What is made once and kept is there after the first ones. A scheduler of its own was 2.8 MiB for each.
    reload(20).await;
    let before = resident(&daemon);
    reload(1000).await;
    let after = resident(&daemon);
    assert!(after < before + 5 * 1024, "{before} KiB became {after} KiB");
}
