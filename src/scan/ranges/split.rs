//! Where a span of ends is cut, so that each part is one answer of the provider's.
//!
//! An answer that holds all there is of its part is a single snapshot: nothing can be skipped in it, however the list
//! changes. Certificates keep their ends, so that what is known shows well where to cut.

use crate::expiry::Timestamp;
use crate::source::Span;

/// Cuts `span` into parts that touch each other, each with at most `most` of the known `ends`, which ascend. Only a
/// part of one second may hold more: certificates that end together have nothing to cut between.
pub(super) fn cut((from, to): Span, ends: &[Timestamp], most: usize) -> Vec<Span> {
    let mut parts = Vec::with_capacity(ends.len() / most.max(1) + 1);
    let mut start = from;
    let mut rest = ends;
    while let Some(next) = rest.get(most.max(1)) {
        // The last second that the part may hold whole; when the part is full of one second, that second.
        let held = rest.partition_point(|end| end < next);
        let (last, held) = match rest.first() {
            Some(first) if held == 0 => (*first, rest.partition_point(|end| end <= first)),
            _ => (next.plus(-1), held),
        };
        if last < start || last >= to {
            break;
        }
        parts.push((start, last));
        start = last.plus(1);
        rest = rest.get(held..).unwrap_or_default();
    }
    parts.push((start, to));
    parts
}

/// Years from now at which a span is cut of which nothing is known: most certificates end within a few.
const LIKELY_YEARS: [i64; 7] = [-1, 0, 1, 2, 4, 8, 16];

/// Cuts a span of which nothing is known, from 1970 to the end of time perhaps, where certificates are likely to end.
pub(super) fn likely_expiries((from, to): Span, now: Timestamp) -> Vec<Span> {
    let marks = LIKELY_YEARS.map(|years| now.plus(years * 365 * 86_400));
    let inside = marks.into_iter().filter(|mark| from <= *mark && *mark < to);
    let ends: Vec<_> = inside.chain([to]).collect();
    let starts = std::iter::once(from).chain(ends.iter().map(|end| end.plus(1)));
    starts.zip(&ends).map(|(start, end)| (start, *end)).collect()
}

/// Cuts a span into so many parts of the same length, or fewer where it has not as many seconds.
pub(super) fn divide((from, to): Span, parts: i64) -> Vec<Span> {
    let seconds = to.since(from).saturating_add(1).max(1);
    let parts = parts.clamp(1, seconds);
    let start = |part: i64| from.plus(part.saturating_mul(seconds / parts));
    let end = |part: i64| if part + 1 == parts { to } else { start(part + 1).plus(-1) };
    (0..parts).map(|part| (start(part), end(part))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn within((from, to): Span, ends: &[Timestamp]) -> usize {
        ends.iter().filter(|end| (from..=to).contains(*end)).count()
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn parts_cover_the_span_and_hold_no_more_than_they_may(
            mut ends in proptest::collection::vec(0..400_i64, 0..300),
            (from, length) in (0..50_i64, 0..500_i64),
            most in 1..20_usize,
        ) {
            let (from, to) = (at(from), at(from + length));
            ends.sort_unstable();
            let ends: Vec<_> =
                ends.into_iter().map(at).filter(|end| (from..=to).contains(end)).collect();
            let parts = cut((from, to), &ends, most);
            prop_assert_eq!(parts[0].0, from);
            prop_assert_eq!(parts[parts.len() - 1].1, to);
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[0].1.plus(1), pair[1].0);
            }
            for part in &parts {
                prop_assert!(part.0 <= part.1);
                let held = within(*part, &ends);
                prop_assert!(held <= most || one_second(*part, &ends), "{part:?} holds {held}");
            }
            // No more parts than it takes: two in a row never fit into one.
            for pair in parts.windows(2) {
                let both = (pair[0].0, pair[1].1);
                prop_assert!(within(both, &ends) > most);
            }
        }

        #[test]
        fn parts_of_what_is_not_known_touch(
            (from, length) in (-100..100_i64, 0..1000_i64), parts in 1..12_i64, now in -40_i64..40
        ) {
            let span = (at(from), at(from + length));
            let years = (at(from * 31_000_000), at((from + length) * 31_000_000));
            let now = at(now * 31_000_000);
            for (span, parts) in [(span, divide(span, parts)), (years, likely_expiries(years, now))] {
                prop_assert_eq!((parts[0].0, parts[parts.len() - 1].1), span);
                for pair in parts.windows(2) {
                    prop_assert_eq!(pair[0].1.plus(1), pair[1].0);
                }
                prop_assert!(parts.iter().all(|part| part.0 <= part.1), "{parts:?}");
            }
            let whole = i64::try_from(divide(span, parts).len()).unwrap();
            prop_assert_eq!(whole, parts.min(length + 1));
        }
    }

    /// All that the part holds ends in one second.
    fn one_second(part: Span, ends: &[Timestamp]) -> bool {
        let mut held = ends.iter().filter(|end| (part.0..=part.1).contains(*end));
        let first = held.next();
        held.all(|end| Some(end) == first)
    }

    #[test]
    fn what_is_not_known_is_cut_where_certificates_are_likely_to_end() {
        let year = 365 * 86_400;
        let now = at(1_800_000_000);
        let cut = likely_expiries((at(1), at(253_402_300_799)), now);
        let ends: Vec<i64> = cut.iter().map(|(_, to)| to.since(now) / year).collect();
        assert_eq!(ends, [-1, 0, 1, 2, 4, 8, 16, 7_978]);
        assert_eq!(
            likely_expiries((now.plus(1), now.plus(90)), now),
            [(now.plus(1), now.plus(90))]
        );
    }

    #[test]
    fn a_batch_that_ends_together_stays_together() {
        let ends = [at(5), at(9), at(9), at(9), at(9), at(12)];
        let parts = cut((at(0), at(100)), &ends, 3);
        assert_eq!(parts, [(at(0), at(8)), (at(9), at(9)), (at(10), at(100))]);
    }
}
