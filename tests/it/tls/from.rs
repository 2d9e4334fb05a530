//! Endpoints that another source names.

use serde_json::Value;
use simulator::clock::wall_seconds;
use simulator::fleet::{Fleet, Instance};
use simulator::{Setup, Simulator};

use super::made::{Authority, leaf};
use super::servers::nginx;
use crate::harness::{Daemon, environment, free_port};
use crate::written::mqtt;

#[tokio::test]
async fn public_endpoints_of_mqtt_instances_are_looked_at() {
    let fleet = Fleet::new(3, wall_seconds());
    let fleet = fleet.with(Instance::new("mqtt-a", 5)).with(Instance::new("mqtt-b", 5));
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    let root = Authority::root("Root");
    let port = free_port();
    let _server = nginx(port, &[("mqtt-a.example", root.sign(&leaf(&["mqtt-a.example"])))]).await;
    simulator.mqtt().open_to_the_public("mqtt-a", &format!("localhost:{port}"));
    let daemon = Daemon::prepared("", &environment(&simulator));
    let roots = daemon.folder.path().join("roots.pem");
    std::fs::write(&roots, root.pem()).unwrap();
    let served = format!(
        "[[source]]\nname = \"served\"\nkind = \"tls\"\nschedule = \"every 1h\"\n[source.options]\n\
         from = [\"iot\"]\nca_file = {:?}\n",
        roots.display().to_string()
    );
    daemon.configure(&(mqtt(&simulator, "iot", "every 1h", "") + &served));
    let ran = daemon.run(&["scan", "--source", "served", "--format", "json"]).await;
    let rows: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err));
    let rows = rows.as_array().unwrap();
    let place = format!("localhost:{port}/localhost");
    assert_eq!(rows.len(), 1, "{} {}", ran.out, ran.err);
    assert_eq!((&rows[0]["place"], &rows[0]["holder"]), (&place.into(), &"mqtt-a.example".into()));
    assert!(ran.err.contains("name_mismatch"), "it is for another name: {}", ran.err);
}
