//! Labels, as an operator gives them and as Prometheus and a receiver see them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "a certificate that really expires soon")]

use std::fs::write;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use crate::harness::{Daemon, environment, eventually};
use crate::written::{SIGNED, route, webhook};
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator, clock};

/// A certificate that expires in two days.
fn certificate() -> String {
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    let soon = std::time::SystemTime::now() + Duration::from_hours(48);
    params.not_after = soon.into();
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn configuration(daemon: &Daemon, team: &str) -> String {
    let path = daemon.folder.path().join("own.pem");
    [
        "[alerts]\ngroup_wait = \"1s\"\n",
        "[[source]]\nname = \"own\"\nkind = \"files\"\nschedule = \"every 1s\"\n",
        &format!("labels = {{ \"the-team\" = {team:?} }}\n"),
        &format!("options = {{ paths = [{:?}] }}\n", path.display().to_string()),
        "[metrics]\nlabels = [\"the-team\", \"absent\"]\n",
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &route(&["ops"]),
    ]
    .concat()
}

#[tokio::test]
async fn a_label_is_in_the_metrics_and_in_the_message_and_a_reload_changes_it() {
    let simulator =
        Simulator::start(Setup::new(Fleet::new(1, clock::wall_seconds()))).await.unwrap();
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    write(daemon.folder.path().join("own.pem"), certificate()).unwrap();
    daemon.configure(&configuration(&daemon, "web"));
    daemon.start();
    let shown = async |daemon: &Daemon, label: &str| {
        eventually(label, async || {
            let (_, body) = daemon.get("/metrics").await?;
            let mut infos =
                body.lines().filter(|line| line.starts_with("notafter_certificate_info"));
            infos.any(|line| line.contains(label)).then_some(())
        })
        .await;
    };
    shown(&daemon, "label_the_team=\"web\"").await;
    let one = |seen: &[simulator::chat::Received]| !seen.is_empty();
    let received = simulator.chat().wait_for(Duration::from_secs(30), one).await.unwrap();
    let data = &received[0].body["data"];
    let event = data["events"].get(0).unwrap_or(data);
    assert_eq!(event["certificate"]["labels"]["the_team"], "web", "{event}");
    daemon.configure(&configuration(&daemon, "ops"));
    daemon.signal("HUP");
    shown(&daemon, "label_the_team=\"ops\"").await;
    assert!(daemon.stop().await.success());
}
