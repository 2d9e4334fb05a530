//! What will hurt later is said once.

use super::reminders::Remembered;
use super::*;
use crate::expiry::Occasion;

/// A CA of which `leaves` are signed, each with the days until it ends.
fn fleet(ca_days: i64, leaves: &[i64]) -> Vec<Sighting> {
    let ca = Sighting { kind: Kind::Ca, signs: "ca".to_owned(), ..device("root", ca_days) };
    let ca = Sighting { signer: "root".to_owned(), ..ca };
    let leaf = |(number, days): (usize, &i64)| device(&format!("leaf {number}"), *days);
    std::iter::once(ca).chain(leaves.iter().enumerate().map(leaf)).collect()
}

fn short(event: &Event) -> String {
    match &event.topic {
        Topic::EndsFirst { facts, leaves, .. } => format!("{} {leaves}", facts.serial),
        _ => event.kind().to_owned(),
    }
}

impl Remembered {
    /// Turns twice: what the first made durable is decided about in the second.
    async fn hears(&mut self) -> Vec<String> {
        let mut said = self.turn().await;
        said.extend(self.turn().await);
        said.iter().filter(|event| event.facts().is_some()).map(short).collect()
    }

    async fn lists(&mut self, devices: Vec<Sighting>) -> Vec<String> {
        self.list(devices).await;
        self.hears().await
    }
}

const NOTHING: [&str; 0] = [];

#[tokio::test(start_paused = true)]
async fn a_ca_that_ends_first_is_said_once_with_the_number_of_leaves_over_restarts() {
    let mut daemon = Remembered::of("", fleet(300, &[200, 301, 500, 600])).await;
    assert_eq!(daemon.hears().await, ["root 3"]);
    // The number swings, to nothing and back.
    for leaves in [&[500, 600][..], &[200], &[500, 600, 700, 800]] {
        assert_eq!(daemon.lists(fleet(300, leaves)).await, NOTHING);
        daemon.restart().await;
        assert_eq!(daemon.hears().await, NOTHING);
    }
    // Another end is another warning; none with it that is further away than 400 days.
    assert_eq!(daemon.lists(fleet(350, &[500, 600])).await, ["root 4"]);
    assert_eq!(daemon.lists(fleet(500, &[600])).await, NOTHING);
    assert_eq!(daemon.pass(99 * 24).await, []);
    tokio::time::advance(Duration::from_hours(48)).await;
    assert_eq!(daemon.hears().await, ["root 4"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_said_of_what_is_replaced_revoked_or_unknown() {
    let revoked = |status| {
        let mut fleet = fleet(300, &[500]);
        fleet[0].status = status;
        fleet
    };
    let unknown = {
        let mut fleet = fleet(300, &[500]);
        fleet[1].signer = String::new();
        fleet
    };
    let renewed = {
        let mut both = fleet(300, &[500]);
        both.push(Sighting { serial: "newer".to_owned(), ..fleet(900, &[]).remove(0) });
        both
    };
    for fleet in [revoked(Status::Revoked), revoked(Status::Inactive), unknown, renewed] {
        let mut daemon = Remembered::of("", fleet).await;
        assert_eq!(daemon.hears().await, NOTHING);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_heard_is_taken_back_while_it_is_not_true() {
    let mut daemon = Remembered::of("", fleet(300, &[500])).await;
    for (leaves, waits) in [(&[500][..], 1), (&[200], 0), (&[500], 1)] {
        daemon.list(fleet(300, leaves)).await;
        for _ in 0..2 {
            daemon.pipeline.decide().await.unwrap();
            daemon.pipeline.save().await.unwrap();
            daemon.pipeline.settle().await.unwrap();
        }
        assert_eq!(daemon.store.pending("ops", 9).await.unwrap().len(), waits, "{leaves:?}");
        daemon.restart().await;
    }
    assert_eq!(daemon.hears().await, ["root 1"]);
    // The CA goes: nobody hears of it, and it is forgotten.
    let gone = vec![device("leaf 0", 500)];
    for _ in 0..3 {
        assert_eq!(daemon.lists(gone.clone()).await, NOTHING);
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_known_for_longer_than_deliveries_are_kept() {
    let mut daemon = Remembered::of("", fleet(399, &[500])).await;
    assert_eq!(daemon.hears().await, ["root 1"]);
    tokio::time::advance(Duration::from_hours(24 * 100)).await;
    // Something else is delivered, which clears away what was delivered long ago.
    let mut other = fleet(399, &[500]);
    other.push(device("late", 101));
    assert_eq!(daemon.lists(other).await, ["certificate.expiring"]);
    daemon.restart().await;
    assert_eq!(daemon.hears().await, NOTHING);
}

#[tokio::test(start_paused = true)]
async fn who_is_newly_routed_hears_of_it_and_nobody_twice() {
    let mut daemon = Remembered::of("", fleet(300, &[500])).await;
    assert_eq!(daemon.hears().await, ["root 1"]);
    let text = TEXT.replace("channels = [\"ops\"]", "channels = [\"ops\", \"room\"]")
        + "[[channel]]\nname = \"room\"\nkind = \"slack\"\n";
    let settings = settings_of(&text, &["iot"]);
    daemon.pipeline.handle(Command::Reconfigure(Box::new(settings))).await.unwrap();
    assert_eq!(daemon.hears().await, NOTHING);
    let room = deliver(&daemon.store, "room").await;
    assert_eq!(room.iter().map(short).collect::<Vec<_>>(), ["root 1"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_what_is_being_read_for_the_first_time() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    let slices = vec![Arc::clone(&all)];
    bench.apply(ScanEvent::Planned { window: all.window, slices }).await;
    bench.apply(ScanEvent::Begin { slice: Arc::clone(&all) }).await;
    let fleet = fleet(300, &[500, 600]);
    let (first, last) = fleet.split_at(2);
    for (some, end) in [(first, false), (last, true)] {
        let page = Page { sightings: some.iter().cloned().collect(), ..Page::default() };
        bench.apply(ScanEvent::Page { slice: Arc::clone(&all), page, offset: None }).await;
        if end {
            bench.apply(ScanEvent::End { report: whole(&all, 3) }).await;
        }
        for _ in 0..2 {
            bench.pipeline.decide().await.unwrap();
            bench.save().await;
        }
        let said: Vec<_> = bench.said().await.iter().map(short).collect();
        assert_eq!(said, if end { &["root 2"][..] } else { &[] });
    }
    let shown = bench.view.borrow().ahead().ends_first.len();
    assert_eq!(shown, 1, "readers see it");
    let said = bench.said().await.remove(0);
    assert_eq!(said.id, crate::expiry::event_id(&said.topic, said.severity, &Occasion::First));
}
