//! A real cluster of two Alertmanagers, and what becomes of it.

use std::process::{Child, Command, Stdio};

use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::Value;

use crate::harness::{Daemon, eventually, free_port, http};

/// One Alertmanager, until it is dropped. What it was told it forgets with that.
struct Peer {
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Peer {
    fn start(port: u16, gossip: u16, other: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alertmanager.yml");
        std::fs::write(&path, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").unwrap();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--cluster.listen-address=127.0.0.1:{gossip}"))
            .arg(format!("--cluster.peer=127.0.0.1:{other}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(
                "prometheus-alertmanager is installed: tests/run does it, from Debian's package",
            );
        Self { port, child, _folder: folder }
    }

    /// Returns the alerts that are open there.
    async fn open(&self) -> Option<Vec<Value>> {
        let url = format!("http://127.0.0.1:{}/api/v2/alerts?active=true", self.port);
        let text = http().get(url).send().await.ok()?.text().await.ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Returns the one alert, as soon as there is one.
    async fn one(&self) -> Value {
        let look = async || self.open().await.filter(|open| open.len() == 1)?.pop();
        eventually("an alert is open", look).await
    }

    async fn none(&self) {
        let look = async || self.open().await.filter(Vec::is_empty);
        eventually("no alert is open", look).await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }
}

fn certificate(from: i32, to: i32) -> String {
    let mut params = CertificateParams::new(vec!["www.example.com".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "www.example.com");
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

#[tokio::test]
async fn a_cluster_is_told_whatever_becomes_of_its_peers() {
    let [a, b, gossip_a, gossip_b] = [free_port(), free_port(), free_port(), free_port()];
    let mut first = Peer::start(a, gossip_a, gossip_b);
    let second = Peer::start(b, gossip_b, gossip_a);
    let mut daemon = Daemon::prepared("", &[]);
    let file = daemon.folder.path().join("www.pem");
    // Half of its life is over, and less than ten years are left.
    std::fs::write(&file, certificate(2000, 2030)).unwrap();
    daemon.configure(&format!(
        "[[source]]\nname = \"files\"\nkind = \"files\"\nschedule = \"every 1s\"\n[source.options]\npaths = [\"{}\"]\n\
         [alerts]\nladder = [\"3650d\"]\ngroup_wait = \"0s\"\n\
         [[channel]]\nname = \"alerts\"\nkind = \"alertmanager\"\n[channel.options]\nresend = \"1s\"\n\
         urls = [\"http://127.0.0.1:{a}\", \"http://127.0.0.1:{b}\"]\n[[route]]\nchannels = [\"alerts\"]\n",
        file.display()
    ));
    daemon.start();
    for peer in [&first, &second] {
        let alert = peer.one().await;
        assert_eq!(alert["labels"]["alertname"], "CertificateExpiring", "{alert}");
        assert_eq!(alert["labels"]["source"], "files");
        let summary = alert["annotations"]["summary"].as_str().unwrap();
        assert!(summary.starts_with("certificate www.example.com expires in"), "{summary}");
    }
    let begun = second.one().await["startsAt"].clone();
    // A peer that lost its memory is told again.
    drop(first);
    first = Peer::start(a, gossip_a, gossip_b);
    assert_eq!(first.one().await["startsAt"], begun);
    // A restart of the daemon ends nothing.
    assert!(daemon.stop().await.success());
    daemon.start();
    daemon.ready().await;
    assert_eq!(second.one().await["startsAt"], begun);
    // One peer is dead for good, and the certificate is renewed: the other one knows.
    drop(first);
    std::fs::write(&file, certificate(2020, 2046)).unwrap();
    second.none().await;
    daemon.drained("alerts").await;
    assert!(daemon.stop().await.success(), "{}", daemon.log());
}
