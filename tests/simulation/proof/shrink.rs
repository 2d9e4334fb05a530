//! A play that fails becomes a small one that fails: by delta debugging (Zeller, Hildebrandt: Simplifying and Isolating
//! Failure-Inducing Input, 2002). The number of the invariant stays the same, or another failure would be found instead.

use std::fmt;

use super::driver::play;
use super::log::Keep;
use super::scene::Scene;

/// So many plays at most: the last acts may be too many, but nobody waits for ever.
const MOST_PLAYS: usize = 400;

/// What is left of a scene: its acts and certificates, by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Small {
    pub(crate) seed: u64,
    pub(crate) days: i64,
    pub(crate) acts: Vec<usize>,
    pub(crate) certificates: Vec<usize>,
}

impl Small {
    pub(crate) fn scene(&self) -> Scene {
        Scene::draw(self.seed, self.days).only(&self.acts, &self.certificates)
    }

    /// A seed with all that it draws.
    fn whole(seed: u64, days: i64) -> Self {
        let scene = Scene::draw(seed, days);
        let (acts, certificates) = (scene.acts.len(), scene.certificates.len());
        Self { seed, days, acts: (0..acts).collect(), certificates: (0..certificates).collect() }
    }

    /// Reads what [`fmt::Display`] wrote, or a seed and its days alone.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let (seed, days) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let places = |text: &str| -> Option<Vec<usize>> {
            let all = text.split(',').filter(|one| !one.is_empty());
            all.map(|one| one.parse().ok()).collect()
        };
        let Some(acts) = parts.next() else { return Some(Self::whole(seed, days)) };
        let acts = places(acts.strip_prefix("acts=")?)?;
        let certificates = places(parts.next()?.strip_prefix("certificates=")?)?;
        Some(Self { seed, days, acts, certificates })
    }
}

impl fmt::Display for Small {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |places: &[usize]| places.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let (acts, certificates) = (list(&self.acts), list(&self.certificates));
        write!(f, "{} {} acts={acts} certificates={certificates}", self.seed, self.days)
    }
}

/// Makes a failing play smaller, for as long as it fails by the same invariant.
pub(crate) fn shrink(seed: u64, days: i64, number: u8) -> Small {
    let mut small = Small::whole(seed, days);
    let mut left = MOST_PLAYS;
    let mut fails = |small: &Small| {
        left = left.saturating_sub(1);
        let failed = || play(&small.scene(), Keep::Nothing).violation;
        left > 0 && failed().is_some_and(|violation| violation.number == number)
    };
    let acts = reduce(small.acts.clone(), |acts| fails(&Small { acts, ..small.clone() }));
    small.acts = acts;
    let certificates = reduce(small.certificates.clone(), |certificates| {
        fails(&Small { certificates, ..small.clone() })
    });
    small.certificates = certificates;
    small
}

/// Takes parts out of a list, large ones first, for as long as what is left still fails.
fn reduce(mut all: Vec<usize>, mut fails: impl FnMut(Vec<usize>) -> bool) -> Vec<usize> {
    let mut part = all.len().div_ceil(2);
    while part > 0 && !all.is_empty() {
        let mut from = 0;
        while from < all.len() {
            let to = (from + part).min(all.len());
            let without: Vec<usize> = [&all[..from], &all[to..]].concat();
            if fails(without.clone()) {
                all = without;
            } else {
                from = to;
            }
        }
        part /= 2;
    }
    all
}

#[test]
fn only_what_matters_is_left() {
    let fails = |all: Vec<usize>| all.contains(&3) && all.contains(&17);
    assert_eq!(reduce((0..40).collect(), fails), [3, 17]);
    let small = Small { seed: 7, days: 30, acts: vec![1, 4], certificates: Vec::new() };
    assert_eq!(Small::read(&small.to_string()), Some(small));
    assert_eq!(Small::read("7 30"), Some(Small::whole(7, 30)));
}
