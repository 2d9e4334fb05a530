//! What the tests, the benchmarks and the simulation use of the crate from outside. Whatever else is not used is dead code,
//! and the compiler says so.

/// The pure core.
pub mod expiry {
    pub use crate::expiry::{
        Change, Cover, Evaluator, Event, Facts, Inventory, Kind, Ladder, Ladders, Language, Ledger,
        Message, Notice, Notified, Reason, Rejected, RowId, Rung, ScopeId, Severity, Sighting,
        Sightings, Snooze, Status, StoredParts, StoredRow, Sums, SumsCache, Timestamp, Topic, View,
        Wanted, Wish, WishCover, plan,
    };
}

/// Time and chance.
pub mod clock {
    pub use crate::clock::{BentClock, Clock, Random, SteadyClock, SystemClock, SystemRandom, mix};
}

/// A checked configuration.
pub mod config {
    pub use crate::config::{ChannelConfig, Config, Environment, Mistakes, load};
}

/// Calls to providers.
pub mod client {
    pub use crate::client::{Action, Backoff, ClockOffset, Deps, Meter, NoMeter};

    /// Requests over the network.
    pub mod http {
        pub use crate::client::http::{Http, HttpError, Reach, Request, Response, Transport};
    }

    /// Request rates.
    pub mod limiter {
        pub use crate::client::limiter::{Limiter, Limiters};
    }

    /// The signed API of Tencent Cloud.
    pub mod tencent {
        pub use crate::client::tencent::{Keys, Settings, Tencent};
    }
}

/// Where certificates come from.
pub mod source {
    pub use crate::source::{
        Bound, Checkpoint, Context, Page, Presence, Slice, Source, SourceError, Window, build,
        full_scan_default,
    };
}

/// Where messages go.
pub mod channel {
    pub use crate::channel::{Channel, Pace, Page, Receipt, SendError, build};
}

/// What survives a restart.
pub mod store {
    pub use crate::store::{
        Batch, BatchUpdate, Body, Call, ChannelState, Checkpoint, Commit, ListQuery, Memory,
        Observed, Observer, Pending, Post, RowWrite, Saved, ScanRecord, Settled, Sqlite, Store,
        StoreError, Stranded,
    };
}

/// What Prometheus reads.
pub mod metrics {
    pub use crate::metrics::{
        DaemonMetrics, Exposition, Format, Moment, Names, NamesError, Setup, SourceSetup,
    };
}

/// Scans and their proof.
pub mod scan {
    pub use crate::scan::{Feed, Poll, ScanEvent, SourceStatus, scan};
}

/// When sources are read.
pub mod schedule {
    pub use crate::schedule::ComputedTimers;
}

/// What there is, for who looks.
pub mod catalog {
    pub use crate::catalog::{Catalog, Outlook, PlanQuery};
}

/// The only writer.
pub mod pipeline {
    pub use crate::pipeline::{
        Command, Health, Inbox, Outputs, Parts, Pipeline, Settings, Watched, known,
    };
}

/// The daemon without its edges.
pub mod app {
    pub use crate::app::{ConfigFile, Core, Heartbeat, Plan, Wiring};
}
