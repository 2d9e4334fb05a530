//! What was renewed at Tencent Cloud SSL and is still in use there is said until it is not.

use simulator::clock::wall_seconds;
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator};

use crate::harness::{Daemon, environment};
use crate::tls::deployment::{count, heard_of};
use crate::written::{SIGNED, route, ssl, webhook};

/// A certificate that was renewed and expires within five days.
const RENEWED: u64 = 25;

#[tokio::test]
async fn a_renewed_certificate_that_is_still_bound_is_said_until_it_is_not() {
    let fleet = Fleet::new(7, wall_seconds()).with_ssl(60);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    simulator.ssl().bind(RENEWED, Some(("clb", "ap-guangzhou")));
    let config = [
        "[alerts]\ngroup_wait = \"1s\"\n",
        &ssl(&simulator, "web", "every 1s", "requests_per_second = 1000"),
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &route(&["ops"]),
    ]
    .concat();
    let mut daemon = Daemon::prepared(&config, &environment(&simulator));
    daemon.start();
    let said = heard_of(&simulator, "certificate.not_deployed").await;
    assert_eq!(said["bound"], serde_json::json!(["clb ap-guangzhou"]));
    assert_eq!(said["newer"]["deployment_unknown"], false);
    let undeployed = "notafter_certificates_not_deployed{source=\"web\",scope=\"all\"}";
    daemon.until(undeployed, |value| (value - 1.0).abs() < 0.5).await;
    daemon.drained("ops").await;

    let serial = said["certificate"]["serial"].as_str().unwrap();
    let ran = daemon.run(&["explain", "--format", "json", serial]).await;
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let deployment = &told[0]["deployment"];
    assert_eq!(
        (&deployment["state"], &deployment["bound"]),
        (&"not_deployed".into(), &said["bound"])
    );
    assert_eq!(deployment["newer"]["serial"], said["newer"]["serial"]);

    // Somebody binds the new one, while the daemon is gone. What it knew of it is in its store.
    daemon.kill();
    let alone = daemon.run(&["explain", "--format", "json", serial]).await;
    let alone: serde_json::Value = serde_json::from_str(&alone.out).unwrap();
    assert_eq!(alone[0]["deployment"], *deployment);
    simulator.ssl().bind(RENEWED, None);
    daemon.start();
    daemon.until(undeployed, |value| value < 0.5).await;
    let renewed = heard_of(&simulator, "certificate.renewed").await;
    assert_eq!(renewed["certificate"]["serial"], said["certificate"]["serial"]);
    assert_eq!(count(&simulator, "certificate.not_deployed"), 1, "it is said once");
}
