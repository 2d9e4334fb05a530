//! What will be said and to whom, as an operator asks for it.

use serde_json::Value;

use crate::harness::{Daemon, environment};
use crate::written::{SIGNED, mqtt, route, webhook};
use simulator::Simulator;
use simulator::clock::wall_seconds;
use simulator::fleet::{Fleet, Instance};

#[tokio::test]
async fn a_plan_and_routes_are_told_with_and_without_a_daemon() {
    let fleet = Fleet::new(7, wall_seconds()).with(Instance::new("mqtt-a", 60));
    let simulator = Simulator::start(simulator::Setup::new(fleet)).await.unwrap();
    let parts = [
        "[alerts]\ngroup_wait = \"1s\"\n",
        &mqtt(&simulator, "iot", "every 2s", "requests_per_second = 1000"),
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &webhook("other", "WEBHOOK_URL", SIGNED),
        "[[route]]\nmatch = { kind = \"server\" }\nchannels = [\"other\"]\n",
        &route(&["ops"]),
    ];
    let mut daemon = Daemon::prepared(&parts.concat(), &environment(&simulator));
    daemon.start();
    daemon
        .until("notafter_notifications_total{outcome=\"delivered\",channel=\"ops\"}", |n| n > 0.0)
        .await;
    daemon.drained("ops").await;

    let plan = async |daemon: &Daemon| {
        let ran = daemon.run(&["plan", "--days", "60", "--format", "json"]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        serde_json::from_str::<Value>(&ran.out).unwrap()
    };
    let running = plan(&daemon).await;
    let messages = running["messages"].as_array().unwrap();
    assert!(!messages.is_empty() && messages.iter().all(|it| it["channel"] == "ops"), "{running}");
    let none = daemon.run(&["plan", "--channel", "other"]).await;
    assert_eq!(none.out, "nobody will be told anything\n");

    let stale =
        daemon.run(&["route", "explain", "--event", "source.stale", "--source", "iot"]).await;
    assert_eq!(stale.code, Some(0), "{}", stale.err);
    for part in [
        "source.stale (critical) iot",
        "route 1  kind `server` -> other: no: an event of this kind has no kind",
        "route 2  everything -> ops: yes",
        "goes to ops",
        "not to other: route 1: an event of this kind has no kind",
    ] {
        assert!(stale.out.contains(part), "{part} is not in\n{}", stale.out);
    }
    let certificate = messages[0]["lines"][0]["certificates"][0]["id"].as_str().unwrap();
    let routed = daemon.run(&["route", "explain", certificate]).await;
    assert!(routed.out.contains("certificate."), "{}", routed.out);
    let unknown = daemon.run(&["route", "explain", "--event", "source.gone"]).await;
    assert_eq!(unknown.code, Some(1));

    assert!(daemon.stop().await.success());
    let alone = plan(&daemon).await;
    let rungs = |plan: &Value| plan["messages"].as_array().unwrap().len();
    assert!(rungs(&alone).abs_diff(rungs(&running)) <= 2, "{} {}", rungs(&alone), rungs(&running));
    let again =
        daemon.run(&["route", "explain", "--event", "source.stale", "--source", "iot"]).await;
    assert_eq!(again.out, stale.out);
}
