//! When the certificate of a row ends, and whether that is within what was asked for.

use crate::expiry::Timestamp;
use crate::source::Span;

/// When the certificate of a row ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum RowEnd {
    /// The row says so.
    Stated(Timestamp),
    /// The row does not say. The certificate in it may.
    Unstated(Option<Timestamp>),
}

/// Returns whether a row belongs to what was asked for: a filter may be ignored.
///
/// A provider may take what does not say when it ends to end at 0, and find it there.
pub(super) fn is_within(end: RowEnd, within: Option<Span>) -> bool {
    let Some((from, to)) = within else { return true };
    let holds = |end| (from..=to).contains(&end);
    match end {
        RowEnd::Stated(end) => holds(end),
        RowEnd::Unstated(certified) => {
            holds(Timestamp::from_seconds(0)) || certified.is_some_and(holds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_were_not_asked_for_are_told_from_those_that_were() {
        let at = Timestamp::from_seconds;
        let span = (at(1_763_827_200), at(1_766_419_200));
        let zero = (at(0), at(0));
        for (end, within, expected) in [
            (RowEnd::Stated(span.0), span, true),
            (RowEnd::Stated(span.1), span, true),
            (RowEnd::Stated(span.1.plus(1)), span, false),
            (RowEnd::Unstated(None), span, false),
            (RowEnd::Unstated(Some(span.1)), span, true),
            (RowEnd::Unstated(Some(span.1.plus(1))), span, false),
            (RowEnd::Stated(span.0), zero, false),
            (RowEnd::Unstated(None), zero, true),
            (RowEnd::Unstated(Some(span.0)), zero, true),
        ] {
            assert_eq!(is_within(end, Some(within)), expected, "{end:?} in {within:?}");
            assert!(is_within(end, None), "{end:?}");
        }
    }
}
