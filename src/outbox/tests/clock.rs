//! By a clock that is not trusted nobody is told when something ends.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_tells_when_something_ends_waits_for_the_right_time() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [retry()]);
    bench.commit(&["info-1", "daily-1", "a"], &["ops"]).await;
    bench.clock_trusted.send_replace(false);
    bench.clock.bend(400 * 86_400);
    bench.pass(100).await;
    let words = |script: &Script| {
        script.messages().into_iter().map(|message| message.events.len()).collect::<Vec<_>>()
    };
    assert_eq!(words(&ops), [1, 1], "what is said of the daemon itself goes on");
    bench.clock.bend(0);
    bench.clock_trusted.send_replace(true);
    bench.pass(2 * 86_400).await;
    let told = ops.messages();
    let composed = told.iter().skip(2).map(|message| message.at.since(NOW) < 3 * 86_400);
    assert_eq!(composed.collect::<Vec<_>>(), [true]);
    assert_eq!(bench.store.pending("ops", 9).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_is_repeated_as_it_was_whatever_the_time_is() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [ambiguous()]);
    bench.commit(&["info-1", "a"], &["ops"]).await;
    bench.pass(31).await;
    bench.clock_trusted.send_replace(false);
    bench.pass(300).await;
    let sent: Vec<_> = ops.sent().into_iter().map(|(_, id, count)| (id, count)).collect();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert_eq!(sent[0], sent[1]);
}
