//! Every kind of event, once: routes choose by these words, receivers of webhooks tell events apart by them, and each has
//! its words in both languages.

/// What an event says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A certificate crossed a rung before its end.
    CertificateExpiring,
    /// A certificate has ended.
    CertificateExpired,
    /// A certificate crossed a rung and is served still, although a newer one was issued.
    CertificateNotDeployed,
    /// Something took the place of a certificate that was notified.
    CertificateRenewed,
    /// A certificate that was notified is not there any more.
    CertificateGone,
    /// An authority ends before active certificates that it signed.
    CaEndsFirst,
    /// In a month ahead far more certificates end than were ever renewed in one.
    FleetCliff,
    /// Clients refuse what an endpoint serves.
    EndpointInvalid,
    /// An endpoint cannot be reached.
    EndpointUnreachable,
    /// It can again.
    EndpointReachable,
    /// A place cannot be read.
    PlaceUnreadable,
    /// It can again.
    PlaceReadable,
    /// A source has had no proven scan for too long.
    SourceStale,
    /// It has one again.
    SourceRecovered,
    /// Too much is missing at once to be believed.
    InventoryShrunk,
    /// What was missing is settled.
    InventoryRestored,
    /// A list leaves out what is there.
    InventoryContradicts,
    /// It leaves out nothing any more.
    InventoryConsistent,
    /// A channel cannot deliver.
    ChannelDown,
    /// It can again.
    ChannelUp,
    /// A message was given up.
    NotificationDead,
    /// The machine's clock cannot be trusted.
    ClockSuspect,
    /// A provider's clock differs.
    ClockOffset,
    /// The clock can be trusted again.
    ClockRecovered,
    /// How everything stands, once a day.
    DigestDaily,
    /// A certificate that does not exist travels the whole way, because somebody asked for it.
    Canary,
    /// A test that somebody asked for.
    Test,
}

/// The closed list.
pub const EVENT_KINDS: [EventKind; 27] = [
    EventKind::CertificateExpiring,
    EventKind::CertificateExpired,
    EventKind::CertificateNotDeployed,
    EventKind::CertificateRenewed,
    EventKind::CertificateGone,
    EventKind::CaEndsFirst,
    EventKind::FleetCliff,
    EventKind::EndpointInvalid,
    EventKind::EndpointUnreachable,
    EventKind::EndpointReachable,
    EventKind::PlaceUnreadable,
    EventKind::PlaceReadable,
    EventKind::SourceStale,
    EventKind::SourceRecovered,
    EventKind::InventoryShrunk,
    EventKind::InventoryRestored,
    EventKind::InventoryContradicts,
    EventKind::InventoryConsistent,
    EventKind::ChannelDown,
    EventKind::ChannelUp,
    EventKind::NotificationDead,
    EventKind::ClockSuspect,
    EventKind::ClockOffset,
    EventKind::ClockRecovered,
    EventKind::DigestDaily,
    EventKind::Canary,
    EventKind::Test,
];

impl EventKind {
    /// Returns the word used in configuration, webhooks and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CertificateExpiring => "certificate.expiring",
            Self::CertificateExpired => "certificate.expired",
            Self::CertificateNotDeployed => "certificate.not_deployed",
            Self::CertificateRenewed => "certificate.renewed",
            Self::CertificateGone => "certificate.gone",
            Self::CaEndsFirst => "ca.ends_first",
            Self::FleetCliff => "fleet.cliff",
            Self::EndpointInvalid => "endpoint.invalid",
            Self::EndpointUnreachable => "endpoint.unreachable",
            Self::EndpointReachable => "endpoint.reachable",
            Self::PlaceUnreadable => "place.unreadable",
            Self::PlaceReadable => "place.readable",
            Self::SourceStale => "source.stale",
            Self::SourceRecovered => "source.recovered",
            Self::InventoryShrunk => "inventory.shrunk",
            Self::InventoryRestored => "inventory.restored",
            Self::InventoryContradicts => "inventory.contradicts",
            Self::InventoryConsistent => "inventory.consistent",
            Self::ChannelDown => "channel.down",
            Self::ChannelUp => "channel.up",
            Self::NotificationDead => "notification.dead",
            Self::ClockSuspect => "clock.suspect",
            Self::ClockOffset => "clock.offset",
            Self::ClockRecovered => "clock.recovered",
            Self::DigestDaily => "digest.daily",
            Self::Canary => "canary",
            Self::Test => "test",
        }
    }

    /// Returns whether it is about notafter itself: what it sees, whom it reaches, what time it is.
    pub const fn is_about_notafter(self) -> bool {
        match self {
            Self::CertificateExpiring
            | Self::CertificateExpired
            | Self::CertificateNotDeployed
            | Self::CertificateRenewed
            | Self::CertificateGone
            | Self::CaEndsFirst
            | Self::FleetCliff
            | Self::EndpointInvalid
            | Self::EndpointUnreachable
            | Self::EndpointReachable => false,
            Self::PlaceUnreadable
            | Self::PlaceReadable
            | Self::SourceStale
            | Self::SourceRecovered
            | Self::InventoryShrunk
            | Self::InventoryRestored
            | Self::InventoryContradicts
            | Self::InventoryConsistent
            | Self::ChannelDown
            | Self::ChannelUp
            | Self::NotificationDead
            | Self::ClockSuspect
            | Self::ClockOffset
            | Self::ClockRecovered
            | Self::DigestDaily
            | Self::Canary
            | Self::Test => true,
        }
    }

    /// Returns the kind that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        EVENT_KINDS.into_iter().find(|kind| kind.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_word_is_its_own_and_leads_back() {
        let words: BTreeSet<_> = EVENT_KINDS.into_iter().map(EventKind::as_str).collect();
        assert_eq!(words.len(), EVENT_KINDS.len());
        for kind in EVENT_KINDS {
            assert_eq!(EventKind::from_word(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::from_word("certificate"), None);
    }
}
