//! Reads a batch of certificates that end in the same second, lot by lot.
//!
//! Ends cannot cut such a batch, but who signed its certificates and the state they are in can: each lot is one answer
//! then, in which nothing can be skipped. Every known authority is asked for, in every state where its certificates are
//! told apart by state, so that nothing lies between the lots. That nothing lies beside them, signed by an authority that
//! is not known, is shown by the counts of the batch before and after. Where they differ, or the provider reads the filter
//! in another way, the batch is read page by page.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join_all;

use super::parts::Part;
use super::slice::{Attempt, Reading};
use super::windows::Windows;
use crate::expiry::{Batch, Status};
use crate::source::{Lot, Slice, SourceError, Span};

/// The states that a provider's filter tells apart.
const STATES: [Status; 4] = [Status::Active, Status::Inactive, Status::Pending, Status::Revoked];

/// Chooses the lots of a batch, so that one answer of `most` rows holds each. `None` when there is a lot that no answer
/// holds, or when there are more than half as many lots again as answers that full of rows would take.
pub(super) fn choose(batch: &Batch, most: u64) -> Option<Vec<Lot>> {
    let mut lots = Vec::new();
    let mut rest = batch.iter().peekable();
    while let Some(((issuer, _), _)) = rest.peek().copied() {
        let mut states = Vec::new();
        while let Some(((_, status), count)) = rest.next_if(|((other, _), _)| other == issuer) {
            states.push((*status, *count));
        }
        let known: u64 = states.iter().map(|(_, count)| count).sum();
        let lot = |status| Lot { issuer: Arc::clone(issuer), status };
        if known <= most {
            lots.push(lot(None));
        } else if states.iter().all(|(_, count)| *count <= most) {
            lots.extend(STATES.map(|status| lot(Some(status))));
        } else {
            return None;
        }
    }
    let least = batch.values().sum::<u64>().div_ceil(most.max(1));
    (lots.len() as u64 * 2 <= least * 3).then_some(lots)
}

impl Windows<'_> {
    /// Reads the lots of a batch, or the batch page by page where they do not add up.
    pub(super) async fn batch(
        &self,
        span: Span,
        lots: Vec<Lot>,
        cuts: &AtomicU64,
    ) -> Result<Part, SourceError> {
        if self.lots_work.load(Ordering::Relaxed) {
            match self.lots(span, lots).await {
                Ok(Some(reading)) => return Ok(Part::Read(reading)),
                Ok(None) => {}
                // A provider that does not know the filter says so; the batch can be had without.
                Err(SourceError::BadRequest(_)) => self.lots_work.store(false, Ordering::Relaxed),
                Err(error) => return Err(error),
            }
        }
        self.part(span, cuts).await
    }

    /// Reads each lot, with the counts of the batch before and after. `None` when the lots are not the batch.
    async fn lots(&self, span: Span, lots: Vec<Lot>) -> Result<Option<Reading>, SourceError> {
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
        for lot in try_join_all(lots.into_iter().map(|lot| self.lot(span, lot))).await? {
            sum.add(&lot);
        }
        if sum.outside > 0 {
            self.lots_work.store(false, Ordering::Relaxed);
        }
        let whole = !sum.torn && sum.outside == 0 && sum.distinct == first.reading.first_total;
        let adds_up = whole && sum.distinct == self.count(Some(span)).await?;
        Ok(adds_up.then_some(Reading { finished: true, ..sum }))
    }

    async fn lot(&self, span: Span, lot: Lot) -> Result<Reading, SourceError> {
        let asked = Slice { lot: Some(lot), ..self.slice.part(span) };
        let mut attempt = Attempt::new(&asked, self.slice);
        attempt.run(&self.pages, self.feed).await?;
        Ok(attempt.reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::Status::{Active, Inactive, Pending, Revoked};

    fn chosen(batch: &[(&str, Status, u64)]) -> Option<Vec<(String, Option<Status>)>> {
        let batch = batch
            .iter()
            .map(|(issuer, status, count)| ((Arc::<str>::from(*issuer), *status), *count));
        let lots = choose(&batch.collect(), 96)?;
        Some(lots.into_iter().map(|lot| (lot.issuer.to_string(), lot.status)).collect())
    }

    #[test]
    fn lots_are_cut_by_issuer_and_where_that_is_too_much_by_state() {
        let whole = |issuer: &str| (issuer.to_owned(), None);
        let state = |issuer: &str, status| (issuer.to_owned(), Some(status));
        for (batch, expected) in [
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
            assert_eq!(chosen(batch), expected, "{batch:?}");
        }
    }
}
