//! When decisions are made, and how they are saved.

use super::*;

#[tokio::test]
async fn a_decision_is_saved_with_what_it_is_about_and_not_made_twice() {
    let mut bench = Bench::new().await;
    bench.scan(&slice("mqtt-1", Window::All), vec![device("a", 5), device("b", 300)]).await;
    for _ in 0..3 {
        bench.pipeline.decide().await.unwrap();
        bench.restart().await;
    }
    let said = bench.said().await;
    let told: Vec<_> = said.iter().map(|event| &event.topic).collect();
    let [Topic::Expiring { facts, rung, leaves: None, newer: None, unserved: false, places: None }] =
        told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((facts.serial.as_str(), *rung), ("a", Rung::Before(7 * 86_400)));
    assert_eq!((facts.source.as_str(), facts.scope.as_str()), ("iot", "mqtt-1"));
}

#[tokio::test]
async fn more_news_than_a_transaction_holds_is_said_all_and_once() {
    let mut bench = Bench::new().await;
    let count = BATCH + 5;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, (0..count).map(|number| device(&number.to_string(), 3)).collect()).await;
    for _ in 0..2 {
        bench.pipeline.decide().await.unwrap();
        bench.save().await;
        assert_eq!(bench.store.backlog().await.unwrap()[0].1, count as u64);
        assert_eq!(bench.pipeline.ledger.len(), count);
        bench.restart().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_pipeline_turns_when_a_rung_is_crossed_and_else_seldom() {
    let mut bench = Bench::new().await;
    let soon = Sighting { not_after: Some(NOW.plus(7 * DAY + 90)), ..device("a", 7) };
    bench.scan(&slice("mqtt-1", Window::All), vec![soon]).await;
    bench.restart().await;
    let Bench { pipeline, store, .. } = bench;
    let (_events, events) = mpsc::channel(1);
    let (_commands, commands) = mpsc::channel(1);
    let (stop, started) = (CancellationToken::new(), Instant::now());
    let mut pulse = pipeline.outputs.pulse.subscribe();
    let count = async {
        let mut turns = 0;
        while started.elapsed() < Duration::from_mins(10) {
            pulse.changed().await.unwrap();
            turns += 1;
        }
        stop.cancel();
        turns
    };
    let run = pipeline.run(Inbox { events, commands }, stop.clone());
    let (turns, ran) = tokio::join!(count, run);
    ran.unwrap();
    assert!((8..=20).contains(&turns), "{turns} turns in ten minutes");
    let pending = store.pending("ops", 100).await.unwrap();
    let times: Vec<_> = pending.iter().map(|pending| pending.event.at.since(NOW)).collect();
    assert_eq!(times, [90], "in place of the looser one, which nobody heard");
}
