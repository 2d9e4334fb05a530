//! What goes into one message, and how long the first waits for the others.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_first_event_waits_for_others_and_no_longer() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    bench.pass(10).await;
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(20).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(15).await;
    bench.commit(&["c"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(40, &batch(&["a", "b"]), 2), (75, "c", 1)]));
    let delivered = |id: &str| (id.to_owned(), "delivered");
    assert_eq!(bench.store.ended(), [delivered("a"), delivered("b"), delivered("c")]);
    assert_eq!(bench.outcomes("ops"), ["delivered", "delivered"]);
    let state = bench.store.channel_state("ops").await.unwrap();
    assert_eq!(state, ChannelState { last_success: Some(NOW.plus(76)), ..ChannelState::default() });
}

#[tokio::test(start_paused = true)]
async fn many_events_go_out_as_one_digest() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    let ids: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    bench.commit(&ids, &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(30, &batch(&ids), 40)]));
    assert_eq!(ops.messages()[0].facts[0].line(Language::En), "test: 40");
}

#[tokio::test(start_paused = true)]
async fn what_is_held_waits_for_its_time_and_stands_in_nobodys_way() {
    let mut bench = Bench::new();
    let end = NOW.plus(7200);
    let muted = move |event: &Event, now: Timestamp| {
        (event.severity != Severity::Critical && now < end).then_some(end)
    };
    bench.settings.hold = Hold::new(muted);
    let ids: Vec<String> = (0..5003).map(|number| format!("w{number}")).collect();
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.push("critical-1");
    bench.commit(&ids, &["ops"]).await;
    let ops = bench.start("ops", []);
    bench.pass(7100).await;
    assert_eq!(ops.sent(), sent(&[(30, "critical-1", 1)]));
    bench.pass(200).await;
    let told: Vec<(i64, usize)> =
        ops.sent().into_iter().map(|(at, _, count)| (at, count)).collect();
    assert_eq!(told[1..], [(7200, 5003)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_for_the_digest_only_goes_with_the_next_message() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    bench.commit(&["info-1"], &["ops"]).await;
    bench.pass(7200).await;
    bench.commit(&["info-2"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), []);
    let waits = "ops pending 2 since None".to_owned();
    assert!(bench.notes.0.lock().unwrap().contains(&waits), "it waits on purpose");
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(7330, &batch(&["info-1", "info-2", "a"]), 3)]));
}

#[tokio::test(start_paused = true)]
async fn what_is_for_the_digest_only_goes_by_itself_after_a_day() {
    const DAY: u64 = 86_400;
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    bench.commit(&["info-1"], &["ops"]).await;
    bench.pass(DAY / 2).await;
    // A restart does not begin to count anew.
    bench.kill().await;
    let again = bench.start("ops", []);
    bench.commit(&["info-2"], &["ops"]).await;
    bench.pass(DAY).await;
    assert_eq!(
        (ops.sent(), again.sent()),
        (vec![], sent(&[(86_400, &batch(&["info-1", "info-2"]), 2)]))
    );
}

#[tokio::test(start_paused = true)]
async fn where_the_daily_digest_is_heard_what_is_for_it_waits_for_it() {
    let mut bench = Bench::new();
    bench.settings.gathers = true;
    let ops = bench.start("ops", []);
    bench.commit(&["info-1"], &["ops"]).await;
    bench.pass(100_000).await;
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(100_030, "a", 1)]), "longer than a day, and not with others");
    bench.commit(&["daily-1"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent()[1..], sent(&[(100_130, &batch(&["info-1", "daily-1"]), 2)]));
    let notes = bench.notes.0.lock().unwrap();
    assert!(notes.contains(&"ops told daily at 100131".to_owned()), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_for_the_digest_hides_nothing_behind_it() {
    let mut bench = Bench::new();
    let ids: Vec<String> = (0..5001).map(|number| format!("info-{number}")).collect();
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.push("a");
    bench.commit(&ids, &["ops"]).await;
    let ops = bench.start("ops", []);
    bench.pass(200).await;
    let told: Vec<usize> = ops.sent().into_iter().map(|(_, _, events)| events).collect();
    assert_eq!(told, [5002]);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_in_front_does_not_part_a_whole_batch() {
    let mut bench = Bench::new();
    bench.settings.gathers = true;
    let ops = bench.start("ops", []);
    bench.commit(&["info-1"], &["ops"]).await;
    let many: Vec<String> = (0..5_100).map(|number| format!("w{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    bench.commit(&many, &["ops"]).await;
    bench.pass(100).await;
    let counts: Vec<usize> = ops.messages().iter().map(|message| message.events.len()).collect();
    assert_eq!(counts, [5_100]);
}
