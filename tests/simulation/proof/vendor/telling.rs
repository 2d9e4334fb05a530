//! What one answer told of which certificates.

use notafter::facade::expiry::Kind;

use super::super::listing::{Row, Told, Within};
use super::super::scene::Lie;
use super::super::truth::Certificate;
use super::TOLD;

/// Which certificates would be in a list.
pub(super) enum Covers {
    Kind(Kind),
    Holder(String),
    All,
}

pub(super) struct Telling {
    pub(super) all: Vec<Row>,
    pub(super) page: Vec<Row>,
    pub(super) lie: Option<Lie>,
    pub(super) within: Within,
    covers: Covers,
}

impl Telling {
    pub(super) fn covers(&self, one: &Certificate) -> bool {
        match &self.covers {
            Covers::Kind(kind) => one.kind == *kind,
            Covers::Holder(holder) => one.holder == *holder,
            Covers::All => true,
        }
    }

    /// Keeps what is told until the source hands it on. Who asks for something else than a page is told nothing.
    pub(super) fn keep(all: Vec<Row>, page: Vec<Row>, lie: Option<Lie>, what: (Covers, Within)) {
        let (covers, within) = what;
        let telling = Self { all, page, lie, within, covers };
        TOLD.try_with(|told| told.borrow_mut().push(telling)).unwrap_or_default();
    }

    /// The same of a list of certificates.
    pub(super) fn keep_list(told: &Told<Row>, covers: Covers, within: Within) {
        Self::keep(told.all.clone(), told.page.clone(), told.lie, (covers, within));
    }
}

/// Returns whether a source reads a page for its scan now: nobody lies to others about rows.
pub(super) fn is_reading() -> bool {
    TOLD.try_with(|_| ()).is_ok()
}
