//! Placeholder: SQLite.

use async_trait::async_trait;

use super::*;

/// A store in one SQLite file.
pub struct Sqlite;

impl Sqlite {
    /// Placeholder.
    pub fn open_read_only(path: &std::path::Path) -> Result<Self, StoreError> {
        Err(StoreError::Unavailable(format!("{}: placeholder", path.display())))
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn saved(&self) -> Result<Saved, StoreError> { todo!() }
    async fn rows(&self, _: &mut (dyn FnMut(Vec<(ScopeId, StoredRow)>) + Send)) -> Result<(), StoreError> { todo!() }
    async fn commit(&self, _: Commit) -> Result<(), StoreError> { todo!() }
    async fn facts(&self, _: &[RowId]) -> Result<Vec<Option<Facts>>, StoreError> { todo!() }
    async fn list(&self, _: &ListQuery) -> Result<Vec<Facts>, StoreError> { todo!() }
    async fn pending(&self, _: &str, _: usize) -> Result<Vec<Pending>, StoreError> { todo!() }
    async fn backlog(&self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> { todo!() }
    async fn freeze(&self, _: &[i64], _: &Batch) -> Result<(), StoreError> { todo!() }
    async fn settle(&self, _: &str, _: &str, _: &BatchUpdate, _: &ChannelState) -> Result<(), StoreError> { todo!() }
    async fn channel_state(&self, _: &str) -> Result<ChannelState, StoreError> { todo!() }
    async fn scans(&self) -> Result<Vec<ScanRecord>, StoreError> { todo!() }
    async fn retain_sources(&self, _: &[String]) -> Result<(), StoreError> { todo!() }
}
