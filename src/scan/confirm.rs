//! Asks the provider for what is known and was not listed.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::sync::oneshot;

use super::event::{Candidate, Feed, ScanEvent, stopped};
use crate::expiry::Ends;
use crate::source::{Presence, Slice, Source, SourceError};

/// What the provider answered for a certificate.
enum Answer {
    /// It is not there, or the provider cannot be asked about it.
    Absent,
    /// It is there after all.
    Present,
    /// It could not be asked about this time.
    Unasked,
}

/// Reports that these ends of a slice were read whole, and asks for each certificate that is missing from them. Any
/// answer but "not found" keeps it. Answers with how many are there.
pub(super) async fn confirm_missing(
    source: &dyn Source,
    slice: &Arc<Slice>,
    ends: Ends,
    feed: &Feed,
) -> Result<u64, SourceError> {
    let (missing, answer) = oneshot::channel();
    feed.give(ScanEvent::Covered { slice: Arc::clone(slice), ends, missing }).await?;
    let candidates = answer.await.map_err(|_| stopped())?;
    if candidates.is_empty() {
        return Ok(0);
    }
    let (mut absent, mut present, mut unasked) = (Vec::new(), Vec::new(), Vec::new());
    let mut answers =
        futures_util::stream::iter(candidates)
            .map(|candidate| async move {
                (candidate.row, confirm(source, slice, &candidate, feed).await)
            })
            .buffer_unordered(source.width());
    while let Some((row, answer)) = answers.next().await {
        match answer {
            Answer::Absent => absent.push(row),
            Answer::Present => present.push(row),
            Answer::Unasked => unasked.push(row),
        }
    }
    let there = present.len() as u64;
    let event = ScanEvent::Asked { slice: Arc::clone(slice), absent, present, unasked };
    feed.give(event).await?;
    Ok(there)
}

async fn confirm(source: &dyn Source, slice: &Slice, candidate: &Candidate, feed: &Feed) -> Answer {
    match source.confirm(&slice.scope, &candidate.issuer, &candidate.serial).await {
        Ok(Presence::NotFound | Presence::Unknown) => Answer::Absent,
        Ok(Presence::Present) => Answer::Present,
        Err(SourceError::Refused(error)) => {
            tracing::warn!(
                source = %feed.source, %error,
                "missing certificates cannot be confirmed one by one and are kept"
            );
            Answer::Unasked
        }
        Err(_) => Answer::Unasked,
    }
}

/// Asks for a certificate of each scope that is known and that the provider does not list any more.
pub(super) async fn confirm_unlisted(source: &dyn Source, slices: &[Slice], feed: &Feed) {
    let scopes: BTreeSet<_> = slices.iter().map(|slice| Arc::clone(&slice.scope)).collect();
    let (unlisted, answer) = oneshot::channel();
    if feed.give(ScanEvent::Listed { scopes, unlisted }).await.is_err() {
        return;
    }
    let mut absent = Vec::new();
    for (scope, candidate) in answer.await.unwrap_or_default() {
        match source.confirm(&scope, &candidate.issuer, &candidate.serial).await {
            Ok(Presence::NotFound) | Err(SourceError::NoSuchScope(_)) => absent.push(scope),
            Ok(Presence::Present | Presence::Unknown) | Err(_) => {}
        }
    }
    // A closed feed means that the daemon is stopping: nothing was removed, the next poll asks again.
    if !absent.is_empty() && feed.give(ScanEvent::ScopesAsked { absent }).await.is_err() {
        tracing::debug!(source = %feed.source, "stopped while missing scopes were asked for");
    }
}
