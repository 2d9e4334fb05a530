//! What is written down of what happens.

use super::*;
use crate::store::{AuditQuery, Decided};

async fn happened(bench: &mut Bench) -> Vec<Audited> {
    bench.save().await;
    let query = AuditQuery { limit: 1000, ..AuditQuery::default() };
    let entries = bench.store.audit(&query).await.unwrap();
    entries.into_iter().map(|(_, entry)| entry.what).collect()
}

async fn decisions(bench: &mut Bench) -> Vec<Decided> {
    let all = happened(bench).await.into_iter();
    let decision = |it| match it {
        Audited::Decision(decided) => Some(decided),
        _ => None,
    };
    all.filter_map(decision).collect()
}

#[tokio::test]
async fn a_decision_is_written_down_once_and_a_list_is_one_with_a_count() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    let few = vec![device("a", 5), device("b", 300)];
    bench.scan(&all, few.clone()).await;
    for _ in 0..3 {
        bench.pipeline.decide().await.unwrap();
    }
    let found = decisions(&mut bench).await;
    let [one] = &found[..] else { panic!("{found:?}") };
    assert_eq!((one.event.as_str(), one.reason.as_str()), ("certificate.expiring", "first_sight"));
    assert_eq!((one.serial.as_deref(), one.rung.as_deref(), one.count), (Some("a"), Some("7d"), 1));
    assert_eq!(one.channels, ["ops"]);

    let many = (0..7).map(|number| device(&number.to_string(), 5 + number));
    bench.scan(&all, few.into_iter().chain(many).collect()).await;
    bench.pipeline.decide().await.unwrap();
    let found = decisions(&mut bench).await;
    let counts: Vec<_> = found.iter().map(|it| (it.count, it.rung.clone().unwrap())).collect();
    let rung = |count, rung: &str| (count, rung.to_owned());
    // Three within a week are each their own, as are the four within two weeks.
    assert_eq!(counts[0], rung(1, "7d"));
    assert_eq!(counts.iter().map(|(count, _)| count).sum::<u64>(), 8);

    let more = (0..9).map(|number| device(&format!("m{number}"), 25));
    bench.scan(&slice("mqtt-2", Window::All), more.collect()).await;
    bench.pipeline.decide().await.unwrap();
    let found = decisions(&mut bench).await;
    let list = found.last().unwrap();
    assert_eq!(
        (list.count, list.rung.as_deref(), &list.serial, &list.id),
        (9, Some("30d"), &None, &None)
    );
    assert_eq!(list.not_after.as_deref(), Some("2027-02-09T08:00:00Z"), "the soonest of them");
}

#[tokio::test]
async fn polls_starts_and_reloads_are_written_down_with_what_is_saved_anyway() {
    let mut bench = Bench::new().await;
    bench.save().await;
    bench.apply(polled(None)).await;
    assert!(bench.pipeline.draft.is_empty(), "no transaction is made for it");
    assert!(bench.pipeline.draft.has_only_audit());
    let text = TEXT.replace("name = \"ops\"", "name = \"room\"").replace("[\"ops\"]", "[\"room\"]");
    let settings = Box::new(settings_of(&text, &["iot"]));
    bench.pipeline.handle(Command::Reconfigure(settings)).await.unwrap();
    bench.scan(&slice("mqtt-1", Window::All), vec![device("a", 300)]).await;
    let found = happened(&mut bench).await;
    let [Audited::Start { sources: 1, channels: 1, certificates: 0, .. }, rest @ ..] = &found[..]
    else {
        panic!("{found:?}")
    };
    let [Audited::Scan { source, proven, .. }, Audited::Reload { difference }] = rest else {
        panic!("{found:?}")
    };
    assert_eq!((source.as_str(), *proven), ("iot", false));
    let expected = ["channel ops is gone", "channel room is new", "the routes differ"];
    assert_eq!(*difference, expected);
}

#[tokio::test]
async fn an_end_that_moves_is_kept() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, vec![device("a", 5)]).await;
    bench.save().await;
    bench.scan(&all, vec![device("a", 300)]).await;
    bench.save().await;
    bench.scan(&all, vec![device("a", 300)]).await;
    bench.save().await;
    let (row, _) = bench.pipeline.inventory.view().rows().next().unwrap();
    let kept = bench.store.former_ends(row).await.unwrap();
    assert_eq!(kept, [(NOW.plus(5 * DAY), NOW)]);
}
