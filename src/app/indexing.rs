//! Names are brought into their index behind the scans: a search may wait for it, a scan may not.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::expiry::View;
use crate::store::Store;

/// Certificates that are brought in at once: the store is held up for some ten milliseconds.
const STEP: usize = 2000;

/// Between two steps, so that whatever else is to be done comes first.
const PAUSE: Duration = Duration::from_millis(20);

/// After the store refused.
const LONG_PAUSE: Duration = Duration::from_secs(30);

/// Brings names into their index whenever something changed and no scan is under way.
pub(super) async fn keep_names(
    store: Arc<dyn Store>,
    mut view: watch::Receiver<Arc<View>>,
    mut under_way: watch::Receiver<usize>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let work = async {
        loop {
            view.mark_unchanged();
            if under_way.wait_for(|count| *count == 0).await.is_err() {
                return;
            }
            let pause = match store.index_names(STEP).await {
                Ok(true) if view.changed().await.is_err() => return,
                Ok(_) => PAUSE,
                Err(error) => {
                    tracing::debug!(%error, "names are not brought into their index");
                    LONG_PAUSE
                }
            };
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work => stop.cancelled().await,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;
    use crate::store::{NameQuery, Sqlite};

    #[tokio::test]
    async fn names_are_indexed_once_no_scan_is_under_way() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Sqlite::open(&folder.path().join("x.db")).unwrap());
        crate::app::tests::fill(&*store, 10).await;
        let (_view, views) = watch::channel(Arc::default());
        let (count, under_way) = watch::channel(1);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let names: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
        tasks.spawn(keep_names(names, views, under_way, stop.clone()));
        let query = NameQuery { parts: vec!["ser".to_owned()], most: 9 };
        let unindexed = async || store.find_names(&query).await.unwrap().unindexed;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert!(unindexed().await.is_some(), "a scan is under way");
        count.send_replace(0);
        let indexed = async {
            while unindexed().await.is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), indexed).await.unwrap();
        stop.cancel();
        tasks.join_next().await.unwrap().unwrap().unwrap();
    }
}
