//! The only place that asks what time it is, and the only source of chance.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::expiry::Timestamp;

/// Tells the wall clock time, and what it can be held against.
pub trait Clock: Send + Sync {
    /// Returns milliseconds since 1970-01-01T00:00:00Z.
    fn millis(&self) -> i64;

    /// Returns how long the machine is up, the time that it slept included. Setting the wall clock does not move it.
    fn uptime(&self) -> Duration;

    /// Returns the time in whole seconds.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis())
    }

    /// Returns a time before which this clock cannot be right: that of the program's own source.
    fn earliest(&self) -> Timestamp {
        BUILT
    }
}

/// When this version was made.
const BUILT: Timestamp = match i64::from_str_radix(env!("NOTAFTER_BUILT"), 10) {
    Ok(seconds) => Timestamp::from_seconds(seconds),
    Err(_) => panic!("build.rs writes a number of seconds"),
};

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    fn millis(&self) -> i64 {
        chrono::Utc::now().timestamp_millis()
    }

    fn uptime(&self) -> Duration {
        let time = rustix::time::clock_gettime(UPTIME);
        let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
        Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
    }
}

/// Goes on while the machine sleeps.
#[cfg(target_os = "linux")]
const UPTIME: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const UPTIME: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

/// A clock that starts at a given time and moves with tokio's, so that a paused runtime moves both together.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    origin_millis: i64,
    started: tokio::time::Instant,
}

impl SteadyClock {
    /// Returns a clock that shows `origin` now.
    pub fn starting_at(origin: Timestamp) -> Self {
        Self { origin_millis: origin.seconds() * 1000, started: tokio::time::Instant::now() }
    }
}

impl Clock for SteadyClock {
    fn millis(&self) -> i64 {
        let elapsed = self.started.elapsed().as_millis();
        self.origin_millis.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn earliest(&self) -> Timestamp {
        Timestamp::from_millis(self.origin_millis)
    }
}

/// A steady clock that is set and that sleeps when a test says so.
#[derive(Debug)]
pub struct BentClock {
    steady: SteadyClock,
    earliest: Timestamp,
    bend: AtomicI64,
    slept: AtomicI64,
}

impl BentClock {
    /// Returns a clock that shows `origin` now, of a program that was made at `earliest`.
    pub fn starting_at(origin: Timestamp, earliest: Timestamp) -> Self {
        let steady = SteadyClock::starting_at(origin);
        Self { steady, earliest, bend: AtomicI64::new(0), slept: AtomicI64::new(0) }
    }

    /// Sets the wall clock to so many seconds after the right time.
    pub fn bend(&self, seconds: i64) {
        self.bend.store(seconds, Ordering::Relaxed);
    }

    /// The machine sleeps for so many seconds: nobody's timers move meanwhile.
    pub fn sleep(&self, seconds: i64) {
        self.slept.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Returns the right time, whatever this clock shows.
    pub fn right(&self) -> Timestamp {
        self.steady.now().plus(self.slept.load(Ordering::Relaxed))
    }
}

impl Clock for BentClock {
    fn millis(&self) -> i64 {
        let moved = self.bend.load(Ordering::Relaxed) + self.slept.load(Ordering::Relaxed);
        self.steady.millis().saturating_add(moved.saturating_mul(1000))
    }

    fn uptime(&self) -> Duration {
        let slept = u64::try_from(self.slept.load(Ordering::Relaxed)).unwrap_or(0);
        self.steady.uptime() + Duration::from_secs(slept)
    }

    fn earliest(&self) -> Timestamp {
        self.earliest
    }
}

/// Gives out chance: jitter and ids.
pub trait Random: Send + Sync {
    /// Returns a number, each of 64 bits as likely 0 as 1.
    fn number(&self) -> u64;

    /// Returns a fraction from 0 up to, and not with, 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a fraction holds exactly")]
    fn fraction(&self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a new `UUIDv7` for something that happens at `millis` after the epoch: ids sort by time.
    fn uuid(&self, millis: i64) -> uuid::Uuid {
        let millis = u64::try_from(millis).unwrap_or(0);
        let mut bytes = [0; 10];
        for (place, byte) in bytes.iter_mut().zip(self.number().to_be_bytes()) {
            *place = byte;
        }
        for (place, byte) in bytes.iter_mut().skip(8).zip(self.number().to_be_bytes()) {
            *place = byte;
        }
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

/// The randomness of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    fn number(&self) -> u64 {
        rand::random()
    }
}

/// Returns the number of `seed` at a place: `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
/// Generators, 2014), which may be asked for any place without those before.
pub const fn mix(seed: u64, place: u64) -> u64 {
    let mut mixed = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_sort_by_time() {
        let ids = [1_767_225_600_000, 1_767_225_600_001, 1_767_225_700_000]
            .map(|millis| SystemRandom.uuid(millis));
        assert!(ids.is_sorted(), "{ids:?}");
        assert_ne!(SystemRandom.uuid(5), SystemRandom.uuid(5));
        assert_eq!(ids.map(|id| id.get_version_num()), [7; 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_machine_counts_on_whatever_its_wall_clock_shows() {
        let before = SystemClock.uptime();
        assert!(before > Duration::ZERO);
        assert!(SystemClock.uptime() >= before);
        let clock = BentClock::starting_at(Timestamp::from_seconds(500), BUILT);
        clock.bend(-400);
        clock.sleep(70);
        assert_eq!(
            (clock.now(), clock.right()),
            (Timestamp::from_seconds(170), Timestamp::from_seconds(570))
        );
        assert_eq!((clock.uptime().as_secs(), clock.earliest()), (70, BUILT));
    }

    #[test]
    fn a_fraction_is_at_least_0_and_below_1() {
        struct Fixed(u64);
        impl Random for Fixed {
            fn number(&self) -> u64 {
                self.0
            }
        }
        let of = |number| Fixed(number).fraction();
        assert!((of(0)).abs() < f64::EPSILON);
        assert!((of(1 << 63) - 0.5).abs() < f64::EPSILON);
        assert!(of(u64::MAX) < 1.0);
    }

    #[test]
    fn a_seed_gives_the_same_numbers_each_time() {
        let numbers = |seed| [mix(seed, 0), mix(seed, 1), mix(seed, 2)];
        assert_ne!(numbers(1), numbers(2));
        // The first numbers that the authors' own program gives for seed 1234567.
        assert_eq!(
            numbers(1_234_567),
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
