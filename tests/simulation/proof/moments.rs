//! When something begins or ends in a scene, and when somebody looks.

use super::scene::{Act, Scene};
use super::truth::DAY;

/// Readers are asked so often, in seconds.
const LOOK_EVERY: i64 = 8 * DAY + 1234;

/// A moment at which something begins or ends.
pub(crate) enum Moment {
    Begin(Act),
    End(Act),
    Gain(i64),
    Look,
}

/// Returns what begins and ends, in order, by seconds after the play began.
pub(crate) fn moments(scene: &Scene) -> Vec<(i64, Moment)> {
    let last = scene.days * DAY;
    let mut all: Vec<_> =
        (1..last / LOOK_EVERY).map(|look| (look * LOOK_EVERY, Moment::Look)).collect();
    for timed in &scene.acts {
        let at = timed.at;
        all.push((at, Moment::Begin(timed.act)));
        let lasts = match timed.act {
            Act::Store { lasts, .. }
            | Act::Bend { lasts, .. }
            | Act::Drift { lasts, .. }
            | Act::Cloud { lasts, .. }
            | Act::Room { lasts, .. } => lasts,
            Act::Snooze { lasts, by_hand: true, .. } => lasts / 2,
            Act::Kill { .. }
            | Act::Restart
            | Act::Reload { .. }
            | Act::Sleep { .. }
            | Act::Snooze { .. } => continue,
        };
        if let Act::Drift { seconds, .. } = timed.act {
            let minutes = (1..lasts / 60).filter(|minute| at + minute * 60 < last);
            all.extend(
                minutes.map(|minute| (at + minute * 60, Moment::Gain(seconds * minute / 60))),
            );
        }
        all.push(((at + lasts).min(last), Moment::End(timed.act)));
    }
    all.sort_by_key(|(at, _)| *at);
    all
}
