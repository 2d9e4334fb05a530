//! What happened long ago is dropped, and what is too much.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::pipeline::Parts;
use crate::store::AUDIT_KEPT;

/// Between two looks.
const EVERY: Duration = Duration::from_mins(10);

/// Between two steps of one look, so that whatever else is to be written comes first.
const PAUSE: Duration = Duration::from_millis(50);

/// Keeps what happened for as long as it is to be kept, in at most so many bytes.
pub(super) async fn keep_audit(
    parts: Parts,
    most: u64,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Parts { store, clock, metrics, .. } = parts;
    let work = async {
        loop {
            let pause = match store.trim_audit(clock.now().plus(-AUDIT_KEPT), most).await {
                Ok((size, more)) => {
                    metrics.audit(size.bytes, size.dropped);
                    if more { PAUSE } else { EVERY }
                }
                Err(error) => {
                    tracing::debug!(%error, "the audit is not trimmed");
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
