//! Everything that is asked for, page after page, in memory for one of them.

use tokio::sync::mpsc;

use super::filter::Query;
use super::{Catalog, CatalogError, Entry};
use crate::expiry::{RowId, Selected};

/// Certificates that are taken from the columns in one pass: 5 MB of places.
const PASS: usize = 200_000;

/// Certificates that are handed over at once.
const STEP: usize = 1000;

impl Catalog {
    /// Hands over everything that is asked for in order, from the cursor on if there is one. Each pass is over the newest
    /// state, so that no state is kept for as long as somebody reads. Ends when nobody takes any more.
    pub async fn export(
        &self,
        query: &Query,
        taker: mpsc::Sender<Vec<Entry>>,
    ) -> Result<(), CatalogError> {
        let mut asked = self.ask(query).await?;
        if query.is_by_name() {
            let mut found = self.sorted_by_name(&asked).await?.into_iter().peekable();
            while found.peek().is_some() {
                let step = found.by_ref().take(STEP).collect();
                if taker.send(self.shown(&asked, step).await?).await.is_err() {
                    break;
                }
            }
            return Ok(());
        }
        let mut after = asked.cursor.map(|cursor| cursor.after);
        loop {
            let Selected { positions, .. } = asked.select(after, PASS).await?;
            for step in positions.chunks(STEP) {
                let items = if query.filter.is_of_columns() {
                    let rows: Vec<RowId> = step.iter().map(|position| position.row).collect();
                    self.entries(&asked.moment, &rows).await?.into_iter().flatten().collect()
                } else {
                    let found = self.look(&asked, step).await?;
                    self.shown(&asked, found).await?
                };
                if taker.send(items).await.is_err() {
                    return Ok(());
                }
            }
            if positions.len() < PASS {
                return Ok(());
            }
            after = positions.last().copied();
            let began = asked.moment.now;
            asked.moment = self.moment();
            asked.moment.now = began;
        }
    }
}
