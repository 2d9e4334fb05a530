//! What becomes of a message that was not taken: composed anew, repeated as it was, cut down, given up.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_was_clearly_refused_is_composed_again_with_what_waits_then() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [retry(), retry()]);
    bench.commit(&["a", "b"], &["ops"]).await;
    bench.pass(34).await;
    bench.commit(&["late"], &["ops"]).await;
    bench.pass(200).await;
    // Half of 5 s and of 30 s is the jitter of this test.
    let (two, three) = (batch(&["a", "b"]), batch(&["a", "b", "late"]));
    assert_eq!(ops.sent(), sent(&[(30, &two, 2), (33, &two, 2), (49, &three, 3)]));
    assert_eq!(bench.outcomes("ops"), ["retry", "retry", "delivered"]);
    assert_eq!(ops.messages()[2].at, NOW.plus(49), "counted from when it was composed");
}

#[tokio::test(start_paused = true)]
async fn what_is_true_no_more_is_not_sent_and_its_closing_goes_to_those_who_were_told() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [retry(), retry(), retry(), retry(), retry(), retry()]);
    bench.rung("30d", &["ops"]).await;
    bench.pass(60).await;
    bench.rung("14d", &["ops"]).await;
    bench.pass(60).await;
    bench.renewed("renewed").await;
    bench.pass(7200).await;
    let ids: Vec<_> = ops.sent().into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids, ["30d", "30d", "30d", "14d"], "settled, and nobody hears of a renewal");
    assert_eq!(bench.outcomes("ops"), ["retry"; 4]);
    // Once it was delivered, its closing is said.
    let up = bench.start("up", []);
    bench.rung("7d", &["up"]).await;
    bench.pass(60).await;
    let (at, event) = (bench.clock.now(), Some(bench.event("renewed again")));
    let channels = vec!["ops".to_owned(), "up".to_owned()];
    let outbox = vec![Post::Closed { row: ROW, at, event, channels }];
    bench.step(Commit { outbox, ..Commit::default() }).await;
    bench.pass(60).await;
    let ids: Vec<_> = up.sent().into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids, ["7d", "renewed again"]);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_is_repeated_as_it_was() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [ambiguous(), retry()]);
    bench.rung("30d", &["ops"]).await;
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(40).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.rung("14d", &["ops"]).await;
    bench.pass(300).await;
    let first = batch(&["30d", "a"]);
    let later = batch(&["b", "14d"]);
    // Refused in between: the first may have arrived all the same.
    let expected = [(30, first.as_str(), 2), (91, &first, 2), (107, &first, 2), (109, &later, 2)];
    assert_eq!(ops.sent(), sent(&expected));
    let bodies = ops.bodies();
    assert_eq!(bodies[1], bodies[0], "the same bytes");
    assert_eq!(bodies[2], bodies[0]);
}

#[tokio::test(start_paused = true)]
async fn a_list_goes_on_at_the_page_that_was_not_delivered() {
    let mut bench = Bench::new();
    let ids: Vec<_> = (0..450).map(|n| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    bench.commit(&ids, &["paged"]).await;
    let delivered = || Act::Answer(Ok(Receipt::default()));
    let first = bench.start("paged", [delivered(), delivered(), Act::Hang]);
    bench.pass(45).await;
    assert_eq!(bench.store.batch("paged").await.unwrap().pages, 2);
    // Also over a restart, and after a refusal.
    bench.kill().await;
    bench.commit(&["late"], &["paged"]).await;
    let again = bench.start("paged", [delivered(), retry()]);
    bench.pass(60).await;
    assert_eq!(*first.pages.lock().unwrap(), [0, 1, 2]);
    assert_eq!(*again.pages.lock().unwrap(), [2, 3, 3, 4, 0]);
    let ids: Vec<_> = again.sent().into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids[..4], vec![batch(&ids_of(450)); 4]);
    assert_eq!(ids[4], "late");
}

fn ids_of(count: usize) -> Vec<&'static str> {
    (0..count).map(|number| &*number.to_string().leak()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_reported_once_and_said_again_after_a_day() {
    let mut bench = Bench::new();
    let poison = || (0..4).map(|_| rejected()).collect::<Vec<_>>();
    let ops = bench.start("ops", [poison(), poison()].into_iter().flatten());
    bench.rung("30d", &["ops"]).await;
    bench.pass(100).await;
    bench.commit(&["other"], &["ops"]).await;
    bench.pass(100).await;
    let Ok(Report::Dead { channel, code, .. }) = bench.reports.try_recv() else { panic!("said") };
    assert_eq!((channel.as_str(), code.as_str()), ("ops", "40058"));
    while let Ok(report) = bench.reports.try_recv() {
        assert!(!matches!(report, Report::Dead { .. }), "once until something is delivered");
    }
    let before = ops.sent().len();
    bench.pass(86_000).await;
    assert_eq!(ops.sent().len(), before);
    bench.pass(1_000).await;
    assert_eq!(ops.sent().len(), before + 1);
    assert_eq!(bench.store.told(&[ROW]).await.unwrap(), [["ops"]]);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_said_again_after_the_first_delivery() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", (0..4).map(|_| rejected()).collect::<Vec<_>>());
    bench.rung("30d", &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(bench.store.told(&[ROW]).await.unwrap(), [Vec::<String>::new()]);
    bench.commit(&["other"], &["ops"]).await;
    bench.pass(200).await;
    let told: Vec<_> = ops.messages().iter().map(|message| message.events[0].id.clone()).collect();
    assert_eq!(told[4], "other");
    assert_eq!((told.len(), told[5].len()), (6, 32), "as an event of its own");
    assert_eq!(bench.store.told(&[ROW]).await.unwrap(), [["ops"]]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_is_cut_down_and_then_given_up() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [rejected(), rejected(), rejected(), rejected()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(40).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(100).await;
    let details: Vec<_> = ops.messages().iter().map(|message| message.detail).collect();
    assert_eq!(
        details,
        [Detail::Full, Detail::Shorter, Detail::Plain, Detail::OneLine, Detail::Full]
    );
    assert_eq!(bench.store.ended(), [("a".to_owned(), "dead"), ("b".to_owned(), "delivered")]);
    assert_eq!(
        bench.outcomes("ops"),
        ["rejected", "rejected", "rejected", "rejected", "dead", "delivered"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_an_attempt_and_no_more() {
    let mut bench = Bench::new();
    let (ops, other) = (bench.start("ops", [Act::Panic]), bench.start("other", []));
    bench.commit(&["a"], &["ops", "other"]).await;
    bench.pass(200).await;
    assert_eq!(ops.sent(), sent(&[(30, "a", 1), (91, "a", 1)]));
    assert_eq!(other.sent(), sent(&[(30, "a", 1)]));
    assert_eq!(bench.outcomes("ops"), ["retry", "delivered"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_always_panics_is_given_up() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [Act::Panic, Act::Panic, Act::Panic, Act::Panic]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(1200).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(60).await;
    assert_eq!(ops.sent().len(), 5);
    assert_eq!(bench.store.ended(), [("a".to_owned(), "dead"), ("b".to_owned(), "delivered")]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_encoded_is_given_up_as_well() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    bench.commit(&["unspeakable"], &["ops"]).await;
    bench.pass(1200).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(60).await;
    let ended = [("unspeakable".to_owned(), "dead"), ("b".to_owned(), "delivered")];
    assert_eq!(bench.store.ended(), ended);
    assert_eq!(ops.sent().len(), 1);
}
