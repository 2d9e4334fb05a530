//! Reads a batch of certificates that end in the same second, group by group.
//!
//! Ends cannot cut such a batch, but who signed its certificates and the state they are in can: each group is one answer
//! then, in which nothing can be skipped. Every known authority is asked for, in every state where its certificates are
//! told apart by state, so that nothing lies between the groups. That nothing lies beside them, signed by an authority that
//! is not known, is shown by the counts of the batch before and after. Where they differ, or the provider reads the filter
//! in another way, the batch is read page by page.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join_all;

use super::fetch::Part;
use super::page_reader::{Attempt, Reading};
use super::windows::Windows;
use crate::expiry::{SameSecond, Status};
use crate::source::{IssuerGroup, Slice, SourceError, Span};

/// The states that a provider's filter tells apart.
const STATES: [Status; 4] = [Status::Active, Status::Inactive, Status::Pending, Status::Revoked];

/// Chooses the groups of a batch, so that one answer of `most` rows holds each. `None` when there is a group that no answer
/// holds, or when there are more than half as many groups again as answers that full of rows would take.
pub(super) fn choose(same_second: &SameSecond, most: u64) -> Option<Vec<IssuerGroup>> {
    let mut groups = Vec::new();
    let mut rest = same_second.iter().peekable();
    while let Some(((issuer, _), _)) = rest.peek().copied() {
        let mut states = Vec::new();
        while let Some(((_, status), count)) = rest.next_if(|((other, _), _)| other == issuer) {
            states.push((*status, *count));
        }
        let known: u64 = states.iter().map(|(_, count)| count).sum();
        let group = |status| IssuerGroup { issuer: Arc::clone(issuer), status };
        if known <= most {
            groups.push(group(None));
        } else if states.iter().all(|(_, count)| *count <= most) {
            groups.extend(STATES.map(|status| group(Some(status))));
        } else {
            return None;
        }
    }
    let least = same_second.values().sum::<u64>().div_ceil(most.max(1));
    (groups.len() as u64 * 2 <= least * 3).then_some(groups)
}

impl Windows<'_> {
    /// Reads the groups of a batch, or the batch page by page where they do not add up.
    pub(super) async fn same_second(
        &self,
        span: Span,
        groups: Vec<IssuerGroup>,
        cuts: &AtomicU64,
    ) -> Result<Part, SourceError> {
        if self.groups_work.load(Ordering::Relaxed) {
            match self.groups(span, groups).await {
                Ok(Some(reading)) => return Ok(Part::Read(reading)),
                Ok(None) => {}
                // A provider that does not know the filter says so; the batch can be had without.
                Err(SourceError::BadRequest(_)) => self.groups_work.store(false, Ordering::Relaxed),
                Err(error) => return Err(error),
            }
        }
        self.part(span, cuts).await
    }

    /// Reads each group, with the counts of the batch before and after. `None` when the groups are not the batch.
    async fn groups(
        &self,
        span: Span,
        groups: Vec<IssuerGroup>,
    ) -> Result<Option<Reading>, SourceError> {
        let asked = self.slice.part(span);
        let mut first = Attempt::new(&asked, self.slice);
        let next = first.begin(&self.pages, self.feed).await?;
        if next.is_none() || first.reading.outside > 0 {
            // It has become so small that one answer holds it, or the filter is not what it was.
            first.go_on(None, &self.pages, self.feed).await?;
            let read = first.reading.complete() || first.reading.outside > 0;
            return Ok(read.then_some(first.reading));
        }
        let mut sum = Reading::default();
        for group in try_join_all(groups.into_iter().map(|group| self.group(span, group))).await? {
            sum.add(&group);
        }
        if sum.outside > 0 {
            self.groups_work.store(false, Ordering::Relaxed);
        }
        let whole =
            !sum.gap_detected && sum.outside == 0 && sum.distinct == first.reading.first_total;
        let adds_up = whole && sum.distinct == self.count(Some(span)).await?;
        Ok(adds_up.then_some(Reading { finished: true, ..sum }))
    }

    async fn group(&self, span: Span, group: IssuerGroup) -> Result<Reading, SourceError> {
        let asked = Slice { group: Some(group), ..self.slice.part(span) };
        let mut attempt = Attempt::new(&asked, self.slice);
        attempt.run(&self.pages, self.feed).await?;
        Ok(attempt.reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::Status::{Active, Inactive, Pending, Revoked};

    fn chosen(same_second: &[(&str, Status, u64)]) -> Option<Vec<(String, Option<Status>)>> {
        let same_second = same_second
            .iter()
            .map(|(issuer, status, count)| ((Arc::<str>::from(*issuer), *status), *count));
        let groups = choose(&same_second.collect(), 96)?;
        Some(groups.into_iter().map(|group| (group.issuer.to_string(), group.status)).collect())
    }

    #[test]
    fn lots_are_cut_by_issuer_and_where_that_is_too_much_by_state() {
        let whole = |issuer: &str| (issuer.to_owned(), None);
        let state = |issuer: &str, status| (issuer.to_owned(), Some(status));
        for (same_second, expected) in [
            (
                &[("a", Active, 90), ("b", Active, 60), ("b", Revoked, 30)][..],
                Some(vec![whole("a"), whole("b")]),
            ),
            (
                &[("a", Active, 90), ("a", Inactive, 80), ("a", Pending, 70), ("b", Active, 96)],
                // Four states and another authority, where four answers would do.
                Some(vec![
                    state("a", Active),
                    state("a", Inactive),
                    state("a", Pending),
                    state("a", Revoked),
                    whole("b"),
                ]),
            ),
            // An authority of which nothing is known in the batch is asked for all the same.
            (
                &[("a", Active, 90), ("b", Active, 90), ("c", Active, 0)],
                Some(vec![whole("a"), whole("b"), whole("c")]),
            ),
            // No answer holds the active ones.
            (&[("a", Active, 97), ("b", Active, 5)], None),
            // Four answers where two would do.
            (&[("a", Active, 30), ("b", Active, 30), ("c", Active, 30), ("d", Active, 30)], None),
        ] {
            assert_eq!(chosen(same_second), expected, "{same_second:?}");
        }
    }
}
