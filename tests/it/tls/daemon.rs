//! nginx under the eyes of the daemon.

use super::made::{Authority, leaf};
use super::servers::nginx;
use crate::harness::{Daemon, free_port};

#[tokio::test]
async fn names_of_one_server_are_places_of_their_own_and_a_new_certificate_is_seen() {
    let root = Authority::root("Root");
    let port = free_port();
    let (a, b) = (root.sign(&leaf(&["a.example"])), root.sign(&leaf(&["b.example"])));
    let server = nginx(port, &[("a.example", a), ("b.example", b.clone())]).await;
    let mut daemon = Daemon::prepared("", &[]);
    let roots = daemon.folder.path().join("roots.pem");
    std::fs::write(&roots, root.pem()).unwrap();
    let list = daemon.folder.path().join("endpoints");
    std::fs::write(&list, format!("127.0.0.1:{port}/b.example team=web # ours\n")).unwrap();
    daemon.configure(&format!(
        "[[source]]\nname = \"served\"\nkind = \"tls\"\nschedule = \"every 1s\"\n[source.options]\n\
         endpoints = [\"127.0.0.1:{port}/a.example\"]\nendpoints_file = \"{}\"\nca_file = \"{}\"\n",
        list.display(),
        roots.display()
    ));
    daemon.start();
    let read = "notafter_source_places{source=\"served\",state=\"read\"}";
    daemon.until(read, |value| (value - 2.0).abs() < 0.5).await;
    let servers =
        "notafter_certificates{source=\"served\",scope=\"all\",kind=\"server\",status=\"active\"}";
    daemon.until(servers, |value| (value - 2.0).abs() < 0.5).await;

    drop(server);
    let renewed = root.sign(&leaf(&["a.example"]));
    let _server = nginx(port, &[("a.example", renewed), ("b.example", b)]).await;
    let gone = "notafter_certificates_gone_total{source=\"served\",scope=\"all\"}";
    daemon.until(gone, |value| (value - 1.0).abs() < 0.5).await;
    daemon.until(servers, |value| (value - 2.0).abs() < 0.5).await;
    std::fs::write(&list, "# b.example is switched off\n").unwrap();
    let unproven = "notafter_source_up{source=\"served\"}";
    daemon.until(unproven, |value| value < 0.5).await;
    assert!(daemon.log().contains("named endpoints before and names none now"), "{}", daemon.log());
}
