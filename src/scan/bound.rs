//! Asks the provider where it uses what another certificate may have replaced.

use tokio::sync::oneshot;

use super::event::{Feed, ScanEvent};
use crate::source::Source;

/// Asks about what ends soon, once the poll is done. A closed feed means that the daemon is stopping: the next poll asks
/// again.
pub(super) async fn ask(source: &dyn Source, feed: &Feed) {
    if !source.tells_use() {
        return;
    }
    let (asked, candidates) = oneshot::channel();
    if feed.give(ScanEvent::MaybeReplaced { asked }).await.is_err() {
        return;
    }
    let candidates = candidates.await.unwrap_or_default();
    if candidates.is_empty() {
        return;
    }
    let (rows, serials): (Vec<_>, Vec<_>) =
        candidates.into_iter().map(|candidate| (candidate.row, candidate.serial)).unzip();
    let answers = rows.into_iter().zip(source.bound(&serials).await);
    let answers = answers.filter_map(|(row, answer)| Some((row, answer?))).collect();
    if feed.give(ScanEvent::Bound { answers }).await.is_err() {
        tracing::debug!(source = %feed.source, "stopped while it was asked where certificates are in use");
    }
}
