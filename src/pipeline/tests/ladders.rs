//! Ladders of their own, and ladders that change.

use super::*;

const BY_ISSUER: &str = r#"
[[ladder]]
match = { issuer = "Long *" }
rungs = ["50%", "10d"]
"#;

fn issued(serial: &str, issuer: &str, days: i64) -> Sighting {
    Sighting {
        issuer: issuer.into(),
        signer: issuer.into(),
        not_before: Some(NOW.plus((days - 100) * DAY)),
        ..device(serial, days)
    }
}

async fn rungs(bench: &mut Bench) -> Vec<String> {
    bench.pipeline.decide().await.unwrap();
    bench.save().await;
    let said = deliver(&*bench.store, "ops").await;
    let rung = |event: &Event| match &event.topic {
        Topic::Expiring { facts, rung, .. } => format!("{} {}", facts.serial, rung.as_label()),
        other => panic!("{other:?}"),
    };
    said.iter().map(rung).collect()
}

async fn reconfigure(bench: &mut Bench, more: &str) {
    let settings = settings_of(&format!("{TEXT}{more}"), &["iot"]);
    bench.pipeline.handle(Command::Reconfigure(Box::new(settings))).await.unwrap();
}

#[tokio::test]
async fn another_ladder_says_what_is_newly_inside_and_nothing_again_also_after_a_restart() {
    let mut bench = Bench::new().await;
    let known =
        vec![issued("a", "Long CA", 45), issued("b", "Long CA", 20), issued("c", "Short CA", 45)];
    bench.scan(&slice("mqtt-1", Window::All), known).await;
    assert_eq!(rungs(&mut bench).await, ["b 30d"]);
    // What issued them is looked up, since a start reads none of it back.
    bench.restart().await;
    reconfigure(&mut bench, BY_ISSUER).await;
    assert_eq!(rungs(&mut bench).await, ["a 50%"], "b was said by a tighter one");
    reconfigure(&mut bench, "").await;
    assert_eq!(rungs(&mut bench).await, Vec::<String>::new());
    reconfigure(&mut bench, BY_ISSUER).await;
    assert_eq!(rungs(&mut bench).await, Vec::<String>::new());
    reconfigure(&mut bench, &BY_ISSUER.replace("10d", "40d")).await;
    assert_eq!(rungs(&mut bench).await, Vec::<String>::new());
    let counts = bench.pipeline.evaluator.counts();
    assert!(counts.keys().any(|(_, rung)| rung.as_label() == "50%"));
}
