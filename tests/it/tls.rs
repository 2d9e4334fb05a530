//! Endpoints: the real servers of Debian's packages on loopback, and the command as a user runs it.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Daemon, Ran};

mod daemon;
pub(crate) mod deployment;
mod from;
mod made;
mod mail_and_database;
mod openssl;
mod servers;
mod stapling;
mod uncivil;

/// Looks at endpoints, trusting one authority, without a configuration.
pub(crate) async fn scan(
    trusted: &made::Authority,
    arguments: &[&str],
    endpoints: &[String],
) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, trusted.pem()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_notafter"));
    command.arg("scan").args(arguments).env("SSL_CERT_FILE", &roots);
    command.env("NOTAFTER_CONFIG", folder.path().join("not-there"));
    for endpoint in endpoints {
        command.arg("--tls").arg(endpoint);
    }
    Daemon::ran(command, "scan --tls").await
}

/// Returns kind, name and serial of what was seen, in the order in which it was served.
pub(crate) fn rows(ran: &Ran) -> Vec<(String, String, String)> {
    let rows: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err));
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| (text(row, "kind"), text(row, "holder"), text(row, "serial"))).collect()
}

#[tokio::test]
async fn an_endpoint_is_read_without_a_configuration_and_its_chain_printed() {
    let authority = made::Authority::root("Root");
    let between = authority.below("Between");
    let served = between.sign(&made::leaf(&["a.example"]));
    let running = servers::OpenSsl::start(&served, &["-tls1_3"]).await;
    let endpoint = format!("127.0.0.1:{}/a.example", running.port);
    let ran = scan(&authority, &[], std::slice::from_ref(&endpoint)).await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines[0].starts_with("ENDPOINT"), "{}", ran.out);
    assert!(
        lines[1].starts_with(&endpoint) && lines[1].ends_with("server  a.example"),
        "{}",
        ran.out
    );
    assert!(lines[2].starts_with("  ") && lines[2].ends_with("ca      Between"), "{}", ran.out);
    assert_eq!(lines.len(), 3);

    let soon = scan(&authority, &["--fail-within", "9000d"], std::slice::from_ref(&endpoint)).await;
    assert_eq!(soon.code, Some(3));
    drop(running);
    let gone = scan(&authority, &[], &[endpoint]).await;
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("Connection refused"), "{}", gone.err);
    let wrong = scan(&authority, &[], &["*.example".to_owned()]).await;
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("a wildcard names no host"), "{}", wrong.err);
}
