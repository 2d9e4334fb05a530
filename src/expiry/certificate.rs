//! The model: one certificate as every provider is made to describe it.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// A point in time, in whole seconds since 1970-01-01T00:00:00Z.
///
/// X.509 times are whole seconds (RFC 5280 §4.1.2.5), so nothing is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Returns the time that is `seconds` after the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Returns the time that is `millis` after the epoch, rounded down to the second.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.div_euclid(1000))
    }

    /// Returns the seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// Returns the seconds from `earlier` until this time; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns this time moved by `seconds`.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

/// What a certificate is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Presented by a device.
    Device,
    /// Signs other certificates.
    Ca,
    /// Presented by a server.
    Server,
    /// Presented by a client that is not a device.
    Client,
}

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 4] = [Self::Device, Self::Ca, Self::Server, Self::Client];

    /// Returns the word used in configuration, metrics, the store and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Ca => "ca",
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    /// Returns the kind that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The state of a certificate. States are disjoint, so that sums over them mean something.
///
/// Expired is not a state: it is arithmetic, and holds in any state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// In use, or ready to be.
    Active,
    /// Known to the provider and switched off.
    Inactive,
    /// Waiting for activation or issue.
    Pending,
    /// Revoked by its issuer.
    Revoked,
    /// Replaced by a successor that is active and ends later.
    Superseded,
    /// Withdrawn by its owner: cancelled, refunded.
    Retired,
    /// The provider does not say when it ends.
    Undated,
}

impl Status {
    /// Every status, in the order of its number.
    pub const ALL: [Self; 7] = [
        Self::Active,
        Self::Inactive,
        Self::Pending,
        Self::Revoked,
        Self::Superseded,
        Self::Retired,
        Self::Undated,
    ];

    /// Returns the word used in metrics, the store and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Revoked => "revoked",
            Self::Superseded => "superseded",
            Self::Retired => "retired",
            Self::Undated => "undated",
        }
    }

    /// Returns the status that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Returns whether a certificate in this state may alert when its end comes near.
    pub const fn alerts(self) -> bool {
        matches!(self, Self::Active | Self::Inactive | Self::Pending)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One row as a provider reported it, in our units and words.
///
/// Its identity inside a source is (scope, place, issuer, serial), with the fingerprint where two certificates in one
/// place share all of these; the scope is known from where it was listed. `T` is how its texts are held: owned, or
/// borrowed from a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting<T = String> {
    /// Who signed it, in the provider's words; empty where the provider does not say.
    pub issuer: T,
    /// What names it under its issuer.
    pub serial: T,
    /// Where it was looked at: a path, an endpoint. Empty for providers that list certificates.
    pub place: T,
    /// The SHA-256 of its DER, where the source has that.
    pub fingerprint: Option<Fingerprint>,
    /// Whether another certificate in the same place has the same issuer and serial, so that only the fingerprint tells
    /// them apart. Of a certificate that is kept: whether the fingerprint is part of its identity, which it is for those
    /// that came later.
    pub collides: bool,
    /// What names the authority that signed it, as that authority has it in `signs`; empty when unknown.
    pub signer: T,
    /// What the certificates that it signed have in `signer`. Empty: its serial, where it is an authority.
    pub signs: T,
    /// What it is used for.
    pub kind: Kind,
    /// The provider's state, mapped. `Superseded` here means that the provider itself says so.
    pub status: Status,
    /// When it begins to be valid, if known.
    pub not_before: Option<Timestamp>,
    /// When it ends, if known. Unknown is never zero.
    pub not_after: Option<Timestamp>,
    /// Whether only the certificate itself says when it ends, and its provider's list does not: no filter by time finds it.
    pub end_unlisted: bool,
    /// The subject's common name.
    pub common_name: T,
    /// Who presents it: a client id, a device, a domain. Empty when unknown.
    pub holder: T,
    /// The organizational unit.
    pub unit: T,
    /// Every name it covers, where they are known. In a place, those of a certificate without alternative names, and of
    /// every authority, are its whole subject.
    pub names: Vec<T>,
    /// Serials of the certificates that the provider links as its renewal.
    pub successors: Vec<T>,
    /// Its labels, by name.
    pub labels: Vec<(T, T)>,
}

/// The SHA-256 of a certificate's DER.
pub type Fingerprint = [u8; 32];

impl Sighting {
    /// Returns one of which nothing else is known.
    pub const fn bare(kind: Kind, status: Status) -> Self {
        Self {
            issuer: String::new(),
            serial: String::new(),
            place: String::new(),
            fingerprint: None,
            collides: false,
            signer: String::new(),
            signs: String::new(),
            kind,
            status,
            not_before: None,
            not_after: None,
            end_unlisted: false,
            common_name: String::new(),
            holder: String::new(),
            unit: String::new(),
            names: Vec::new(),
            successors: Vec::new(),
            labels: Vec::new(),
        }
    }
}

impl<T> Sighting<T> {
    /// Returns the status with the rule that a certificate without a known end is undated.
    pub fn effective_status(&self) -> Status {
        if self.not_after.is_none() { Status::Undated } else { self.status }
    }

    /// Returns the same with its texts held otherwise.
    pub(super) fn map<'a, U>(&'a self, mut text: impl FnMut(&'a T) -> U) -> Sighting<U> {
        Sighting {
            issuer: text(&self.issuer),
            serial: text(&self.serial),
            place: text(&self.place),
            fingerprint: self.fingerprint,
            collides: self.collides,
            signer: text(&self.signer),
            signs: text(&self.signs),
            kind: self.kind,
            status: self.status,
            not_before: self.not_before,
            not_after: self.not_after,
            end_unlisted: self.end_unlisted,
            common_name: text(&self.common_name),
            holder: text(&self.holder),
            unit: text(&self.unit),
            names: self.names.iter().map(&mut text).collect(),
            successors: self.successors.iter().map(&mut text).collect(),
            labels: self.labels.iter().map(|(name, value)| (text(name), text(value))).collect(),
        }
    }
}

impl<T: AsRef<[u8]>> Sighting<T> {
    /// Returns a 64-bit digest of everything that is kept; equal digests mean that nothing is to be written.
    ///
    /// The digest is stored, so its definition never changes: XXH3-64 over every field, each closed by 0xFF, a byte that
    /// no UTF-8 text contains. Fields that came later add something only where they say something, so that no row is
    /// rewritten that has nothing of the kind.
    pub fn row_digest(&self) -> u64 {
        let mut fields = Vec::with_capacity(256);
        self.gather(&mut fields);
        xxh3_64(&fields)
    }

    /// Writes the fields one after another, issuer and serial first: a digest in one go is several times as fast as one
    /// in parts, and a scan makes millions.
    pub(super) fn gather(&self, fields: &mut Vec<u8>) {
        let mut field = |bytes: &[u8]| {
            fields.extend_from_slice(bytes);
            fields.push(0xFF);
        };
        field(self.issuer.as_ref());
        field(self.serial.as_ref());
        field(&[self.kind as u8, self.effective_status() as u8]);
        field(&time_bytes(self.not_before));
        field(&time_bytes(self.not_after));
        field(self.common_name.as_ref());
        field(self.holder.as_ref());
        field(self.unit.as_ref());
        self.names.iter().for_each(|name| field(name.as_ref()));
        field(&[]);
        self.successors.iter().for_each(|serial| field(serial.as_ref()));
        self.gather_later_fields(fields);
    }

    fn gather_later_fields(&self, fields: &mut Vec<u8>) {
        let mut field = |tag: u8, bytes: &[u8], says_something: bool| {
            if says_something {
                fields.extend_from_slice(&[LATER_FIELD, tag]);
                fields.extend_from_slice(bytes);
                fields.push(0xFF);
            }
        };
        let (signer, signs) = (self.signer.as_ref(), self.signs.as_ref());
        field(1, self.place.as_ref(), !self.place.as_ref().is_empty());
        field(2, signer, signer != self.issuer.as_ref());
        field(3, signs, !signs.is_empty() && signs != self.serial.as_ref());
        field(4, &self.fingerprint.unwrap_or_default(), self.fingerprint.is_some());
        field(5, &[], self.end_unlisted);
        for (name, value) in &self.labels {
            field(6, name.as_ref(), true);
            field(7, value.as_ref(), true);
        }
    }
}

/// Before a field that came later; no UTF-8 text contains it.
const LATER_FIELD: u8 = 0xFE;

fn time_bytes(time: Option<Timestamp>) -> [u8; 9] {
    let mut bytes = [0; 9];
    if let Some(time) = time {
        bytes[0] = 1;
        bytes[1..].copy_from_slice(&time.seconds().to_le_bytes());
    }
    bytes
}

/// One row that could not be understood: data, not a failure of the poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Why, from a closed list.
    pub reason: Reason,
    /// Which row: a serial, a path, a position. Never a secret.
    pub what: String,
}

/// Why a row was rejected. Closed, so that every reason has a counter from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A field that names the certificate is missing or empty.
    Unidentified,
    /// A time is written in a way that is neither a time nor a known way to say "none".
    BadTime,
    /// A field has another type than the contract says.
    BadField,
    /// A status that the contract does not know.
    UnknownStatus,
    /// A certificate that cannot be parsed.
    BadCertificate,
    /// A file or entry that cannot be read.
    Unreadable,
    /// A place that is named and not there.
    Missing,
    /// A row outside the slice that was asked for.
    OutsideSlice,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Unidentified,
        Self::BadTime,
        Self::BadField,
        Self::UnknownStatus,
        Self::BadCertificate,
        Self::Unreadable,
        Self::Missing,
        Self::OutsideSlice,
    ];

    /// Returns the metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unidentified => "unidentified",
            Self::BadTime => "bad_time",
            Self::BadField => "bad_field",
            Self::UnknownStatus => "unknown_status",
            Self::BadCertificate => "bad_certificate",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::OutsideSlice => "outside_slice",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stores hold these numbers: a change of any of them rewrites every certificate that is known.
    #[test]
    fn fingerprints_never_change() {
        let mut sighting = Sighting {
            issuer: "1b1e3bf3702110125887a3a721a7e66f05522513".to_owned(),
            serial: "0eef68a582b94254296e54ce754f94d707a59913".to_owned(),
            place: String::new(),
            fingerprint: None,
            collides: false,
            signer: "1b1e3bf3702110125887a3a721a7e66f05522513".to_owned(),
            signs: String::new(),
            kind: Kind::Device,
            status: Status::Active,
            not_before: Some(Timestamp::from_seconds(1_734_537_600)),
            not_after: Some(Timestamp::from_seconds(1_766_073_600)),
            end_unlisted: false,
            common_name: "tx".to_owned(),
            holder: "client-1".to_owned(),
            unit: String::new(),
            names: Vec::new(),
            successors: Vec::new(),
            labels: Vec::new(),
        };
        assert_eq!(sighting.row_digest(), 10_588_243_597_263_611_232);
        sighting.not_before = None;
        sighting.names = vec!["*.example.com".to_owned(); 40];
        sighting.successors = vec!["next".to_owned()];
        assert_eq!(sighting.row_digest(), 16_215_919_652_526_021_125);
        sighting.signs.clone_from(&sighting.serial);
        assert_eq!(
            sighting.row_digest(),
            16_215_919_652_526_021_125,
            "what an authority signs by default"
        );
    }
}
