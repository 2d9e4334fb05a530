//! Servers that are slow, stop half-way or lie: each is said for what it is, and holds up no other.

use simulator::tls::{Manner, Uncivil};

use super::made::{Authority, leaf};
use super::servers::nginx;
use crate::harness::{Daemon, free_port};

/// What is said of a server of some manner.
const fn said(manner: Manner) -> &'static str {
    match manner {
        Manner::Silent | Manner::HalfOpen | Manner::Trickle => {
            "TLS handshake with 127.0.0.1 takes longer than 500ms"
        }
        Manner::NoCommonCipher => "servers of older ciphers and of SM2 certificates cannot be read",
        Manner::Outdated => "the server speaks neither TLS 1.2 nor TLS 1.3",
        Manner::Plain => "what answers does not speak TLS",
        Manner::HangsUp => "the server closed the connection in the handshake",
        Manner::Endless => "TLS handshake with 127.0.0.1: ",
    }
}

#[tokio::test]
async fn each_is_said_for_what_it_is_and_the_good_one_beside_them_is_read() {
    let root = Authority::root("Root");
    let port = free_port();
    let _good = nginx(port, &[("a.example", root.sign(&leaf(&["a.example"])))]).await;
    let mut endpoints = vec![format!("127.0.0.1:{port}/a.example")];
    let mut servers = Vec::new();
    for manner in Manner::ALL {
        let server = Uncivil::start(manner).await.unwrap();
        endpoints.push(format!("127.0.0.1:{}/a.example", server.address.port()));
        servers.push((manner, server));
    }
    let daemon = Daemon::prepared("", &[]);
    let roots = daemon.folder.path().join("roots.pem");
    std::fs::write(&roots, root.pem()).unwrap();
    daemon.configure(&format!(
        "[[source]]\nname = \"served\"\nkind = \"tls\"\nschedule = \"every 1h\"\n[source.options]\n\
         endpoints = {endpoints:?}\nca_file = {:?}\ntimeout = \"500ms\"\n",
        roots.display().to_string()
    ));
    let ran = daemon.run(&["scan", "--format", "json"]).await;
    assert_eq!(super::rows(&ran).len(), 1, "{}", ran.err);
    for (manner, server) in servers {
        let place = format!("served: 127.0.0.1:{}/a.example: ", server.address.port());
        let line = ran.err.lines().find(|line| line.starts_with(&place));
        let line = line.unwrap_or_else(|| panic!("{manner:?} is not in {}", ran.err));
        assert!(line.contains(said(manner)), "{manner:?}: {line}");
    }
}
