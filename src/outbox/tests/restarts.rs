//! Starts, ends, and clocks and stores that fail meanwhile.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_killed_process_is_continued_with_the_same_message() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [Act::Hang]);
    bench.commit(&["a", "b"], &["ops"]).await;
    bench.pass(40).await;
    let both = batch(&["a", "b"]);
    assert_eq!(ops.sent(), sent(&[(30, &both, 2)]));
    bench.kill().await;
    bench.commit(&["c"], &["ops"]).await;
    let again = bench.start("ops", []);
    bench.pass(100).await;
    assert_eq!(again.sent(), sent(&[(40, &both, 2), (70, "c", 1)]));
    assert_eq!(again.messages()[0], ops.messages()[0]);
}

/// What a reload or an upgrade may change between two tries.
fn change(settings: &mut Settings) {
    settings.manner.language = Language::Zh;
    settings.external_url = Some("https://certs.example.com".to_owned());
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_is_the_same_bytes_whatever_was_configured_since() {
    for answer in [ambiguous(), Act::Hang] {
        let mut bench = Bench::new();
        let ops = bench.start("ops", [answer]);
        bench.commit(&["a", "b"], &["ops"]).await;
        bench.pass(40).await;
        bench.kill().await;
        change(&mut bench.settings);
        let again = bench.start("ops", [retry()]);
        bench.pass(60).await;
        bench.commit(&["c"], &["ops"]).await;
        bench.pass(60).await;
        let (first, later) = (ops.bodies(), again.bodies());
        assert_eq!(later[..2], [first[0].clone(), first[0].clone()]);
        assert_eq!(again.messages()[2].language, Language::Zh, "of what is composed since");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_clearly_refused_is_composed_as_is_configured_now() {
    let mut bench = Bench::new();
    bench.start("ops", [retry()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(32).await;
    bench.kill().await;
    change(&mut bench.settings);
    let again = bench.start("ops", []);
    bench.pass(60).await;
    assert_eq!(again.messages()[0].language, Language::Zh);
}

#[tokio::test(start_paused = true)]
async fn another_kind_of_channel_says_the_same_message_its_own_way() {
    let mut bench = Bench::new();
    let ids: Vec<_> = (0..250).map(|n| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    bench.commit(&ids, &["paged"]).await;
    let delivered = || Act::Answer(Ok(Receipt::default()));
    let first = bench.start("paged", [delivered(), ambiguous()]);
    bench.pass(40).await;
    bench.kill().await;
    bench.settings.kind = "another".to_owned();
    change(&mut bench.settings);
    let again = bench.start("paged", []);
    bench.pass(60).await;
    assert_eq!(*again.pages.lock().unwrap(), [0, 1, 2]);
    let (said, before) = (again.messages().remove(0), first.messages().remove(0));
    assert_eq!((said.id, said.at, said.language), (before.id, before.at, Language::Zh));
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_nothing_and_tells_again_what_may_not_have_been_heard() {
    let mut bench = Bench::new();
    bench.start("ops", [down(), down(), down()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(300).await;
    assert!(matches!(bench.reports.try_recv(), Ok(Report::Down { .. })));
    bench.kill().await;
    let ops = bench.start("ops", [down()]);
    bench.pass(90).await;
    assert!(matches!(bench.reports.try_recv(), Ok(Report::Down { code, .. }) if code == "19001"));
    assert_eq!(ops.sent(), sent(&[(300, "a", 1), (361, "a", 1)]));
    assert_eq!(bench.reports.try_recv(), Ok(Report::Up { channel: "ops".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_failed_send_in_the_future_does_not_wait_for_it() {
    let mut bench = Bench::new();
    bench.clock.bend(300 * 86_400);
    let ops = bench.start("ops", [retry(), retry(), retry()]);
    bench.commit(&["e"], &["ops"]).await;
    bench.pass(32).await;
    assert_eq!(ops.sent().len(), 1);
    bench.clock.bend(0);
    bench.pass(600).await;
    assert_eq!(bench.outcomes("ops").last().map(String::as_str), Some(DELIVERED));
}

#[tokio::test(start_paused = true)]
async fn a_time_that_was_stored_in_the_future_is_not_waited_for() {
    for failure in [retry, down] {
        let mut bench = Bench::new();
        bench.clock.bend(300 * 86_400);
        bench.start("ops", [failure()]);
        bench.commit(&["e"], &["ops"]).await;
        bench.pass(32).await;
        bench.kill().await;
        bench.clock.bend(0);
        let ops = bench.start("ops", []);
        bench.pass(60).await;
        assert_eq!(ops.sent().len(), 1);
        assert_eq!(bench.outcomes("ops").last().map(String::as_str), Some(DELIVERED));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_in_flight_is_finished_on_stop() {
    let mut bench = Bench::new();
    bench.start("ops", []);
    bench.start("stuck", [Act::Hang]);
    bench.start("idle", []);
    bench.commit(&["a"], &["ops", "stuck"]).await;
    tokio::time::sleep(Duration::from_millis(30_500)).await;
    bench.stop.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(11), async {
        while bench.tasks.join_next().await.is_some() {}
    });
    stopped.await.unwrap();
    assert_eq!(bench.store.ended(), [("a".to_owned(), "delivered")]);
    let kept = bench.store.batch("stuck").await;
    assert!(kept.is_some_and(|batch| batch.begun), "it is tried again with the same id");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_delays_and_repeats_nothing() {
    let mut bench = Bench::new();
    bench.store.fail(3);
    let ops = bench.start("ops", []);
    bench.commit(&["a"], &["ops"]).await;
    tokio::time::sleep(Duration::from_millis(30_500)).await;
    // The message is in flight; its record fails at first.
    bench.store.fail(4);
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(30, "a", 1)]));
    assert_eq!(bench.store.ended(), [("a".to_owned(), "delivered")]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_pipeline_leaves_nothing_behind() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [retry()]);
    bench.commit(&["a"], &["ops"]).await;
    let (commits, _) = watch::channel(0);
    drop(std::mem::replace(&mut bench.commits, commits));
    bench.pass(100).await;
    assert_eq!(ops.sent().len(), 2);
    assert_eq!(bench.store.ended(), [("a".to_owned(), "delivered")]);
}
