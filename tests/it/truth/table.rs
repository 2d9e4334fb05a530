//! One fault and what it may come to: before anything is known, after everything is, and when it is over.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::world::World;
use simulator::Service;
use simulator::fault::{Fault, Times};

/// A fault, and what a poll under it comes to.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) service: Service,
    pub(super) action: &'static str,
    pub(super) fault: Fault,
    pub(super) times: Times,
    pub(super) outcome: Outcome,
}

/// What a poll comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Proven: the client or a second reading got over it.
    Whole,
    /// Answered, and not proven.
    Partial,
    /// Failed.
    Broken,
    /// It depends on where it hits. The judge holds in any case.
    Any,
}

/// The most polls until what many deletions froze is released and gone.
const REST: u32 = 5;

/// Plays cases side by side, and reports all that fail.
pub(super) async fn play_all(
    cases: &[Case],
    world: impl AsyncFn() -> World,
    change: fn(&mut World),
) {
    let world = &world;
    let played = cases.iter().map(|case| async move {
        let one = async { play(&mut world().await, case, change).await };
        AssertUnwindSafe(one).catch_unwind().await.is_err().then_some(case)
    });
    let failed: Vec<&Case> = join_all(played).await.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Plays a case from the beginning to its end.
async fn play(world: &mut World, case: &Case, change: fn(&mut World)) {
    if !matches!(case.times, Times::Always | Times::Every(_)) {
        // The fault is to hit a page, and not the probe of the filter.
        world.try_out_filters().await;
    }
    poll_under(world, case, "before anything is known").await;
    let (poll, everything) = world.poll().await;
    assert!(poll.proven && everything, "{case:?} is healed: {poll:?} {:?}", world.status());
    change(world);
    poll_under(world, case, "after all was known").await;
    poll_under(world, case, "again").await;
    for round in 0.. {
        world.poll_well(&format!("{case:?} is over")).await;
        // The second proven scan confirms what the first one missed.
        if round > 0 && world.is_equal().await {
            break;
        }
        assert!(round < REST, "{case:?}: it does not come to rest");
    }
    let shrunk = world.sent("ops").await.count("inventory.shrunk");
    assert!(shrunk == 0 || matches!(case.fault, Fault::Drift { .. }), "{case:?}: a false alarm");
}

async fn poll_under(world: &mut World, case: &Case, when: &str) {
    world.simulator.fault_on(case.service, case.action, case.fault.clone(), case.times);
    let (poll, _) = world.poll().await;
    world.simulator.heal();
    let outcome = match (poll.proven, &poll.error) {
        (true, None) => Outcome::Whole,
        (false, None) => Outcome::Partial,
        (_, Some(_)) => Outcome::Broken,
    };
    let meant = case.outcome == Outcome::Any || case.outcome == outcome;
    assert!(meant, "{case:?} {when}: {poll:?} {:?}", world.status());
}
