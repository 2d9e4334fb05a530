//! The wish for quiet.

use async_trait::async_trait;

use crate::expiry::{RefusedWish, Snooze, Wish};

/// Why a wish was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The wish is not granted.
    Wish(RefusedWish),
    /// The daemon stops, or cannot write.
    Stopping,
}

/// Makes and ends snoozes: only the pipeline changes what is known.
#[async_trait]
pub trait Snoozing: Send + Sync {
    /// Makes a snooze, and answers once it is kept.
    async fn snooze(&self, wish: Wish) -> Result<Snooze, Refused>;

    /// Ends the snooze with this id, and answers once that is kept; `None` where there is none.
    async fn end_snooze(&self, id: &str) -> Result<Option<Snooze>, Refused>;
}
