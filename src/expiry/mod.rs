//! The pure core: what is known, what it means now, and what is to be notified about it.
//!
//! Values in, values out: no async, no I/O, no clock, no serde, no logging.
//!
//! Reading order, which is the way of the data:
//!
//! - [`Sighting`] and its fields are one certificate as a provider reported it, in our words; [`Sightings`] are those of a
//!   page.
//! - [`Ladder`] and [`Rung`] are the thresholds before an end.
//! - [`Inventory`] takes sightings and says what changed ([`Applied`]); `succession` tells which certificate replaced
//!   which. [`View`] is one state of it for readers, [`SumsCache`] adds a view up.
//! - [`Look`] is what came of a look at a place, and [`Invalid`] what is wrong with what is served there.
//! - [`Absence`] tells when a certificate that is not listed any more is believed to be gone.
//! - [`Evaluator`] turns a view and the time into [`Verdict`]s.
//! - [`plan`](fn@plan) holds verdicts against the [`Ledger`] and decides what is notified, and why; [`plan_renewed`] tells which open
//!   alerts something new may have ended, [`Renewing`] when that is believed.
//! - [`Conditions`] are what can be wrong with sources, channels and the clock, each reported once.
//! - [`DailyDigest`] is how everything stands, once a day.
//! - [`Snooze`] tells of what nothing is said for a while.
//! - [`Event`] is one thing worth saying, [`Message`] is what a channel is given; `text` makes names inert.
//!
//! ```text
//! sighting ─► Inventory::apply ─► Applied ─► plan_renewed(ledger) ─► Renewing ─► renewed
//!                  └─► View ─► Evaluator::due(now) ─► plan(ledger) ─► notices
//! ```

mod certificate;
mod sightings;
mod labels;
mod ladder;
mod ladders;
mod inventory;
mod succession;
mod subject;
mod endpoint;
mod bound;
mod month;
mod cliff;
mod absence;
mod conditions;
mod digest;
mod evaluate;
mod plan;
mod event;
mod event_id;
mod event_kind;
mod facts;
pub mod glob;
mod matcher;
mod matching;
mod message;
mod snooze;
pub mod text;
#[cfg(test)]
pub mod sample;

pub use absence::{
    Absence, Accepted, Coverage, Doubt, Ends, Look, LostPlaces, Missing, Outcome, Part, PlaceState,
    PointReads, Proof, Removal, Span, WindowName,
};
pub use bound::Bound;
pub use certificate::{Fingerprint, Kind, Reason, Rejected, Sighting, Status, Timestamp};
pub use cliff::{Cliff, RenewalCounts, not_watched_enough};
pub use conditions::{Condition, Conditions, Transition};
pub use digest::{DailyDigest, DigestSnooze, Ending, News, SourceCount, Unproven};
pub use endpoint::{EndpointNews, Invalid, InvalidReason, Looked};
pub use evaluate::{Evaluator, Verdict};
pub use event::{Event, Newer, Severity, Topic};
pub use event_id::{Occasion, batch_id, event_id, said_again};
pub use event_kind::{EVENT_KINDS, EventKind};
pub use facts::Facts;
pub use inventory::{
    Ahead, Applied, Asked, BUCKETS, Change, EndsFirst, Foreseen, IdPrefix, Inventory, KindSums,
    Order, Overview, Position, Row, RowId, ScopeId, Selected, Selection, SortBy, Stand,
    StoredParts, StoredRow, Sums, SumsCache, Undeployed, View,
};
pub use labels::{Labels, MOST_LABELS, label_name, labels_of, with_fixed};
pub use ladder::{Ladder, Rung};
pub use ladders::Ladders;
pub use matcher::{Field, Matcher, Patterns};
pub use message::{Detail, Entry, Fact, Language, Manner, Message, Tone, days_left};
pub use month::Month;
pub use plan::{
    Again, DecisionReason, Forecast, Heard, Ledger, Notice, Notified, Prospect, Reminders,
    Reminding, Renewals, Renewing, again, has_long_ended, plan, plan_renewed, severity,
};
pub use sightings::{Seen, Sightings, listed_digest};
pub use snooze::{
    Cover, RefusedWish, Snooze, SnoozeEnd, Snoozed, Snoozes, Wanted, Wish, WishCover,
};
pub use subject::attribute_of;
