//! Placeholder: pages become a scan, with its proof.

use std::sync::Arc;

use crate::expiry::{Rejected, Sighting};
use crate::source::{Source, SourceError};

/// What one scan of a source collected.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Every certificate with its scope.
    pub sightings: Vec<(Arc<str>, Sighting)>,
    /// Whether the proof of the design holds for all of it.
    pub proven: bool,
    /// Rows that could not be understood.
    pub rejected: Vec<Rejected>,
    /// What went wrong on the way.
    pub problems: Vec<String>,
}

/// Placeholder.
pub async fn collect(
    _: Arc<dyn Source>,
    _: impl FnMut(u64, u64),
) -> Result<Collected, SourceError> {
    Ok(Collected::default())
}
