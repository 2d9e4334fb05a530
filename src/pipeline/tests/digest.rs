//! The daily digest: when it is said, once, and what is in it.

use super::reminders::Remembered;
use super::*;
use crate::expiry::News;

/// At half past nine on working days. The tests begin on a Friday at eight.
const DAILY: &str = "[digest]\nschedule = \"30 9 * * 1-5\"\nchannels = [\"ops\"]\n";

/// Lets some hours pass, and answers with the digests that are said: in which hour, and what.
async fn digests(daemon: &mut Remembered, hours: i64) -> Vec<(i64, String, DailyDigest)> {
    let mut said = Vec::new();
    for _ in 0..hours {
        for event in daemon.turn().await {
            if let Some(digest) = event.daily() {
                let hour = event.at.since(NOW) / 3600;
                said.push((hour, event.id.clone(), digest.clone()));
            }
        }
        tokio::time::advance(Duration::from_hours(1)).await;
    }
    said
}

fn hours(said: &[(i64, String, DailyDigest)]) -> Vec<i64> {
    said.iter().map(|(hour, _, _)| *hour).collect()
}

#[tokio::test(start_paused = true)]
async fn it_is_said_once_at_each_instant_over_restarts() {
    let mut daemon = Remembered::of(DAILY, vec![device("a", 400)]).await;
    let first = digests(&mut daemon, 3).await;
    assert_eq!(hours(&first), [2], "asked each hour");
    let digest = &first[0].2;
    assert_eq!((digest.channel.as_str(), digest.total, digest.on_a_rung()), ("ops", 1, 0));
    assert_eq!(digest.scheduled, NOW.plus(5400));
    assert_eq!(digest.next.as_ref().map(|next| next.serial.as_str()), Some("a"));
    daemon.restart().await;
    assert_eq!(hours(&digests(&mut daemon, 20).await), Vec::<i64>::new());
    let monday = digests(&mut daemon, 60).await;
    assert_eq!(hours(&monday), [74], "not at the weekend");
    assert_ne!(monday[0].1, first[0].1);
    assert_eq!(monday[0].2.since, Some(NOW.plus(7200)), "when it was said");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_saved_is_decided_again_with_the_same_id() {
    let mut daemon = Remembered::of(DAILY, vec![device("a", 400)]).await;
    daemon.turn().await;
    tokio::time::advance(Duration::from_hours(2)).await;
    // Killed before the commit.
    daemon.pipeline.decide().await.unwrap();
    let (lost, _) = daemon.pipeline.draft.take();
    daemon.restart().await;
    let said = digests(&mut daemon, 1).await;
    let ids: Vec<_> = lost
        .outbox
        .iter()
        .filter_map(|post| match post {
            crate::store::Post::Say { event, .. } if event.daily().is_some() => {
                Some(event.id.clone())
            }
            _ => None,
        })
        .collect();
    assert_eq!(ids, [said[0].1.clone()]);
    assert_eq!(hours(&digests(&mut daemon, 5).await), Vec::<i64>::new());
}

#[tokio::test(start_paused = true)]
async fn one_that_was_missed_is_said_at_the_start_unless_it_is_a_day_late() {
    for (down, expected) in [(20, vec![22]), (30, vec![])] {
        let mut daemon = Remembered::of(DAILY, vec![device("a", 400)]).await;
        daemon.turn().await;
        daemon.turn().await;
        tokio::time::advance(Duration::from_hours(2 + down)).await;
        daemon.restart().await;
        assert_eq!(hours(&digests(&mut daemon, 10).await), expected, "{down} hours later");
    }
}

#[tokio::test(start_paused = true)]
async fn it_tells_what_stands_where_and_what_is_new() {
    let devices = || vec![device("a", 3), device("b", 31), device("c", 400), device("d", 500)];
    let mut daemon = Remembered::of(DAILY, devices()).await;
    let first = digests(&mut daemon, 3).await;
    let digest = &first[0].2;
    assert_eq!(digest.on_a_rung(), 1);
    assert_eq!(digest.news, News::default(), "what was said before it began is not new");
    let soonest: Vec<_> = digest.soonest.iter().map(|one| one.facts.serial.as_str()).collect();
    assert_eq!(soonest, ["a"]);
    assert_eq!(digest.sources[0].total, 4);
    // `a` ends later, `e` is new and has no end.
    let undated = Sighting { not_after: None, ..device("e", 0) };
    for _ in 0..3 {
        daemon.list(vec![device("a", 300), undated.clone()]).await;
    }
    daemon.turn().await;
    daemon.restart().await;
    let monday = digests(&mut daemon, 80).await;
    let news = monday[0].2.news;
    assert_eq!((news.inside, news.renewed, news.undated), (1, 1, 1), "`b` came nearer");
    assert_eq!(monday[0].2.undated, 1);
    let tuesday = digests(&mut daemon, 24).await;
    assert_eq!(tuesday[0].2.news, News::default());
}

#[tokio::test(start_paused = true)]
async fn without_a_section_nothing_is_said_and_nothing_is_kept() {
    let mut daemon = Remembered::of(DAILY, vec![device("a", 400)]).await;
    daemon.turn().await;
    let kept = |saved: &Saved| saved.conditions.iter().any(|(key, _)| key.starts_with("digest"));
    assert!(kept(&daemon.store.saved().await.unwrap()));
    daemon.set(settings_of(TEXT, &["iot"]));
    daemon.restart().await;
    assert_eq!(hours(&digests(&mut daemon, 30).await), Vec::<i64>::new());
    assert!(!kept(&daemon.store.saved().await.unwrap()));
}
