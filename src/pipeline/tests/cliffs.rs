//! A month in which far more ends than was ever renewed in one is said once, and renewals are counted once.

use super::reminders::Remembered;
use super::*;
use crate::expiry::Month;

/// So many certificates, which end in November.
fn fleet(count: u32) -> Vec<Sighting> {
    (0..count).map(|number| device(&format!("d{number}"), 300)).collect()
}

/// The same, of which the first `renewed` have a successor.
fn with_successors(count: u32, renewed: u32) -> Vec<Sighting> {
    let successor = |number| Sighting {
        holder: format!("holder of d{number}"),
        ..device(&format!("r{number}"), 700)
    };
    fleet(count).into_iter().chain((0..renewed).map(successor)).collect()
}

impl Remembered {
    async fn says(&mut self, devices: Vec<Sighting>) -> Vec<String> {
        self.list(devices).await;
        let mut said = self.turn().await;
        said.extend(self.turn().await);
        let cliff = |event: &Event| match &event.topic {
            Topic::FleetCliff { source, month, ending, renewed } => {
                Some(format!("{source} {month} {ending} {renewed}"))
            }
            _ => None,
        };
        said.iter().filter_map(cliff).collect()
    }

    /// What was renewed in each month, as the store has it.
    async fn counts(&self) -> Vec<u64> {
        let saved = self.store.saved().await.unwrap().renewals;
        let first = saved.first().map(|(_, month, _)| *month);
        assert!(first.is_none_or(|first| first == Month::new(2027, 1)), "{first:?}");
        saved.into_iter().map(|(_, _, count)| count).collect()
    }
}

async fn a_month_passes() {
    tokio::time::advance(Duration::from_hours(31 * 24)).await;
}

const NOTHING: [&str; 0] = [];

#[tokio::test(start_paused = true)]
async fn a_cliff_is_said_once_after_three_whole_months_over_restarts_and_swings() {
    let mut daemon = Remembered::of("", fleet(150)).await;
    for _ in 0..4 {
        assert_eq!(daemon.says(fleet(150)).await, NOTHING);
        daemon.restart().await;
        a_month_passes().await;
    }
    assert_eq!(daemon.says(fleet(150)).await, ["iot 2027-11 150 0"]);
    assert_eq!(daemon.counts().await, [0; 5]);
    // It swings.
    for (count, end) in [(90, 320), (0, 320), (150, 300), (150, 330), (150, 300)] {
        let ends = Some(NOW.plus(end * DAY));
        let mut swung = fleet(150);
        swung.iter_mut().skip(count).for_each(|one| one.not_after = ends);
        assert_eq!(daemon.says(swung).await, NOTHING, "{count} {end}");
        daemon.restart().await;
        assert_eq!(daemon.says(fleet(150)).await, NOTHING);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_renewed_in_the_best_month_so_far_counts_three_times() {
    let mut daemon = Remembered::of("", fleet(300)).await;
    assert_eq!(daemon.says(fleet(300)).await, NOTHING);
    a_month_passes().await;
    assert_eq!(daemon.says(with_successors(300, 60)).await, NOTHING);
    assert_eq!(daemon.counts().await, [0, 60]);
    for renewed in [60, 61] {
        a_month_passes().await;
        // The clock is looked at before anything is read.
        daemon.turn().await;
        assert_eq!(daemon.says(with_successors(300, renewed)).await, NOTHING);
        daemon.restart().await;
    }
    assert_eq!(daemon.counts().await, [0, 60, 0, 1]);
    a_month_passes().await;
    assert_eq!(daemon.says(with_successors(300, 61)).await, ["iot 2027-11 239 60"]);
}

#[tokio::test(start_paused = true)]
async fn a_kill_neither_loses_a_renewal_nor_counts_it_twice() {
    let mut daemon = Remembered::of("", fleet(20)).await;
    assert_eq!(daemon.says(fleet(20)).await, NOTHING);
    // Killed before the renewals are saved, and after that.
    daemon.list(with_successors(20, 7)).await;
    daemon.restart().await;
    assert_eq!(daemon.counts().await, [0]);
    for _ in 0..2 {
        daemon.says(with_successors(20, 7)).await;
        assert_eq!(daemon.counts().await, [7]);
        daemon.restart().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_first_scan_finds_was_renewed_before() {
    let mut daemon = Remembered::of("", with_successors(20, 7)).await;
    assert_eq!(daemon.says(with_successors(20, 7)).await, NOTHING);
    assert_eq!(daemon.counts().await, [0]);
    assert_eq!(daemon.says(with_successors(20, 9)).await, NOTHING);
    assert_eq!(daemon.counts().await, [2]);
}
