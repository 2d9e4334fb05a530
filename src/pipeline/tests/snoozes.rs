//! What is snoozed, and what is said when that ends.

use super::reminders::Remembered;
use super::*;
use crate::expiry::{SnoozeEnd, Wanted, WishCover};

fn wish(cover: WishCover, hours: i64, hold: bool) -> Wish {
    let (author, reason) = ("ann".to_owned(), "known".to_owned());
    Wish { cover, seconds: hours * 3600, hold, author, reason, link: None }
}

fn matching(text: &str) -> WishCover {
    WishCover::Match(Wanted::parse(text).unwrap())
}

impl Remembered {
    async fn snooze(&mut self, wish: Wish) -> Result<Snooze, RefusedWish> {
        let (answer, answered) = oneshot::channel();
        self.pipeline.snooze(wish, answer).await.unwrap();
        answered.await.unwrap()
    }

    async fn end(&mut self, id: &str) -> Option<Snooze> {
        let (answer, answered) = oneshot::channel();
        self.pipeline.end_snooze(id, answer).await.unwrap();
        answered.await.unwrap()
    }

    /// Returns the id of the certificate with this serial.
    fn id(&mut self, serial: &str) -> WishCover {
        let scope = self.pipeline.inventory.find_scope("iot", "mqtt-1").unwrap();
        let row = self.pipeline.inventory.find(scope, "ca", serial).unwrap();
        WishCover::Certificate(self.pipeline.inventory.view().id(row).unwrap())
    }

    async fn ended(&self) -> Vec<Option<SnoozeEnd>> {
        let kept = self.store.snoozes().await.unwrap();
        kept.into_iter().map(|snooze| snooze.ended.map(|(_, end)| end)).collect()
    }
}

fn hours(said: &[(i64, String)], of: &str) -> Vec<i64> {
    said.iter().filter(|(_, what)| what.starts_with(of)).map(|(hour, _)| *hour).collect()
}

#[tokio::test(start_paused = true)]
async fn what_stands_is_said_when_its_snooze_ends_over_a_restart() {
    let mut daemon = Remembered::of("", vec![device("a", 6), device("b", 6)]).await;
    assert_eq!(daemon.pass(1).await.len(), 2);
    let a = daemon.id("a");
    let snooze = daemon.snooze(wish(a, 29, false)).await.unwrap();
    assert_eq!((snooze.until, snooze.author.as_str()), (NOW.plus(30 * 3600), "ann"));
    assert_eq!(daemon.pass(19).await, []);
    daemon.restart().await;
    let said = daemon.pass(40).await;
    assert_eq!(hours(&said, "a "), [30], "{said:?}");
    assert_eq!(hours(&said, "b "), Vec::<i64>::new());
    assert_eq!(daemon.ended().await, [Some(SnoozeEnd::Time)]);
    // A tighter rung, its reminders and the end come as they would have.
    assert_eq!(hours(&daemon.pass(60).await, "a "), [72, 96]);
}

#[tokio::test(start_paused = true)]
async fn a_tighter_rung_a_renewal_and_another_end_are_said_all_the_same() {
    let mut daemon = Remembered::of("", vec![device("a", 8), device("b", 8), device("c", 8)]).await;
    daemon.pass(1).await;
    for serial in ["a", "b", "c"] {
        let cover = daemon.id(serial);
        daemon.snooze(wish(cover, 24 * 60, false)).await.unwrap();
    }
    for _ in 0..3 {
        daemon.list(vec![device("a", 8), device("b", 400), device("c", 6)]).await;
    }
    let said = daemon.pass(30).await;
    assert_eq!(hours(&said, "c "), [1], "{said:?}");
    assert_eq!(hours(&said, "b info"), [1], "it is renewed");
    assert_eq!(hours(&said, "a "), [24]);
    let mut ended = daemon.ended().await;
    ended.sort_by_key(|end| end.map(SnoozeEnd::as_str));
    let expected = [SnoozeEnd::EndChanged, SnoozeEnd::EndChanged, SnoozeEnd::TighterRung];
    assert_eq!(ended, expected.map(Some));
}

#[tokio::test(start_paused = true)]
async fn a_match_hushes_first_sights_reminders_and_no_end() {
    let mut daemon = Remembered::of("", vec![device("a", 300)]).await;
    daemon.snooze(wish(matching("source=iot"), 50, false)).await.unwrap();
    daemon.list(vec![device("a", 300), device("b", 2), device("c", 1), device("d", 9)]).await;
    let said = daemon.pass(49).await;
    assert_eq!(
        said,
        [
            (24, "c critical".to_owned()),
            (48, "b critical".to_owned()),
            (48, "c critical".to_owned())
        ]
    );
    let said = daemon.pass(3).await;
    assert_eq!(hours(&said, "d "), [50], "{said:?}");
    // The ends were not covered, and were said.
    let never: [i64; 0] = [];
    assert_eq!([hours(&said, "a "), hours(&said, "c ")], [never, never]);
}

#[tokio::test(start_paused = true)]
async fn one_that_holds_hushes_the_end_and_what_was_ended_by_hand_is_said_at_once() {
    let mut daemon = Remembered::of("", vec![device("a", 1), device("b", 1)]).await;
    daemon.pass(1).await;
    let a = daemon.id("a");
    let held = daemon.snooze(wish(a, 200, true)).await.unwrap();
    let said = daemon.pass(59).await;
    assert_eq!((hours(&said, "a "), hours(&said, "b ")), (vec![], vec![24, 48]));
    assert_eq!(daemon.end("x").await, None);
    assert_eq!(daemon.end(&held.id).await.unwrap().ended.unwrap().1, SnoozeEnd::ByHand);
    assert_eq!(hours(&daemon.pass(1).await, "a "), [60]);
    assert_eq!(daemon.end(&held.id).await, None);
    // Its reminders go on from there.
    assert_eq!(hours(&daemon.pass(30).await, "a "), [84]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_snoozed_is_refused_and_changes_nothing() {
    let mut daemon = Remembered::of("", vec![device("a", 6)]).await;
    let unknown = WishCover::Certificate("0".repeat(32));
    assert_eq!(daemon.snooze(wish(unknown, 9, false)).await, Err(RefusedWish::Unknown));
    let long = wish(matching("source=iot"), 91 * 24, false);
    assert!(matches!(daemon.snooze(long).await, Err(RefusedWish::Mistaken(_))));
    for _ in 0..1000 {
        daemon.snooze(wish(matching("serial=x"), 9, false)).await.unwrap();
    }
    let more = daemon.snooze(wish(matching("serial=x"), 9, false)).await;
    assert_eq!(more, Err(RefusedWish::TooMany));
    assert_eq!(daemon.pass(1).await.len(), 1);
    assert_eq!(daemon.pipeline.quiet.sums(), (0, [0, 1000]));
    daemon.snooze(wish(matching("serial=a"), 9, false)).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn it_is_counted_what_is_snoozed() {
    let mut daemon =
        Remembered::of("", vec![device("a", 6), device("b", 6), device("c", 300)]).await;
    daemon.pass(1).await;
    daemon.snooze(wish(matching("source=iot"), 5, false)).await.unwrap();
    daemon.snooze(wish(matching("event=source.*"), 5, false)).await.unwrap();
    daemon.snooze(wish(matching("source=else"), 5, false)).await.unwrap();
    let c = daemon.id("c");
    daemon.snooze(wish(c, 5, false)).await.unwrap();
    daemon.pass(1).await;
    assert_eq!(daemon.pipeline.quiet.sums(), (2, [2, 2]), "nothing is due of c");
    daemon.pass(5).await;
    assert_eq!(daemon.pipeline.quiet.sums(), (0, [0, 0]));
}

#[tokio::test(start_paused = true)]
async fn a_closing_is_said_unless_it_was_named() {
    for (text, expected) in [("source=iot", 1), ("event=certificate.*", 0)] {
        let mut daemon = Remembered::of("", vec![device("a", 6)]).await;
        daemon.pass(1).await;
        daemon.snooze(wish(matching(text), 50, false)).await.unwrap();
        for _ in 0..3 {
            daemon.list(vec![device("a", 400)]).await;
        }
        assert_eq!(daemon.pass(2).await.len(), expected, "{text}");
    }
}
