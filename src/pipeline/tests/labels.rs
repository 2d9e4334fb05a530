//! Labels, from a sighting and from the configuration to the room that they choose.

use super::*;

const ROUTED: &str = r#"
[[source]]
name = "iot"
kind = "files"
schedule = "every 1h"
labels = { team = "iot" }
[source.options]
paths = ["/x"]
[[channel]]
name = "ops"
kind = "slack"
[[channel]]
name = "plant"
kind = "slack"
[[route]]
match = { labels = { team = "iot", env = ["prod", "stage"] } }
channels = ["plant"]
[[route]]
channels = ["ops"]
"#;

#[tokio::test]
async fn a_route_chooses_by_the_labels_that_came_with_it_and_by_those_of_its_source() {
    let mut bench = Bench::new().await;
    let clock = Arc::new(SteadyClock::starting_at(NOW));
    let store = Arc::clone(&bench.store) as Arc<dyn Store>;
    let (pipeline, _) = restored_at(store, clock, settings_of(ROUTED, &["iot"])).await;
    bench.pipeline = pipeline;
    let labelled = |serial: &str, env: &str| Sighting {
        labels: vec![("env".into(), env.into()), ("team".into(), "theirs".into())],
        ..device(serial, 5)
    };
    let sightings = vec![labelled("a", "prod"), labelled("b", "test"), device("c", 5)];
    bench.scan(&slice("mqtt-1", Window::All), sightings).await;
    bench.pipeline.decide().await.unwrap();
    bench.save().await;
    let heard = |events: Vec<Event>| {
        let facts = events.into_iter().map(|event| event.facts().cloned().unwrap());
        facts.map(|facts| (facts.serial, facts.labels)).collect::<Vec<_>>()
    };
    let labels = |pairs: &[(&str, &str)]| crate::expiry::labels_of(pairs.iter().copied());
    let plant = heard(deliver(&*bench.store, "plant").await);
    assert_eq!(plant, [("a".to_owned(), labels(&[("env", "prod"), ("team", "iot")]))]);
    let ops = heard(deliver(&*bench.store, "ops").await);
    let expected = [
        ("b".to_owned(), labels(&[("env", "test"), ("team", "iot")])),
        ("c".to_owned(), labels(&[("team", "iot")])),
    ];
    assert_eq!(ops, expected);
}
