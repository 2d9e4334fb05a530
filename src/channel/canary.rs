//! What is asked of a canary, and what is told of it on its way.

use tokio::sync::{mpsc, oneshot};

/// A wish for a certificate that does not exist to travel the whole way.
#[derive(Debug)]
pub struct CanaryRequest {
    /// The source that it is to be of; the first one where none is named.
    pub source: Option<String>,
    /// Takes each step as it is done. It is closed after the last; where nobody listens any more, the way ends.
    pub steps: mpsc::UnboundedSender<CanaryStep>,
    /// Takes the source that it is of, or why there is none.
    pub answer: oneshot::Sender<Result<String, CanaryRefusal>>,
}

/// Why there is no canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryRefusal {
    /// Another one is on its way.
    UnderWay,
    /// There is no such source; these there are.
    NoSuchSource(Vec<String>),
}

/// A part of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryStage {
    /// It is reported as a source would.
    Sighting,
    /// It is known.
    Inventory,
    /// It is found to be worth a message.
    Plan,
    /// The message is kept for its channels.
    Outbox,
    /// A channel has delivered it.
    Channel(String),
    /// Nothing is known of it any more.
    Removed,
}

impl CanaryStage {
    /// Returns the word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sighting => "sighting",
            Self::Inventory => "inventory",
            Self::Plan => "plan",
            Self::Outbox => "outbox",
            Self::Channel(_) => "channel",
            Self::Removed => "removed",
        }
    }
}

/// What became of a part of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryStep {
    /// The part.
    pub stage: CanaryStage,
    /// When, in milliseconds after the epoch.
    pub at: i64,
    /// What was done, or why it was not.
    pub result: Result<String, String>,
}
