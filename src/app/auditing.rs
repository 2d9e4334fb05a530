//! What happened long ago is dropped, and what is too much.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::pipeline::Parts;

/// Between two looks.
const EVERY: Duration = Duration::from_mins(10);

/// Between two steps of one look, so that whatever else is to be written comes first.
const PAUSE: Duration = Duration::from_millis(50);

/// Keeps what happened and what was said for as long as it is to be kept, what happened in at most so many bytes.
/// Nothing is dropped for its age by a clock that is not trusted.
pub(super) async fn keep_history(
    parts: Parts,
    most: u64,
    clock_trusted: watch::Receiver<bool>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Parts { store, clock, metrics, .. } = parts;
    let work = async {
        loop {
            let now = clock_trusted.borrow().then(|| clock.now());
            let pause = match store.forget_old(now, most).await {
                Ok((size, more)) => {
                    metrics.audit(size.bytes, size.dropped);
                    if more { PAUSE } else { EVERY }
                }
                Err(error) => {
                    tracing::debug!(%error, "history is not trimmed");
                    EVERY
                }
            };
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work => {}
    }
    Ok(())
}
