//! When a channel is down, how long it is left alone, and what that means for the others.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_pause_is_no_attempt() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [throttled(60), throttled(60)]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(35).await;
    let state = bench.store.channel_state("ops").await.unwrap();
    assert_eq!((state.failures, state.gate_until), (0, Some(NOW.plus(31 + 63))));
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(500).await;
    let both = batch(&["a", "b"]);
    assert_eq!(ops.sent(), sent(&[(30, "a", 1), (94, &both, 2), (221, &both, 2)]));
    assert_eq!(bench.outcomes("ops"), ["throttled", "throttled", "delivered"]);
    let notes = bench.notes.0.lock().unwrap().clone();
    assert!(!notes.contains(&"ops up false".to_owned()), "a pause is no failure: {notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_does_not_deliver_is_reported_once_whatever_the_cause() {
    for (act, times, code) in [
        (retry as fn() -> Act, 6, "http 500"),
        (down, 4, "19001"),
        (ambiguous, 4, "no answer in time"),
    ] {
        let mut bench = Bench::new();
        let ops = bench.start("ops", (0..times).map(|_| act()).collect::<Vec<_>>());
        bench.commit(&["a"], &["ops"]).await;
        bench.pass(40).await;
        assert!(bench.notes.0.lock().unwrap().contains(&"ops up false".to_owned()), "at the first");
        assert!(bench.reports.try_recv().is_err(), "{code}: one failure says little");
        bench.pass(3 * 3600).await;
        let Ok(Report::Down { channel, code: said, since, .. }) = bench.reports.try_recv() else {
            panic!("{code}: it is down")
        };
        assert_eq!((channel.as_str(), said.as_str(), since), ("ops", code, NOW.plus(31)));
        assert_eq!(bench.reports.try_recv(), Ok(Report::Up { channel: "ops".into() }), "{code}");
        assert!(bench.reports.try_recv().is_err());
        assert_eq!(ops.sent().len(), times + 1, "{code}");
        let notes = bench.notes.0.lock().unwrap().clone();
        assert_eq!(notes.iter().rfind(|note| note.starts_with("ops up")).unwrap(), "ops up true");
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_that_arrives_opens_the_gate_and_one_that_does_not_changes_nothing() {
    let mut bench = Bench::new();
    let (ops, tests) = bench.start_asked([throttled(6 * 3600), retry()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(1000).await;
    let ask = async || {
        let (answer, answered) = tokio::sync::oneshot::channel();
        tests.send(answer).await.unwrap();
        answered.await.unwrap()
    };
    assert_eq!(ask().await.unwrap_err().outcome(), "retry");
    bench.pass(100).await;
    assert!(bench.store.channel_state("ops").await.unwrap().gate_until.is_some());
    let before = ops.sent().len();
    assert!(ask().await.is_ok());
    bench.pass(10).await;
    let state = bench.store.channel_state("ops").await.unwrap();
    assert_eq!((state.failures, state.gate_until, state.down), (0, None, None));
    assert_eq!(ops.sent().len(), before + 2, "the test, and what waited");
    assert_eq!(ops.sent()[before + 1].1, "a");
    assert!(matches!(bench.reports.try_recv(), Ok(Report::Down { .. })));
    assert_eq!(bench.reports.try_recv(), Ok(Report::Up { channel: "ops".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_throttled_for_a_quarter_of_an_hour_is_down() {
    let mut bench = Bench::new();
    bench.start("ops", [throttled(6 * 3600)]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(31 + 899).await;
    assert!(bench.reports.try_recv().is_err());
    bench.pass(2).await;
    assert!(matches!(bench.reports.try_recv(), Ok(Report::Down { code, .. }) if code == "45009"));
    bench.pass(7 * 3600).await;
    assert_eq!(bench.reports.try_recv(), Ok(Report::Up { channel: "ops".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_new_critical_event_pulls_the_attempt_forward_but_not_twice_in_two_minutes() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", (0..8).map(|_| retry()).collect::<Vec<_>>());
    bench.commit(&["a"], &["ops"]).await;
    // Fails at 30, 33, 49, 110, 411, 1312, 3113: the next would be an hour after that.
    bench.pass(4000).await;
    let before = ops.sent().len();
    assert_eq!(ops.sent()[before - 1].0, 3113);
    bench.commit(&["warning"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent().len(), before, "only a critical one does");
    bench.commit(&["critical"], &["ops"]).await;
    bench.pass(20).await;
    assert_eq!(ops.sent()[before].0, 4100);
    bench.commit(&["critical-2"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent().len(), before + 1);
    bench.pass(20).await;
    assert_eq!(
        ops.sent()[before + 1],
        (4220, batch(&["a", "warning", "critical", "critical-2"]), 4)
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_critical_event_is_seen_behind_more_than_are_looked_at() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", (0..7).map(|_| retry()).collect::<Vec<_>>());
    let many: Vec<String> = (0..5_100).map(|number| format!("w{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    bench.commit(&many, &["ops"]).await;
    bench.pass(4000).await;
    let before = ops.sent().len();
    bench.commit(&["warning"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent().len(), before, "the ones of before are not new");
    bench.commit(&["critical"], &["ops"]).await;
    bench.pass(100).await;
    assert!(ops.sent().len() > before);
    assert_eq!(bench.store.pending("ops", 9).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_behind_a_closed_gate_is_counted() {
    let mut bench = Bench::new();
    bench.start("ops", [down()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(60).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(1).await;
    assert!(bench.notes.0.lock().unwrap().contains(&"ops pending 2 since Some(0)".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_holds_up_nobody_else() {
    let mut bench = Bench::new();
    let (ops, other) = (bench.start("ops", [Act::Hang]), bench.start("other", []));
    for id in ["a", "b", "c"] {
        bench.commit(&[id], &["ops", "other"]).await;
        bench.pass(100).await;
    }
    assert_eq!((ops.sent().len(), other.sent().len()), (1, 3));
    bench.pass(700).await;
    assert_eq!(bench.outcomes("ops"), ["ambiguous", "delivered", "delivered"]);
}

#[tokio::test(start_paused = true)]
async fn no_wait_survives_a_corrected_address() {
    let mut bench = Bench::new();
    bench.start_with("ops", "wrong", [throttled(6 * 3600)]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(60).await;
    bench.kill().await;
    let ops = bench.start_with("ops", "right", []);
    bench.pass(10).await;
    assert_eq!(ops.sent(), sent(&[(60, "a", 1)]));
}

#[tokio::test(start_paused = true)]
async fn channels_with_one_destination_share_pace_and_pause() {
    let mut bench = Bench::new();
    let one = bench.start_with("one", "robot", [throttled(60)]);
    let two = bench.start_with("two", "robot", []);
    bench.commit(&["a"], &["one", "two"]).await;
    bench.pass(200).await;
    let mut times: Vec<_> = one.sent().into_iter().chain(two.sent()).map(|(at, _, _)| at).collect();
    times.sort_unstable();
    assert_eq!(times, [30, 94, 96]);
}
