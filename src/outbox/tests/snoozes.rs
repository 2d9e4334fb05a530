//! What is snoozed by the time that it would be composed.

use super::*;
use crate::channel::Ticket;

fn snooze(wanted: &str, seconds: i64) -> Arc<Snoozes> {
    let snooze = Snooze {
        id: "s".to_owned(),
        cover: Cover::Match(Wanted::parse(wanted).unwrap()),
        made: NOW,
        until: NOW.plus(seconds),
        hold: false,
        author: "ann".to_owned(),
        reason: "known".to_owned(),
        link: None,
        ended: None,
    };
    Arc::new([snooze].into_iter().collect())
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_is_snoozed_before_it_is_composed_is_never_sent() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    bench.commit(&["info-1", "a"], &["ops"]).await;
    bench.pass(10).await;
    bench.snoozes.send_replace(snooze("kind=device", 3600));
    bench.pass(7200).await;
    assert_eq!(ops.sent(), sent(&[(30, "a", 1)]));
    assert_eq!(bench.store.pending("ops", 9).await.unwrap(), []);
    let notes = bench.notes.0.lock().unwrap().clone();
    assert!(notes.contains(&"ops settled 1".to_owned()), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_about_one_certificate_has_a_link_to_snooze_it() {
    let mut bench = Bench::new();
    let alert = |id: &str, severity| {
        let event = bench.event("info-1");
        let Topic::Expiring { mut facts, rung, .. } = event.topic else { panic!("an alert") };
        facts.status = Status::Active;
        let (leaves, newer, unserved, places) = (None, None, false, None);
        let topic = Topic::Expiring { facts, rung, leaves, newer, unserved, places };
        Event { id: id.to_owned(), severity, topic, ..event }
    };
    let id = "00112233445566778899aabbccddeeff";
    let post = |event: Event| Post::from((event, vec!["ops".to_owned(), "bare".to_owned()]));
    let first = post(alert(id, Severity::Warning));
    let more = [post(alert("a", Severity::Warning)), post(alert("b", Severity::Warning))];
    let bare = bench.start("bare", []);
    bench.settings.external_url = Some("https://certs.example.com".to_owned());
    let ops = bench.start("ops", []);
    bench.step(Commit { outbox: vec![first], ..Commit::default() }).await;
    bench.pass(100).await;
    bench.step(Commit { outbox: more.into(), ..Commit::default() }).await;
    bench.pass(100).await;
    let links = |script: &Script| {
        let messages = script.messages();
        messages.into_iter().map(|message| message.snooze).collect::<Vec<_>>()
    };
    let start = "https://certs.example.com/snooze?token=";
    let [Some(link), None] = &links(&ops)[..] else { panic!("{:?}", links(&ops)) };
    let ticket = Ticket::read(link.strip_prefix(start).unwrap(), &[7; 32], NOW.plus(86_400 * 6));
    assert_eq!(ticket.unwrap().event, id);
    assert_eq!(links(&bare), [None, None], "without an address there is no link");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_is_repeated_whatever_is_snoozed() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [ambiguous()]);
    bench.commit(&["info-1", "a"], &["ops"]).await;
    bench.pass(35).await;
    bench.snoozes.send_replace(snooze("kind=device", 36_000));
    bench.pass(7200).await;
    let counts: Vec<usize> = ops.sent().into_iter().map(|(.., count)| count).collect();
    assert_eq!(counts, [2, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_about_certificates_waits_for_the_end_of_the_snooze() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    bench.snoozes.send_replace(snooze("event=test", 3600));
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(3590).await;
    assert_eq!(ops.sent(), []);
    bench.pass(20).await;
    assert_eq!(ops.sent(), sent(&[(3600, "a", 1)]));
}
