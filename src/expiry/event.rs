//! Something worth saying, once.

use super::absence::Accepted;
use super::certificate::Timestamp;
use super::digest::DailyDigest;
use super::endpoint::EndpointNews;
use super::event_kind::EventKind;
use super::facts::Facts;
use super::ladder::Rung;
use super::month::Month;

/// How much an event asks of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know; goes into the digest.
    Info,
    /// Act within days.
    Warning,
    /// Act now.
    Critical,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// Returns the word used in configuration, the store and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Returns the severity that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }
}

/// Another certificate for the same names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newer {
    /// Its source.
    pub source: String,
    /// Its place there, or its scope where the provider lists certificates.
    pub place: String,
    /// Its serial.
    pub serial: String,
    /// When it ends.
    pub not_after: Option<Timestamp>,
    /// Whether it is not known if it is deployed: its provider lists both and links neither to the other.
    pub deployment_unknown: bool,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A certificate crossed a rung; the rung `expired` included.
    Expiring {
        /// The certificate.
        facts: Facts,
        /// The tightest rung crossed.
        rung: Rung,
        /// For a CA: how many active certificates it has signed. They end with it.
        leaves: Option<u64>,
        /// A certificate for its names that ends later and is elsewhere, or not known to be deployed.
        newer: Option<Newer>,
        /// Whether it is served nowhere that is looked at, although endpoints of its names are.
        unserved: bool,
        /// For a CA that is in several places: how many. This is said of all of them.
        places: Option<u64>,
    },
    /// A certificate crossed a rung and is in use still, although a newer one for its names was issued.
    NotDeployed {
        /// The certificate; its place, if it has one, is where it is served.
        facts: Facts,
        /// The tightest rung crossed.
        rung: Rung,
        /// The one that should be served.
        newer: Newer,
        /// When that one began to be valid, if known.
        since: Option<Timestamp>,
        /// Where its provider uses it, of one that was not looked at in a place.
        bound: Vec<String>,
    },
    /// A certificate that was warned about has a successor.
    Renewed {
        /// The old certificate.
        facts: Facts,
        /// The serial of the successor, or of the certificate itself when its end moved.
        successor: String,
        /// When the successor ends.
        successor_not_after: Timestamp,
    },
    /// A certificate that was warned about is not there any more, and nothing took its place.
    Gone {
        /// The certificate.
        facts: Facts,
        /// Where another one for its names still is.
        elsewhere: Option<Newer>,
    },
    /// An authority ends before active certificates that it signed.
    EndsFirst {
        /// The authority.
        facts: Facts,
        /// How many end after it.
        leaves: u64,
        /// Where it is in several places: in how many. This is said of all of them.
        places: Option<u64>,
    },
    /// In a month ahead far more active certificates end than were ever renewed in one.
    FleetCliff {
        /// The source.
        source: String,
        /// The month.
        month: Month,
        /// How many end in it.
        ending: u64,
        /// The most that were renewed in one month so far.
        renewed: u64,
    },
    /// A source has had no proven scan for too long.
    SourceStale {
        /// The source.
        source: String,
        /// The last proven scan, if there ever was one.
        last_proven: Option<Timestamp>,
        /// The last error, if any. Never a secret.
        error: Option<String>,
    },
    /// The source has a proven scan again.
    SourceRecovered {
        /// The source.
        source: String,
    },
    /// A place cannot be read: what is known there is kept, and a change of it would not be seen.
    PlaceUnreadable {
        /// The source that looks at it.
        source: String,
        /// The place.
        place: String,
        /// What is wrong, and what to do.
        error: String,
    },
    /// The place is read again.
    PlaceReadable {
        /// The source that looks at it.
        source: String,
        /// The place.
        place: String,
    },
    /// An endpoint serves what clients refuse, cannot be reached, or can again.
    Endpoint {
        /// The source that connects to it.
        source: String,
        /// The endpoint.
        place: String,
        /// What is said of it.
        news: EndpointNews,
    },
    /// A scope shrank so much at once that removals are frozen.
    InventoryShrunk {
        /// The source.
        source: String,
        /// The scope.
        scope: String,
        /// How many certificates were known.
        known: u64,
        /// How many of them the provider did not list.
        missing: u64,
    },
    /// The frozen scope agrees with its provider again.
    InventoryRestored {
        /// The source.
        source: String,
        /// The scope.
        scope: String,
        /// What is gone for good, because two scans agree about it; `None` when it is listed again.
        accepted: Option<Accepted>,
    },
    /// A list leaves out certificates that are there when the provider is asked for them.
    InventoryContradicts {
        /// The source.
        source: String,
        /// The scope.
        scope: String,
        /// How many it leaves out.
        unlisted: u64,
    },
    /// The list leaves out nothing any more that is there.
    InventoryConsistent {
        /// The source.
        source: String,
        /// The scope.
        scope: String,
    },
    /// A channel cannot deliver. Said to the other channels.
    ChannelDown {
        /// The channel.
        channel: String,
        /// The service's word for it.
        code: String,
        /// What to do.
        hint: String,
    },
    /// A channel delivers again.
    ChannelUp {
        /// The channel.
        channel: String,
    },
    /// A message to a channel was given up. Said to the others.
    NotificationDead {
        /// The channel.
        channel: String,
        /// The service's word for it.
        code: String,
    },
    /// The machine's clock cannot be trusted, so nothing is evaluated.
    ClockSuspect {
        /// What is wrong with it.
        detail: String,
    },
    /// The clock can be trusted again.
    ClockRecovered,
    /// A provider's clock and ours differ by more than a minute.
    ClockOffset {
        /// The source whose provider differs.
        source: String,
        /// The provider's time minus ours, in seconds.
        seconds: i64,
    },
    /// How everything stands, once a day.
    DailyDigest(Box<DailyDigest>),
    /// A certificate that does not exist: somebody wants to know whether a message would arrive.
    Canary {
        /// What it would be.
        facts: Facts,
        /// The tightest rung that it crossed.
        rung: Rung,
    },
    /// A test that an operator asked for.
    Test,
}

/// Something worth saying, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Stays the same over retries and restarts.
    pub id: String,
    /// When it was decided.
    pub at: Timestamp,
    /// How much it asks of the reader.
    pub severity: Severity,
    /// What it is about.
    pub topic: Topic,
}

impl Topic {
    /// Returns the kind as receivers of the generic webhook see it.
    pub const fn kind(&self) -> &'static str {
        self.event_kind().as_str()
    }

    /// Returns the kind of what an event is about.
    pub const fn event_kind(&self) -> EventKind {
        match self {
            Self::Expiring { rung: Rung::Expired, .. } => EventKind::CertificateExpired,
            Self::Expiring { .. } => EventKind::CertificateExpiring,
            Self::NotDeployed { .. } => EventKind::CertificateNotDeployed,
            Self::Renewed { .. } => EventKind::CertificateRenewed,
            Self::Gone { .. } => EventKind::CertificateGone,
            Self::EndsFirst { .. } => EventKind::CaEndsFirst,
            Self::FleetCliff { .. } => EventKind::FleetCliff,
            Self::Endpoint { news: EndpointNews::Invalid(_), .. } => EventKind::EndpointInvalid,
            Self::Endpoint { news: EndpointNews::Unreachable { .. }, .. } => {
                EventKind::EndpointUnreachable
            }
            Self::Endpoint { news: EndpointNews::Reachable, .. } => EventKind::EndpointReachable,
            Self::PlaceUnreadable { .. } => EventKind::PlaceUnreadable,
            Self::PlaceReadable { .. } => EventKind::PlaceReadable,
            Self::SourceStale { .. } => EventKind::SourceStale,
            Self::SourceRecovered { .. } => EventKind::SourceRecovered,
            Self::InventoryShrunk { .. } => EventKind::InventoryShrunk,
            Self::InventoryRestored { .. } => EventKind::InventoryRestored,
            Self::InventoryContradicts { .. } => EventKind::InventoryContradicts,
            Self::InventoryConsistent { .. } => EventKind::InventoryConsistent,
            Self::ChannelDown { .. } => EventKind::ChannelDown,
            Self::ChannelUp { .. } => EventKind::ChannelUp,
            Self::NotificationDead { .. } => EventKind::NotificationDead,
            Self::ClockSuspect { .. } => EventKind::ClockSuspect,
            Self::ClockOffset { .. } => EventKind::ClockOffset,
            Self::ClockRecovered => EventKind::ClockRecovered,
            Self::DailyDigest(_) => EventKind::DigestDaily,
            Self::Canary { .. } => EventKind::Canary,
            Self::Test => EventKind::Test,
        }
    }

    /// Returns the certificate that it is about, if it is about one.
    pub const fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Expiring { facts, .. }
            | Self::NotDeployed { facts, .. }
            | Self::Renewed { facts, .. }
            | Self::Gone { facts, .. }
            | Self::EndsFirst { facts, .. }
            | Self::Canary { facts, .. } => Some(facts),
            _ => None,
        }
    }

    /// Returns the source that it is about, if it is about one.
    pub fn source(&self) -> Option<&str> {
        match self {
            Self::Expiring { facts, .. }
            | Self::NotDeployed { facts, .. }
            | Self::Renewed { facts, .. }
            | Self::Gone { facts, .. }
            | Self::EndsFirst { facts, .. }
            | Self::Canary { facts, .. } => Some(&facts.source),
            Self::FleetCliff { source, .. }
            | Self::SourceStale { source, .. }
            | Self::SourceRecovered { source }
            | Self::PlaceUnreadable { source, .. }
            | Self::PlaceReadable { source, .. }
            | Self::Endpoint { source, .. }
            | Self::InventoryShrunk { source, .. }
            | Self::InventoryRestored { source, .. }
            | Self::InventoryContradicts { source, .. }
            | Self::InventoryConsistent { source, .. }
            | Self::ClockOffset { source, .. } => Some(source),
            Self::ChannelDown { .. }
            | Self::ChannelUp { .. }
            | Self::NotificationDead { .. }
            | Self::ClockSuspect { .. }
            | Self::ClockRecovered
            | Self::DailyDigest(_)
            | Self::Test => None,
        }
    }
}

impl Event {
    /// Returns the kind as receivers of the generic webhook see it.
    pub const fn kind(&self) -> &'static str {
        self.topic.kind()
    }

    /// Returns whether it is for the digest only, as what is said of a certificate that is not in use: it goes out
    /// with other events, or when it has waited long for some.
    pub const fn is_for_the_digest(&self) -> bool {
        let is_rung = matches!(self.topic, Topic::Expiring { .. } | Topic::NotDeployed { .. });
        is_rung && matches!(self.severity, Severity::Info)
    }

    /// Returns whether it is about a certificate that does not exist.
    pub const fn is_canary(&self) -> bool {
        matches!(self.topic, Topic::Canary { .. })
    }

    /// Returns the daily digest, if it is one.
    pub const fn daily(&self) -> Option<&DailyDigest> {
        match &self.topic {
            Topic::DailyDigest(digest) => Some(digest),
            _ => None,
        }
    }

    /// Returns the certificate that the event is about, if it is about one.
    pub const fn facts(&self) -> Option<&Facts> {
        self.topic.facts()
    }

    /// Returns the source that the event is about, if it is about one.
    pub fn source(&self) -> Option<&str> {
        self.topic.source()
    }

    /// Returns what the event is about, in as few words as there are: what a certificate is called, a place, a source, a
    /// channel; empty where it is about the daemon.
    pub fn about(&self) -> &str {
        match &self.topic {
            Topic::PlaceUnreadable { place, .. }
            | Topic::PlaceReadable { place, .. }
            | Topic::Endpoint { place, .. } => place,
            Topic::ChannelDown { channel, .. }
            | Topic::ChannelUp { channel }
            | Topic::NotificationDead { channel, .. } => channel,
            Topic::DailyDigest(digest) => &digest.channel,
            _ => self.facts().map_or_else(|| self.source().unwrap_or_default(), Facts::name),
        }
    }
}
