//! What may be said about a certificate.

use super::certificate::{Fingerprint, Kind, Sighting, Status, Timestamp};
use super::inventory::{id_of, identity_of};
use super::labels::Labels;
use super::ladder::Rung;
use super::ladders::Ladders;

/// What a message may say about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The source that reported it.
    pub source: String,
    /// The scope inside the source.
    pub scope: String,
    /// The issuer, in the provider's words.
    pub issuer: String,
    /// The serial.
    pub serial: String,
    /// Where it was looked at; empty where its provider lists certificates.
    pub place: String,
    /// The SHA-256 of its DER, where that is known.
    pub fingerprint: Option<Fingerprint>,
    /// Whether the fingerprint is part of its identity: another certificate in its place has its issuer and serial.
    pub collides: bool,
    /// What it is used for.
    pub kind: Kind,
    /// Its state.
    pub status: Status,
    /// The subject's common name.
    pub common_name: String,
    /// Who presents it.
    pub holder: String,
    /// The organizational unit.
    pub unit: String,
    /// When it begins to be valid.
    pub not_before: Option<Timestamp>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
    /// Its labels.
    pub labels: Labels,
}

impl Facts {
    /// Returns those of a certificate of which nothing else is known.
    pub fn bare(kind: Kind, status: Status) -> Self {
        Self::of(String::new(), String::new(), Sighting::bare(kind, status), status)
    }

    /// Returns what is known of a certificate from what its provider reported.
    pub fn of(source: String, scope: String, sighting: Sighting, status: Status) -> Self {
        Self {
            source,
            scope,
            issuer: sighting.issuer,
            serial: sighting.serial,
            place: sighting.place,
            fingerprint: sighting.fingerprint,
            collides: sighting.collides,
            kind: sighting.kind,
            status,
            common_name: sighting.common_name,
            holder: sighting.holder,
            unit: sighting.unit,
            not_before: sighting.not_before,
            not_after: sighting.not_after,
            labels: sighting.labels.into_iter().collect(),
        }
    }

    /// Returns what it is best called.
    pub fn name(&self) -> &str {
        let known = [&self.common_name, &self.holder, &self.serial];
        known.into_iter().find(|name| !name.is_empty()).map_or("", String::as_str)
    }

    /// Returns what a list calls it: its common name, the first of the names that it covers, who presents it, or its serial.
    pub fn called<'a>(&'a self, names: &'a [String]) -> &'a str {
        let first = names.first().map_or("", String::as_str);
        let known = [&self.common_name, first, &self.holder, &self.serial];
        known.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    }

    /// Returns the tightest rung that it has crossed, if it is one that alerts.
    pub fn rung(&self, ladders: &Ladders, now: Timestamp) -> Option<Rung> {
        let ladder = ladders.of(&self.source, &self.scope, self.kind, &self.issuer);
        let end = self.not_after.filter(|_| self.status.alerts())?;
        ladder.rung_at(end, self.lifetime(), now)
    }

    /// Returns for how many seconds it is valid in all, where that is known.
    pub fn lifetime(&self) -> Option<u32> {
        let lifetime = u32::try_from(self.not_after?.since(self.not_before?)).ok();
        lifetime.filter(|lifetime| *lifetime > 0)
    }

    /// Returns the certificate's id: the 128-bit digest of its identity, in hex.
    pub fn id(&self) -> String {
        let fingerprint = self.fingerprint.filter(|_| self.collides);
        let identity = identity_of(&self.issuer, &self.serial, &self.place, fingerprint);
        format!("{:032x}", id_of((&self.source, &self.scope), identity))
    }
}
