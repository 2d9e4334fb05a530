//! What begins in the clear.

use super::made::{Authority, leaf};
use super::{rows, scan, servers};
use crate::harness::free_port;

#[tokio::test]
async fn postgres_is_asked_for_tls() {
    let root = Authority::root("Root");
    let port = free_port();
    let served = root.below("Between").sign(&leaf(&["db.example"]));
    let _postgres = servers::postgres(port, &served).await;
    let endpoint = format!("postgres://127.0.0.1:{port}/db.example");
    let ran = scan(&root, &["--format", "json"], &[endpoint]).await;
    assert_eq!((rows(&ran).len(), ran.err.as_str()), (2, ""));
    let plain = scan(&root, &[], &[format!("127.0.0.1:{port}/db.example")]).await;
    assert_eq!(plain.code, Some(1), "{}", plain.err);
}

#[tokio::test]
async fn a_mail_server_is_asked_for_tls() {
    let root = Authority::root("Root");
    let port = free_port();
    let served = root.below("Between").sign(&leaf(&["mail.example"]));
    let _dovecot = servers::dovecot(port, &served).await;
    let ran =
        scan(&root, &["--format", "json"], &[format!("imap://127.0.0.1:{port}/mail.example")])
            .await;
    assert_eq!((rows(&ran).len(), ran.err.as_str()), (2, ""));
    // Whatever else somebody takes it for is told in words.
    for scheme in ["smtp", "pop3"] {
        let wrong = scan(&root, &[], &[format!("{scheme}://127.0.0.1:{port}/mail.example")]).await;
        assert!(wrong.err.contains("what answers does not speak the protocol"), "{}", wrong.err);
    }
}
