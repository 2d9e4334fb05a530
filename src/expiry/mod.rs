//! The pure core: what is known, what it means now, and what is to be said about it.
//!
//! Values in, values out: no async, no I/O, no clock, no serde, no logging.

mod certificate;
mod event;
mod evaluate;
mod inventory;
mod ladder;
mod message;
mod plan;
mod succession;
pub mod text;

pub use certificate::{Kind, Reason, Rejected, Sighting, Status, Timestamp};
pub use evaluate::{Evaluator, Verdict};
pub use event::{Event, Facts, Severity, Topic};
pub use inventory::{Applied, Change, Inventory, RowId, ScopeId, StoredRow, Sums, SumsCache, View};
pub use ladder::{Ladder, Rung};
pub use message::{Detail, Entry, Language, Message};
pub use plan::{Ledger, Plan, Said, Told};
