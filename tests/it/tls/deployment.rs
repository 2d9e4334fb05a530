//! A certificate that was renewed and not rolled out, and what is said of endpoints, by the daemon.

use serde_json::Value;
use simulator::chat::Service;
use simulator::clock::wall_seconds;
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator};

use super::made::{Authority, Leaf, leaf};
use super::servers::nginx;
use crate::harness::{Daemon, environment, eventually, free_port, heard};
use crate::written::{SIGNED, route, webhook};

/// Returns the first event of a kind that the webhook received.
fn event(simulator: &Simulator, kind: &str) -> Option<Value> {
    let messages = simulator.chat().received().into_iter();
    let webhooks = messages.filter(|message| message.service == Service::Webhook);
    let events = webhooks.flat_map(|message| {
        let data = &message.body["data"];
        data["events"].as_array().cloned().unwrap_or_else(|| vec![data.clone()])
    });
    events.into_iter().find(|event| event["kind"] == kind)
}

pub(crate) async fn heard_of(simulator: &Simulator, kind: &str) -> Value {
    eventually(kind, async || event(simulator, kind)).await
}

pub(crate) fn count(simulator: &Simulator, kind: &str) -> usize {
    heard(simulator).iter().filter(|heard| heard.kind == kind).count()
}

/// A daemon that looks at the endpoint and reads the file.
fn prepared(simulator: &Simulator, root: &Authority, endpoint: &str) -> Daemon {
    let daemon = Daemon::prepared("", &environment(simulator));
    let at = |name: &str| daemon.folder.path().join(name).display().to_string();
    std::fs::write(at("roots.pem"), root.pem()).unwrap();
    let sources = format!(
        "[alerts]\ngroup_wait = \"1s\"\n\
         [[source]]\nname = \"served\"\nkind = \"tls\"\nschedule = \"every 1s\"\n[source.options]\n\
         endpoints = [{endpoint:?}]\nca_file = {:?}\n\
         [[source]]\nname = \"machine\"\nkind = \"files\"\nschedule = \"every 1s\"\n[source.options]\n\
         paths = [{:?}]\n",
        at("roots.pem"),
        at("*.crt")
    );
    daemon.configure(&(sources + &webhook("ops", "WEBHOOK_URL", SIGNED) + &route(&["ops"])));
    daemon
}

#[tokio::test]
async fn a_renewed_certificate_that_was_not_rolled_out_is_said_until_it_is() {
    let simulator = Simulator::start(Setup::new(Fleet::new(7, wall_seconds()))).await.unwrap();
    let root = Authority::root("Root");
    let port = free_port();
    let endpoint = format!("127.0.0.1:{port}/a.example");
    // Expired, so that it is on a rung whenever the test runs; not so long ago that it is not said by itself.
    let old = root.sign(&Leaf { expired: Some(9), ..leaf(&["a.example"]) });
    let new = root.sign(&leaf(&["a.example"]));
    let server = nginx(port, &[("a.example", old)]).await;
    let mut daemon = prepared(&simulator, &root, &endpoint);
    let file = daemon.folder.path().join("a.crt");
    std::fs::write(&file, &new.leaf).unwrap();
    daemon.start();
    let undeployed = "notafter_certificates_not_deployed{source=\"served\",scope=\"all\"}";
    daemon.until(undeployed, |value| (value - 1.0).abs() < 0.5).await;
    let said = heard_of(&simulator, "certificate.not_deployed").await;
    assert_eq!((&said["rung"], &said["place"]), (&"expired".into(), &endpoint.clone().into()));
    assert_eq!(said["newer"]["place"], file.display().to_string());
    assert_eq!(said["since"], "2020-01-01T00:00:00Z");
    let refused = heard_of(&simulator, "endpoint.invalid").await;
    assert_eq!((&refused["reason"], &refused["severity"]), (&"expired".into(), &"critical".into()));
    let (_, page) = daemon.get("/").await.unwrap();
    assert!(page.contains("not deployed"), "{page}");

    daemon.kill();
    daemon.start();
    daemon.until(undeployed, |value| (value - 1.0).abs() < 0.5).await;
    drop(server);
    let server = nginx(port, &[("a.example", new.clone())]).await;
    daemon.until(undeployed, |value| value < 0.5).await;
    let renewed = heard_of(&simulator, "certificate.renewed").await;
    assert_eq!(renewed["certificate"]["serial"], said["certificate"]["serial"]);

    drop(server);
    let down = heard_of(&simulator, "endpoint.unreachable").await;
    assert_eq!((&down["place"], &down["severity"]), (&endpoint.into(), &"warning".into()));
    let _server = nginx(port, &[("a.example", new)]).await;
    heard_of(&simulator, "endpoint.reachable").await;
    for kind in ["certificate.not_deployed", "endpoint.invalid", "certificate.renewed"] {
        assert_eq!(count(&simulator, kind), 1, "{kind} is said once");
    }
    assert_eq!(count(&simulator, "certificate.expired"), 0);
}
