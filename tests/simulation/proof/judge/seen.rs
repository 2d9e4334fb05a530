//! 9: what readers see is what is stored, sums are those of its rows, and what Prometheus reads can be read.

use std::collections::BTreeMap;
use std::time::Duration;

use notafter::facade::expiry::{Facts, Kind, Status, Timestamp};
use tokio::time::Instant;

use super::Judge;

/// What was written so long ago is published.
const PUBLISHED: Duration = Duration::from_secs(5);

/// An end that lies so far back counts no more as the earliest.
const LONG_AGO: i64 = 30 * 86_400;

/// A certificate as readers see it, and as it is stored.
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    pub(crate) end: Option<Timestamp>,
    pub(crate) stored: Option<Facts>,
}

impl Seen {
    fn is_stored(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| {
            (stored.kind, stored.status, stored.not_after) == (self.kind, self.status, self.end)
        })
    }

    fn source(&self) -> &str {
        self.stored.as_ref().map_or("", |stored| &stored.source)
    }

    fn is_active(&self) -> bool {
        self.status == Status::Active
    }
}

/// One sample: its name, its labels, its number.
struct Sample<'a> {
    name: &'a str,
    labels: BTreeMap<&'a str, String>,
    value: f64,
}

impl Sample<'_> {
    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

impl Judge {
    /// Returns whether nothing was written a moment ago that readers may not see yet.
    pub(crate) fn is_published(&self) -> bool {
        let is_old = |at: Instant| at.elapsed() > PUBLISHED;
        self.times.store_fault.is_none() && self.written.last.is_none_or(is_old)
    }

    /// Readers see this, and so many certificates are stored.
    pub(crate) fn seen(&mut self, seen: &[Seen], stored: usize, text: &str, now: Timestamp) {
        self.reach("readers are asked");
        if seen.len() != stored {
            self.violates(9, format!("{} are seen, {stored} are stored", seen.len()));
        }
        if let Some(one) = seen.iter().find(|one| !one.is_stored()) {
            let text = format!("seen: {:?} {:?} {:?}, ", one.kind, one.status, one.end);
            self.violates(9, format!("{text}stored: {:?}", one.stored));
        }
        match samples(text) {
            Err(why) => self.violates(9, why),
            Ok(samples) => {
                if let Some(wrong) = wrong_sum(&samples, seen, now.seconds()) {
                    self.violates(9, wrong);
                }
            }
        }
    }
}

/// Returns a sample that is not the sum of the rows, with what it should be.
fn wrong_sum(samples: &[Sample<'_>], seen: &[Seen], now: i64) -> Option<String> {
    let mut counted = 0.0;
    for sample in samples {
        let count = |which: &dyn Fn(&Seen) -> bool| {
            let of = seen.iter().filter(|one| one.source() == sample.label("source"));
            let of = of.filter(|one| {
                sample.label("kind").is_empty() || one.kind.as_str() == sample.label("kind")
            });
            u32::try_from(of.filter(|one| which(one)).count()).map(f64::from).ok()
        };
        let left = |one: &Seen| one.end.map_or(i64::MAX, |end| end.seconds() - now);
        let right = match sample.name {
            "notafter_certificates" => {
                counted += sample.value;
                count(&|one| one.status.as_str() == sample.label("status"))
            }
            "notafter_certificate_remaining_seconds_gcount" => count(&Seen::is_active),
            "notafter_certificate_remaining_seconds_bucket" => {
                let most: f64 = sample.label("le").replace("+Inf", "inf").parse().ok()?;
                count(&|one| one.is_active() && as_float(left(one)) <= most)
            }
            "notafter_earliest_not_after_timestamp_seconds" => {
                earliest(sample, seen, now).map(as_float)
            }
            _ => continue,
        };
        if right != Some(sample.value) {
            let (name, labels, value) = (sample.name, &sample.labels, sample.value);
            return Some(format!("{name} {labels:?} is {value}, and should be {right:?}"));
        }
    }
    let all = u32::try_from(seen.len()).map(f64::from).ok()?;
    ((counted - all).abs() > 0.5).then(|| format!("{counted} are counted, {all} are seen"))
}

fn earliest(sample: &Sample<'_>, seen: &[Seen], now: i64) -> Option<i64> {
    let of = seen.iter().filter(|one| {
        one.source() == sample.label("source") && one.kind.as_str() == sample.label("kind")
    });
    let ends = of.filter(|one| one.is_active()).filter_map(|one| one.end.map(Timestamp::seconds));
    ends.filter(|end| now - end <= LONG_AGO).min()
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53")]
const fn as_float(number: i64) -> f64 {
    number as f64
}

/// Reads an exposition: every sample belongs to the family before it, and comes once.
fn samples(text: &str) -> Result<Vec<Sample<'_>>, String> {
    let (mut family, mut known, mut all) = ("", BTreeMap::new(), Vec::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            family = rest.split(' ').nth(1).ok_or_else(|| format!("no family: {line}"))?;
            continue;
        }
        let sample = sample(line).ok_or_else(|| format!("not to be read: {line}"))?;
        if !sample.name.starts_with(family) {
            return Err(format!("not of {family}: {line}"));
        }
        if known.insert((sample.name, sample.labels.clone()), line).is_some() {
            return Err(format!("it comes twice: {line}"));
        }
        all.push(sample);
    }
    Ok(all)
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    Some(Sample { name, labels, value: value.strip_prefix(' ')?.parse().ok()? })
}

/// Reads labels up to the brace. Answers with them and the rest of the line.
fn labels(mut rest: &str) -> Option<(BTreeMap<&str, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.insert(name, value);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some((labels, after.strip_prefix('}')?)),
        }
    }
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut all) = (String::new(), text.char_indices());
    loop {
        match all.next()? {
            (at, '"') => return Some((value, text.get(at + 1..)?)),
            (_, '\\') => value.push(match all.next()?.1 {
                'n' => '\n',
                other @ ('"' | '\\') => other,
                _ => return None,
            }),
            (_, other) => value.push(other),
        }
    }
}
