//! The right to snooze one certificate once, in the link of a message about it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::client::hmac::hmac_sha256;
use crate::expiry::{Event, Timestamp, Topic};

/// A link is good for so many seconds after its message was composed.
const GOOD_FOR: i64 = 7 * 86_400;

/// The bytes of an id, and of all that is signed.
const ID: usize = 16;
const SIGNED: usize = 2 * ID + 8;

/// What links are signed with.
pub type LinkKey = [u8; 32];

/// The right to snooze one certificate once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The event in whose message the link is.
    pub event: String,
    /// The certificate's id.
    pub certificate: String,
    /// Until when the link is good.
    pub expires: Timestamp,
}

/// Why a link is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTicket {
    /// Nobody here has signed it.
    Wrong,
    /// It is too old.
    Expired,
}

impl Ticket {
    /// Returns the right to snooze what an event is about, in a message that is composed at `at`; `None` where nothing can be
    /// snoozed.
    pub fn of(event: &Event, at: Timestamp) -> Option<Self> {
        let (Topic::Expiring { facts, .. }
        | Topic::NotDeployed { facts, .. }
        | Topic::EndsFirst { facts, .. }) = &event.topic
        else {
            return None;
        };
        let (event, certificate) = (event.id.clone(), facts.id());
        Some(Self { event, certificate, expires: at.plus(GOOD_FOR) })
    }

    /// Returns the token of the link; `None` for an event of an earlier release, whose id is no digest.
    pub fn sign(&self, key: &LinkKey) -> Option<String> {
        let mut bytes = self.bytes()?;
        bytes.extend(hmac_sha256(key, &bytes));
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads the token of a link.
    pub fn read(token: &str, key: &LinkKey, now: Timestamp) -> Result<Self, BadTicket> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadTicket::Wrong)?;
        let (signed, mac) = bytes.split_at_checked(SIGNED).ok_or(BadTicket::Wrong)?;
        // Digests under the key are compared: how far two of them agree tells nothing.
        let right = hmac_sha256(key, &hmac_sha256(key, signed));
        if hmac_sha256(key, mac) != right {
            return Err(BadTicket::Wrong);
        }
        let ticket = Self::of_bytes(signed).ok_or(BadTicket::Wrong)?;
        if ticket.expires <= now { Err(BadTicket::Expired) } else { Ok(ticket) }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = hex::decode(&self.event).ok()?;
        bytes.extend(hex::decode(&self.certificate).ok()?);
        bytes.extend(self.expires.seconds().to_be_bytes());
        (bytes.len() == SIGNED).then_some(bytes)
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (event, rest) = bytes.split_at_checked(ID)?;
        let (certificate, expires) = rest.split_at_checked(ID)?;
        Some(Self {
            event: hex::encode(event),
            certificate: hex::encode(certificate),
            expires: Timestamp::from_seconds(i64::from_be_bytes(expires.try_into().ok()?)),
        })
    }
}

/// Returns what a token is called in the log.
pub fn token_hash(token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    hex::encode(digest.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expiry::{Rung, Severity, sample};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const KEY: LinkKey = [7; 32];

    fn event(id: &str) -> Event {
        let topic = Topic::Expiring {
            facts: sample::facts("a", 5),
            rung: Rung::Before(7 * 86_400),
            leaves: None,
            newer: None,
            unserved: false,
            places: None,
        };
        Event { id: id.to_owned(), at: NOW, severity: Severity::Warning, topic }
    }

    fn ticket() -> Ticket {
        Ticket::of(&event("00112233445566778899aabbccddeeff"), NOW).unwrap()
    }

    #[test]
    fn a_link_is_good_for_seven_days_and_under_its_own_key() {
        let token = ticket().sign(&KEY).unwrap();
        assert_eq!(token.len(), 96);
        let read = |token: &str, key, days: i64| Ticket::read(token, key, NOW.plus(days * 86_400));
        assert_eq!(read(&token, &KEY, 0), Ok(ticket()));
        assert_eq!(read(&token, &KEY, 6), Ok(ticket()));
        assert_eq!(read(&token, &KEY, 7), Err(BadTicket::Expired));
        assert_eq!(read(&token, &[8; 32], 0), Err(BadTicket::Wrong));
        for wrong in ["", "x", "=", &"A".repeat(96), token.split_at(90).0] {
            assert_eq!(read(wrong, &KEY, 0), Err(BadTicket::Wrong), "{wrong}");
        }
        assert!(!token_hash(&token).contains(token.split_at(8).0));
    }

    #[test]
    fn only_alerts_about_certificates_have_one() {
        let gone = Topic::Gone { facts: sample::facts("a", 5), elsewhere: None };
        assert_eq!(Ticket::of(&Event { topic: gone, ..event("e") }, NOW), None);
        assert_eq!(Ticket::of(&Event { topic: Topic::Test, ..event("e") }, NOW), None);
        let of_earlier = Ticket::of(&event("0193e4b0-7d00-7000-8000-000000000000"), NOW).unwrap();
        assert_eq!(of_earlier.sign(&KEY), None);
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn a_token_that_was_tampered_with_is_none(place in 0_usize..96, letter in "[A-Za-z0-9_-]") {
            let token = ticket().sign(&KEY).unwrap();
            let mut other = token.clone();
            other.replace_range(place..=place, &letter);
            prop_assume!(other != token);
            prop_assert_eq!(Ticket::read(&other, &KEY, NOW), Err(BadTicket::Wrong));
        }
    }
}
