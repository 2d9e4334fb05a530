//! One short scene, killed once at every crossing of a seam: complete, not sampled.

use super::scene::{Act, QUIET, Scene, Settings, SourceSpec, Timed};
use super::truth::draw;
use super::{dice::Dice, driver::play, log::Keep};
use crate::machine::START;

/// Days of the scene; quiet ones follow.
const DAYS: i64 = 5;

/// The scene, with a kill at a crossing, if any. The power goes with every third.
pub(crate) fn scene(kill: Option<u64>) -> Scene {
    let mut dice = Dice::new(5);
    let source = |windowed| SourceSpec {
        windowed,
        every: 6 * 3600,
        confirms: windowed,
        page: 7,
        by_cron: false,
    };
    let mut certificates = draw(&mut dice, 0, 12, START.seconds(), DAYS);
    certificates.extend(draw(&mut dice, 1, 12, START.seconds(), DAYS));
    let act = |crossings| Act::Kill { crossings, power: crossings % 3 == 0 };
    Scene {
        seed: 5,
        days: DAYS,
        sources: vec![source(true), source(false)],
        channels: vec!["webhook", "slack"],
        settings: Settings { routing: 0, ladder: 0 },
        digest: true,
        vendors: false,
        crowded: false,
        heartbeat: true,
        sqlite: false,
        disorder: 0,
        certificates,
        acts: kill.map(|crossings| Timed { at: 0, act: act(crossings) }).into_iter().collect(),
    }
}

/// Returns how many crossings there are before the quiet days.
pub(crate) fn crossings() -> u64 {
    let whole = play(&scene(None), Keep::Nothing);
    assert!(whole.violation.is_none(), "{:?}", whole.violation);
    whole.crossings * u64::try_from(DAYS).unwrap() / u64::try_from(DAYS + QUIET).unwrap()
}
