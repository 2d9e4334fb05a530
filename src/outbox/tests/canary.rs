//! A canary: alone, at once, and gone when it does not arrive.

use super::*;

/// Returns what was said of canaries: the id, and the verdict.
fn told(bench: &mut Bench) -> Vec<(String, Result<String, String>)> {
    let mut all = Vec::new();
    while let Ok(report) = bench.reports.try_recv() {
        if let Report::Canary { channel, event, verdict } = report {
            assert_eq!(channel, "ops");
            all.push((event, verdict));
        }
    }
    all
}

fn awaited(bench: &Bench, id: &str) {
    bench.canary.send_replace(Some(id.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn it_goes_alone_and_at_once_whatever_waits() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    awaited(&bench, "canary-1");
    bench.commit(&["a", "canary-1", "info-1"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(0, "canary-1", 1), (30, &batch(&["a", "info-1"]), 2)]));
    assert_eq!(told(&mut bench), [("canary-1".to_owned(), Ok("delivered".to_owned()))]);
    let message = &ops.messages()[0];
    assert!(message.title.contains("test: certificate"), "{}", message.title);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_arrive_is_not_repeated_and_changes_nothing() {
    for (act, expected) in [
        (retry(), "not delivered: http 500"),
        (down(), "not delivered: the channel does not work (19001): set another url"),
        (rejected(), "not delivered: the service refuses this message (40058)"),
        (
            ambiguous(),
            "nobody knows whether it was delivered: no answer in time; look into the room",
        ),
        (Act::Panic, "not delivered: unknown: panic"),
    ] {
        let mut bench = Bench::new();
        let ops = bench.start("ops", [act]);
        awaited(&bench, "canary-1");
        bench.commit(&["canary-1"], &["ops"]).await;
        bench.pass(10).await;
        let verdicts = told(&mut bench);
        let (_, verdict) = &verdicts[0];
        assert_eq!(verdict.as_ref().unwrap_err(), expected);
        assert_eq!(bench.store.pending("ops", 9).await.unwrap(), [], "{expected}");
        assert_eq!(bench.store.given_up().await.unwrap(), []);
        let state = bench.store.channel_state("ops").await.unwrap();
        assert_eq!((state.failures, state.gave_up, state.since), (0, None, None), "{expected}");
        // What is real is not held up by it.
        bench.commit(&["a"], &["ops"]).await;
        bench.pass(7200).await;
        assert_eq!(ops.sent(), sent(&[(0, "canary-1", 1), (40, "a", 1)]), "{expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_not_to_be_used_for_long_says_so_instead() {
    for (act, why) in [(throttled(600), "45009"), (down(), "19001")] {
        let mut bench = Bench::new();
        let ops = bench.start(
            "ops",
            (0..9).map(|_| match &act {
                Act::Answer(answer) => Act::Answer(answer.clone()),
                _ => unreachable!("scripted"),
            }),
        );
        bench.commit(&["a"], &["ops"]).await;
        bench.pass(300).await;
        let before = ops.sent().len();
        awaited(&bench, "canary-1");
        bench.commit(&["canary-1"], &["ops"]).await;
        bench.pass(1).await;
        let verdicts = told(&mut bench);
        assert_eq!(verdicts.len(), 1, "{why}");
        let error = verdicts[0].1.as_ref().unwrap_err();
        assert!(error.starts_with("the channel waits for ") && error.contains(why), "{error}");
        assert_eq!(ops.sent().len(), before);
        let left = bench.store.pending("ops", 9).await.unwrap();
        assert_eq!(left.iter().map(|one| &*one.event.id).collect::<Vec<_>>(), ["a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_is_taken_back_also_where_it_may_have_arrived() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [Act::Hang]);
    awaited(&bench, "canary-1");
    bench.commit(&["canary-1", "a"], &["ops"]).await;
    bench.pass(10).await;
    assert!(bench.store.pending("ops", 9).await.unwrap()[0].batch.as_ref().unwrap().begun);
    bench.kill().await;
    assert_eq!(ops.sent(), sent(&[(0, "canary-1", 1)]));
    bench.canary.send_replace(None);
    let ops = bench.start("ops", []);
    bench.pass(7200).await;
    assert_eq!(ops.sent(), sent(&[(30, "a", 1)]), "the canary is not sent once more");
    assert_eq!(bench.store.pending("ops", 9).await.unwrap(), []);
    assert_eq!(told(&mut bench), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_does_not_count_as_waiting() {
    let mut bench = Bench::new();
    bench.commit(&["canary-1"], &["ops"]).await;
    bench.start("ops", []);
    bench.pass(10).await;
    let notes = bench.notes.0.lock().unwrap().clone();
    let waits = |note: &&String| note.starts_with("ops pending");
    let last = notes.iter().rfind(waits).unwrap();
    assert!(last.starts_with("ops pending 0"), "{notes:?}");
}
