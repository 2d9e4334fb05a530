//! Request rates, shared by all sources with the same account, region and action.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// A window is a little longer than a second, so that two requests that travel at different speeds do not
/// meet in one second of the provider's. It costs 0.4 % of the rate.
const WINDOW: Duration = Duration::from_millis(1004);
/// How far behind an even pace the limiter may catch up. Timers wake a little late, and that must not add up.
const CATCH_UP: Duration = Duration::from_millis(20);
/// The most groups of grants that are remembered for one window.
const GROUPS: u64 = 1024;
/// The slowest rate that throttling leads to, as a share of the configured one.
const FLOOR: f64 = 0.05;
/// How much of the configured rate comes back in a second of successes.
const RECOVERY: f64 = 0.01;
/// Answers to requests that were already under way when the rate was cut say nothing new.
const CUT_PAUSE: Duration = Duration::from_secs(1);
/// A limiter that nobody holds and nobody used for so long is forgotten, as keys rotate.
const FORGET_AFTER: Duration = Duration::from_mins(10);

/// Every limiter of the process, by account, region and action.
#[derive(Clone, Debug, Default)]
pub struct Limiters {
    // Account names may be credentials' names, so that only a digest is kept.
    by_key: Arc<Mutex<HashMap<u128, Limiter>>>,
    /// Those of the configuration before, which nobody acquires of any more.
    before: Arc<Mutex<HashMap<u128, Limiter>>>,
}

impl Limiters {
    /// Returns the limiter of `action` of `account` in `region`. When callers differ about `rate`, in requests
    /// a second, the lowest holds for all.
    pub fn get(&self, account: &str, region: &str, action: &str, rate: f64) -> Limiter {
        let key = digest(&[account, region, action]);
        let mut by_key = lock(&self.by_key);
        if let Some(limiter) = by_key.get(&key) {
            limiter.lower_to(rate);
            return limiter.clone();
        }
        by_key.retain(|_, limiter| !limiter.is_forgotten());
        let limiter = Limiter::new(rate, account);
        if let Some(before) = lock(&self.before).remove(&key) {
            lock(&limiter.shared.pace).follow(&lock(&before.shared.pace));
        }
        by_key.insert(key, limiter.clone());
        limiter
    }

    /// Goes on where `before` ended: what was granted there counts here, and a rate that throttling lowered stays as low.
    pub fn follow(&self, before: &Self) {
        let mut known = lock(&before.before).clone();
        known.extend(lock(&before.by_key).iter().map(|(key, limiter)| (*key, limiter.clone())));
        *lock(&self.before) = known;
    }
}

fn digest(parts: &[&str]) -> u128 {
    let mut hash = Xxh3::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update(&[0xFF]);
    }
    hash.digest128()
}

/// Grants requests at a steady rate, never more than the rate in any second. Clones share it.
///
/// A rate that is not whole is kept on average; a single second may then hold the next whole number.
#[derive(Clone, Debug)]
pub struct Limiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// A digest of the account that it counts for.
    account: u64,
    /// Callers wait here in the order they came; only the first looks at the time.
    turn: tokio::sync::Mutex<()>,
    pace: Mutex<Pace>,
}

impl Limiter {
    fn new(rate: f64, account: &str) -> Self {
        let pace = Mutex::new(Pace::new(rate, Instant::now()));
        let (account, turn) = (xxh3_64(account.as_bytes()), tokio::sync::Mutex::new(()));
        Self { shared: Arc::new(Shared { account, turn, pace }) }
    }

    /// Returns a digest of the account that it counts for.
    pub fn account(&self) -> u64 {
        self.shared.account
    }

    /// Waits until the next request may be sent.
    pub async fn acquire(&self) {
        // The queue itself: held while waiting, so that callers are served in order.
        let _turn = self.shared.turn.lock().await;
        loop {
            let ready = {
                let mut pace = lock(&self.shared.pace);
                let now = Instant::now();
                let ready = pace.ready_at();
                if ready <= now {
                    pace.grant(now);
                    return;
                }
                ready
            };
            tokio::time::sleep_until(ready).await;
        }
    }

    /// Halves the rate: the provider reported too many requests.
    pub fn throttled(&self) {
        lock(&self.shared.pace).cut(Instant::now());
    }

    /// Lets the rate recover a little: the provider answered.
    pub fn succeeded(&self) {
        lock(&self.shared.pace).recover();
    }

    /// Returns the current rate in requests a second.
    pub fn rate(&self) -> f64 {
        lock(&self.shared.pace).current
    }

    fn lower_to(&self, rate: f64) {
        lock(&self.shared.pace).lower_to(rate, Instant::now());
    }

    fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
            && lock(&self.shared.pace).touched.elapsed() > FORGET_AFTER
    }
}

/// When requests were granted and when the next may be. Grants are remembered in groups of `size`, so that a
/// high rate costs little: a group may begin one window after the end of the group that is `most` before it.
#[derive(Debug)]
struct Pace {
    configured: f64,
    current: f64,
    size: u64,
    most: usize,
    /// The last grant of each group, oldest first; the last group may be incomplete.
    groups: VecDeque<Instant>,
    in_last_group: u64,
    /// The place of the last grant on an even pace.
    slot: Option<Instant>,
    not_before: Option<Instant>,
    last_cut: Option<Instant>,
    touched: Instant,
}

impl Pace {
    fn new(rate: f64, now: Instant) -> Self {
        let (size, most) = grouping(rate);
        Self {
            configured: rate,
            current: rate,
            size,
            most,
            groups: VecDeque::with_capacity(most),
            in_last_group: 0,
            slot: None,
            not_before: None,
            last_cut: None,
            touched: now,
        }
    }

    fn ready_at(&self) -> Instant {
        let even = self.slot.map(|slot| slot + self.interval());
        let window = self.window_ready_at();
        even.max(window).max(self.not_before).unwrap_or(self.touched)
    }

    fn window_ready_at(&self) -> Option<Instant> {
        let begins_group = self.groups.is_empty() || self.in_last_group == self.size;
        if !begins_group || self.groups.len() < self.most {
            return None;
        }
        self.groups.front().map(|&end| end + WINDOW)
    }

    fn grant(&mut self, now: Instant) {
        if self.groups.is_empty() || self.in_last_group == self.size {
            if self.groups.len() == self.most {
                self.groups.pop_front();
            }
            self.groups.push_back(now);
            self.in_last_group = 1;
        } else if let Some(last) = self.groups.back_mut() {
            *last = now;
            self.in_last_group += 1;
        }
        let even = self.slot.map(|slot| slot + self.interval());
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
        self.slot = Some(even.map_or(now, |even| even.max(earliest)));
        self.touched = now;
    }

    /// The even distance between two grants at the current rate.
    fn interval(&self) -> Duration {
        // A rate of one in a year is as good as a slower one, and fits into a duration.
        Duration::try_from_secs_f64(WINDOW.as_secs_f64() / self.current)
            .unwrap_or(Duration::MAX)
            .min(Duration::from_hours(24 * 365))
    }

    fn cut(&mut self, now: Instant) {
        if self.last_cut.is_some_and(|cut| now.duration_since(cut) < CUT_PAUSE) {
            return;
        }
        self.last_cut = Some(now);
        self.current = (self.current * 0.5).max(self.configured * FLOOR);
    }

    fn recover(&mut self) {
        let step = self.configured * RECOVERY / self.current.max(1.0);
        self.current = (self.current + step).min(self.configured);
    }

    fn lower_to(&mut self, rate: f64, now: Instant) {
        self.touched = now;
        if rate >= self.configured {
            return;
        }
        let last = self.groups.back().copied();
        let current = self.current.min(rate);
        let last_cut = self.last_cut;
        // Groups of another size cannot be compared: begin again, one window after the last grant.
        *self = Self { current, last_cut, slot: last, ..Self::new(rate, now) };
        self.not_before = last.map(|last| last + WINDOW);
    }

    fn follow(&mut self, before: &Self) {
        let share = before.current / before.configured;
        self.current = (self.configured * share).max(self.configured * FLOOR);
        self.last_cut = before.last_cut;
        let granted = before.groups.back().map(|last| *last + WINDOW);
        self.not_before = self.not_before.max(before.not_before).max(granted);
    }
}

/// Returns how many grants make a group and how many groups make a window.
fn grouping(rate: f64) -> (u64, usize) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are positive and a saturated one is as good as unlimited"
    )]
    let in_window = (rate.ceil() as u64).max(1);
    let size = in_window.div_ceil(GROUPS);
    (size, usize::try_from(in_window / size).unwrap_or(1))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs `arrivals`, each a pause in microseconds before the next request, on a paused clock.
    fn grants(rate: f64, arrivals: &[u64]) -> Vec<f64> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let limiter = Limiters::default().get("account", "region", "action", rate);
            let started = Instant::now();
            let mut granted = Vec::new();
            for &pause in arrivals {
                if pause > 0 {
                    tokio::time::sleep(Duration::from_micros(pause)).await;
                }
                limiter.acquire().await;
                granted.push(started.elapsed().as_secs_f64());
            }
            granted
        })
    }

    /// Returns the most grants that any second holds, both ends included.
    fn most_in_a_second(granted: &[f64]) -> usize {
        let mut first = 0;
        let mut most = 0;
        for (index, &at) in granted.iter().enumerate() {
            while at - granted[first] > 1.0 {
                first += 1;
            }
            most = most.max(index - first + 1);
        }
        most
    }

    fn average(granted: &[f64]) -> f64 {
        let count = u32::try_from(granted.len() - 1).unwrap();
        f64::from(count) / (granted.last().unwrap() - granted[0])
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "test rates are small"
    )]
    fn whole(rate: f64) -> usize {
        rate.ceil() as usize
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_granted_before_a_reload_counts_after_it() {
        let (first, second, third) = <(Limiters, Limiters, Limiters)>::default();
        let old = first.get("a", "r", "x", 10.0);
        old.acquire().await;
        old.throttled();
        second.follow(&first);
        third.follow(&second);
        let (new, other) = (third.get("a", "r", "x", 20.0), third.get("b", "r", "x", 20.0));
        assert_eq!((new.rate(), other.rate()), (10.0, 20.0), "a lowered rate stays as low");
        let begun = Instant::now();
        other.acquire().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        new.acquire().await;
        assert!(begun.elapsed() >= WINDOW, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_saturated_limiter_gives_98_to_100_percent_and_never_more_in_a_second() {
        for rate in [1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 100.0, 333.3, 1000.0, 1024.0, 1500.0, 5000.0] {
            let granted = grants(rate, &vec![0; whole(rate * 12.0) + 2]);
            let share = average(&granted) / rate;
            assert!((0.98..=1.0).contains(&share), "{rate}: {share}");
            assert!(most_in_a_second(&granted) <= whole(rate), "{rate}");
        }
    }

    #[test]
    fn saturated_grants_are_even() {
        let granted = grants(10.0, &[0; 100]);
        for pair in granted.windows(2) {
            let distance = pair[1] - pair[0];
            assert!((0.08..=0.13).contains(&distance), "{distance}");
        }
    }

    #[test]
    fn slow_and_unlimited_rates_work() {
        let granted = grants(0.1, &[0; 4]);
        assert!(granted[3] > 30.0 && granted[3] < 31.0, "{granted:?}");
        assert_eq!(grouping(1e6), (977, 1023));
        assert_eq!(grants(1e6, &vec![0; 5000]).len(), 5000);
        assert_eq!(grants(1e300, &[0; 10]).len(), 10);
        assert_eq!(grants(1e-300, &[0; 1]).len(), 1);
    }

    proptest! {
        #![proptest_config(crate::property::cases(64))]

        #[test]
        fn no_second_holds_more_than_the_rate(
            rate in prop_oneof![1.0..50.0_f64, (1..40_u32).prop_map(f64::from), 1000.0..3000.0_f64],
            arrivals in prop::collection::vec(
                prop_oneof![4 => Just(0_u64), 2 => 0..50_000_u64, 1 => 0..3_000_000_u64],
                1..400,
            ),
        ) {
            let granted = grants(rate, &arrivals);
            prop_assert!(most_in_a_second(&granted) <= whole(rate));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn callers_are_served_in_order_and_a_dropped_one_costs_nothing() {
        let limiter = Limiters::default().get("a", "r", "x", 10.0);
        limiter.acquire().await;
        let gone = tokio::time::timeout(Duration::from_millis(10), limiter.acquire()).await;
        assert!(gone.is_err());
        let started = Instant::now();
        limiter.acquire().await;
        assert!(started.elapsed() < Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_once_a_second_down_to_a_floor_and_recovers() {
        let limiter = Limiters::default().get("a", "r", "x", 10.0);
        limiter.throttled();
        limiter.throttled();
        assert!((limiter.rate() - 5.0).abs() < 1e-9);
        for _ in 0..20 {
            tokio::time::advance(Duration::from_millis(1001)).await;
            limiter.throttled();
        }
        assert!((limiter.rate() - 0.5).abs() < 1e-9);
        let started = Instant::now();
        while limiter.rate() < 10.0 {
            limiter.acquire().await;
            limiter.succeeded();
        }
        let seconds = started.elapsed().as_secs();
        assert!((60..300).contains(&seconds), "{seconds}");
        assert!((limiter.rate() - 10.0).abs() < 1e-9);
    }

    #[tokio::test(start_paused = true)]
    async fn limiters_of_one_account_know_that_they_are() {
        let limiters = Limiters::default();
        let account = |name, region, action| limiters.get(name, region, action, 1.0).account();
        assert_eq!(account("a", "here", "List"), account("a", "there", "Read"));
        assert_ne!(account("a", "here", "List"), account("b", "here", "List"));
    }

    #[tokio::test(start_paused = true)]
    async fn one_limiter_for_each_account_region_and_action_and_the_lowest_rate_wins() {
        let limiters = Limiters::default();
        let first = limiters.get("a", "r", "x", 20.0);
        for _ in 0..5 {
            first.acquire().await;
        }
        let second = limiters.get("a", "r", "x", 2.0);
        assert!(Arc::ptr_eq(&first.shared, &second.shared));
        assert!((limiters.get("a", "r", "x", 50.0).rate() - 2.0).abs() < 1e-9);
        assert!((limiters.get("a", "r2", "x", 50.0).rate() - 50.0).abs() < 1e-9);
        assert!((limiters.get("ar", "", "x", 30.0).rate() - 30.0).abs() < 1e-9);
        let started = Instant::now();
        second.acquire().await;
        assert!(started.elapsed() >= Duration::from_secs(1));
        assert!(!format!("{limiters:?}").contains("\"a\""));
    }

    #[tokio::test(start_paused = true)]
    async fn limiters_that_nobody_holds_are_forgotten() {
        let limiters = Limiters::default();
        drop(limiters.get("old", "r", "x", 1.0));
        let kept = limiters.get("kept", "r", "x", 1.0);
        tokio::time::advance(Duration::from_mins(11)).await;
        drop(limiters.get("new", "r", "x", 1.0));
        assert_eq!(lock(&limiters.by_key).len(), 2);
        drop(kept);
    }
}
