//! A page of certificates.

use std::sync::Arc;

use tokio::time::Instant;

use super::cursor::Cursor;
use super::filter::Query;
use super::{Catalog, CatalogError, Entry, Moment, off_the_runtime};
use crate::expiry::{Order, Position, RowId, Selected, Selection};
use crate::store::Kept;

/// So many are looked through at once, so that the total is exact.
const FEW: usize = 2000;

/// So many are taken from the columns at once, to be looked through one after the other.
const MANY: usize = 20_000;

/// Names that are read at once between two looks at the clock.
const STEP: usize = 256;

/// A page of certificates.
#[derive(Clone, Debug)]
pub struct Page {
    /// The certificates.
    pub items: Vec<Entry>,
    /// The cursor of the page after it; `None` when it was the last.
    pub next: Option<String>,
    /// How many there are in all, where that is known.
    pub total: Option<u64>,
    /// How many there are at least.
    pub total_at_least: u64,
    /// Whether what was looked for in names was looked for in all of them; `None` when nothing was.
    pub searched_all: Option<bool>,
}

/// A question with what it means at a moment.
pub(super) struct Asked<'a> {
    pub(super) query: &'a Query,
    pub(super) moment: Moment,
    pub(super) selection: Selection,
    pub(super) order: Order,
    pub(super) cursor: Option<Cursor>,
    pub(super) searched_all: Option<bool>,
}

/// What a look through names found.
#[derive(Default)]
struct Looked {
    found: Vec<(Position, Kept)>,
    /// The last that was looked at.
    last: Option<Position>,
    /// Whether nothing is left.
    is_all: bool,
}

impl Catalog {
    /// Returns a page of what is asked for.
    pub async fn list(&self, query: &Query) -> Result<Page, CatalogError> {
        let began = Instant::now();
        let asked = self.ask(query).await?;
        if query.is_by_name() {
            return self.by_name(&asked).await;
        }
        if query.filter.is_of_columns() {
            return self.of_columns(&asked).await;
        }
        let first = asked.select(None, FEW).await?;
        if first.total <= FEW as u64 {
            return self.of_few(&asked, first.positions).await;
        }
        self.of_many(&asked, began).await
    }

    /// Settles what a question means now.
    pub(super) async fn ask<'a>(&self, query: &'a Query) -> Result<Asked<'a>, CatalogError> {
        let moment = self.moment();
        let cursor = Cursor::of(query)?;
        let began = cursor.map_or(moment.now, |cursor| cursor.began);
        let mut selection = query.filter.selection(&moment);
        let mut searched_all = None;
        if !query.filter.is_of_columns() {
            let candidates = self.candidates(&moment, &query.filter.parts()).await?;
            searched_all = query.filter.part.as_ref().map(|_| candidates.whole);
            if let Some(rows) = candidates.rows {
                selection.among = Some(match selection.among {
                    Some(among) => among & rows,
                    None => rows,
                });
            }
        }
        let order = query.order(began);
        Ok(Asked { query, moment, selection, order, cursor, searched_all })
    }

    /// The columns tell which certificates it are, and count them.
    async fn of_columns(&self, asked: &Asked<'_>) -> Result<Page, CatalogError> {
        let after = asked.cursor.map(|cursor| cursor.after);
        let wanted = asked.query.limit.saturating_add(1);
        let Selected { mut positions, total } = asked.select(after, wanted).await?;
        let more = positions.len() > asked.query.limit;
        positions.truncate(asked.query.limit);
        let rows: Vec<RowId> = positions.iter().map(|position| position.row).collect();
        let items = self.entries(&asked.moment, &rows).await?.into_iter().flatten().collect();
        let last = positions.last().copied().filter(|_| more);
        Ok(asked.page(items, last, Some(total)))
    }

    /// So few that all of them are looked at.
    async fn of_few(
        &self,
        asked: &Asked<'_>,
        positions: Vec<Position>,
    ) -> Result<Page, CatalogError> {
        let mut found = Vec::new();
        for step in positions.chunks(STEP) {
            found.extend(self.look(asked, step).await?);
        }
        let total = found.len() as u64;
        let after = asked.cursor.map(|cursor| cursor.after);
        found.retain(|(position, _)| after.is_none_or(|after| *position > after));
        let more = found.len() > asked.query.limit;
        found.truncate(asked.query.limit);
        let last = found.last().map(|(position, _)| *position).filter(|_| more);
        let items = self.shown(asked, found).await?;
        Ok(asked.page(items, last, Some(total)))
    }

    /// Nothing narrows it down: it is looked through in order for as long as one who waits has patience.
    async fn of_many(&self, asked: &Asked<'_>, began: Instant) -> Result<Page, CatalogError> {
        let mut looked =
            Looked { last: asked.cursor.map(|cursor| cursor.after), ..Looked::default() };
        let is_enough = |looked: &Looked| looked.is_all || looked.found.len() > asked.query.limit;
        while !is_enough(&looked) {
            let Selected { positions, .. } = asked.select(looked.last, MANY).await?;
            looked.is_all = positions.len() < MANY;
            for step in positions.chunks(STEP) {
                looked.found.extend(self.look(asked, step).await?);
                looked.last = step.last().copied();
                let enough = looked.found.len() > asked.query.limit;
                if enough || began.elapsed() >= self.patience {
                    looked.is_all &= looked.last == positions.last().copied();
                    return self.so_far(asked, looked).await;
                }
            }
        }
        self.so_far(asked, looked).await
    }

    async fn so_far(&self, asked: &Asked<'_>, mut looked: Looked) -> Result<Page, CatalogError> {
        let mut last = looked.last.filter(|_| !looked.is_all);
        if looked.found.len() > asked.query.limit {
            looked.found.truncate(asked.query.limit);
            last = looked.found.last().map(|(position, _)| *position);
        }
        let is_whole = asked.cursor.is_none() && last.is_none();
        let total = is_whole.then_some(looked.found.len() as u64);
        let items = self.shown(asked, looked.found).await?;
        Ok(asked.page(items, last, total))
    }

    /// Reads the names of these, and returns those that it are.
    pub(super) async fn look(
        &self,
        asked: &Asked<'_>,
        positions: &[Position],
    ) -> Result<Vec<(Position, Kept)>, CatalogError> {
        let rows: Vec<RowId> = positions.iter().map(|position| position.row).collect();
        let kept = self.read(&asked.moment, &rows).await?;
        let found =
            positions.iter().zip(kept).filter_map(|(position, kept)| Some((*position, kept?)));
        let filter = &asked.query.filter;
        let is_chosen = |(position, kept): &(Position, Kept)| {
            filter.matches(kept) && filter.is_as_quiet(&asked.moment, position.row, kept)
        };
        Ok(found.filter(is_chosen).collect())
    }

    /// Returns what is shown of what was found.
    pub(super) async fn shown(
        &self,
        asked: &Asked<'_>,
        found: Vec<(Position, Kept)>,
    ) -> Result<Vec<Entry>, CatalogError> {
        let found = found.into_iter().map(|(position, kept)| (position.row, Some(kept))).collect();
        Ok(self.dress(&asked.moment, found).await?.into_iter().flatten().collect())
    }
}

impl Asked<'_> {
    pub(super) async fn select(
        &self,
        after: Option<Position>,
        most: usize,
    ) -> Result<Selected, CatalogError> {
        let (view, selection, order) =
            (Arc::clone(&self.moment.view), self.selection.clone(), self.order);
        off_the_runtime(move || view.select(&selection, order, after, most)).await
    }

    /// Returns a page; `last` is where it ended, unless it is the last.
    pub(super) fn page(
        &self,
        items: Vec<Entry>,
        last: Option<Position>,
        total: Option<u64>,
    ) -> Page {
        let before = self.cursor.map_or(0, |cursor| cursor.found);
        let found = before.saturating_add(items.len() as u64);
        let began = self.cursor.map_or(self.moment.now, |cursor| cursor.began);
        let next = last.map(|after| Cursor { after, began, found }.encode(self.query));
        Page {
            items,
            next,
            total,
            total_at_least: total.unwrap_or(found),
            searched_all: self.searched_all,
        }
    }
}
