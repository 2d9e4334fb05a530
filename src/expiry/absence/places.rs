//! Places that were looked at. What could not be read there protects what was known there, and nothing else.

use std::collections::BTreeSet;

use super::super::endpoint::Invalid;
use super::super::inventory::{Inventory, RowId};
use super::guard::few;
use super::part::Part;
use super::rows::Rows;

/// What came of a look at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlaceState {
    /// It was read and understood.
    Read,
    /// It is not there.
    Missing,
    /// It is there, or may be, and cannot be read.
    Unreadable,
    /// It was read, and not all of it was understood.
    Broken,
}

impl PlaceState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Read, Self::Missing, Self::Unreadable, Self::Broken];

    /// Returns the metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Broken => "broken",
        }
    }
}

/// A look at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The place.
    pub place: String,
    /// What came of it.
    pub state: PlaceState,
    /// Whether the places below it stay unseen with it: it is a folder that cannot be walked.
    pub covers_below: bool,
    /// What is wrong with it, for people; nothing where it was read.
    pub why: String,
    /// Of an endpoint: why a client that verifies refuses what was read; `None` where it does not.
    pub verdict: Option<Invalid>,
    /// Of an endpoint where nothing is wrong: which of its addresses serve which certificate, where they differ.
    pub shares: Option<String>,
}

impl Look {
    /// Returns a look at one place alone, of which nothing else is known.
    pub const fn of(place: String, state: PlaceState, why: String) -> Self {
        Self { place, state, covers_below: false, why, verdict: None, shares: None }
    }

    /// Returns whether something may be there that was not seen.
    pub const fn is_unseen(&self) -> bool {
        matches!(self.state, PlaceState::Unreadable | PlaceState::Broken)
    }
}

/// More places that held certificates could not be seen than may be at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostPlaces {
    /// Places that are known to hold certificates.
    pub known: usize,
    /// Those of them that were not seen.
    pub unseen: usize,
}

/// The places that a reading could not see.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    places: BTreeSet<String>,
    folders: Vec<String>,
}

impl Unseen {
    pub(super) fn note(&mut self, look: &Look) {
        if !look.is_unseen() {
            return;
        }
        if look.covers_below {
            self.folders.push(look.place.clone());
        }
        self.places.insert(look.place.clone());
    }

    /// Returns whether a certificate may be in its place without having been seen.
    pub(super) fn hides(&self, row: RowId, inventory: &Inventory) -> bool {
        !self.places.is_empty() && inventory.place(row).is_some_and(|place| self.covers(place))
    }

    /// Returns the certificates of a part that may be there without having been seen.
    pub(super) fn hidden(&self, part: &Part, inventory: &Inventory) -> Vec<RowId> {
        if self.places.is_empty() {
            return Vec::new();
        }
        let rows = inventory.rows(part.scope, part.kind, None);
        rows.filter(|row| self.hides(*row, inventory)).collect()
    }

    /// Returns how many places were lost sight of, when they are more than may be at any time: those that hold
    /// something that was not `listed`.
    pub(super) fn lost(
        &self,
        part: &Part,
        inventory: &Inventory,
        listed: &Rows,
    ) -> Option<LostPlaces> {
        if self.places.is_empty() {
            return None;
        }
        let (mut known, mut unseen) = (0, 0);
        for place in inventory.places(part.scope) {
            known += 1;
            let not_listed = || inventory.at(part.scope, place).any(|row| !listed.contains(row));
            unseen += usize::from(self.covers(place) && not_listed());
        }
        (unseen > few(known)).then_some(LostPlaces { known, unseen })
    }

    fn covers(&self, place: &str) -> bool {
        self.places.contains(place) || self.folders.iter().any(|folder| is_below(place, folder))
    }
}

/// Returns whether a path leads through a folder.
fn is_below(place: &str, folder: &str) -> bool {
    place
        .strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/') || folder.ends_with('/') && !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_covers_what_is_below_it_and_no_neighbour() {
        for (place, folder, expected) in [
            ("/a/b", "/a", true),
            ("/a/b/c", "/a", true),
            ("/ab", "/a", false),
            ("/a", "/a", false),
            ("/a", "/", true),
            ("/", "/", false),
        ] {
            assert_eq!(is_below(place, folder), expected, "{place} {folder}");
        }
    }
}
