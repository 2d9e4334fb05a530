//! A certificate as programs get it: one object, in JSON and as a line of CSV.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, Datelike as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::catalog::Entry;
use crate::expiry::text::printable;
use crate::expiry::{Facts, Ladders, Rung, Timestamp};
use crate::store::Kept;

/// A certificate. What is not known is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// The digest of its identity: 32 hexadecimal digits, which stay the same for as long as it is known.
    #[schema(min_length = 32, max_length = 32, pattern = "^[0-9a-f]{32}$")]
    pub id: String,
    /// The source that reported it.
    pub source: String,
    /// The scope inside the source.
    pub scope: String,
    /// Where it was looked at; empty where its provider lists certificates.
    pub place: String,
    /// The issuer, in the provider's words; empty where it names none.
    pub issuer: String,
    /// What names it under its issuer.
    pub serial: String,
    /// The SHA-256 of its DER, in hexadecimal digits.
    #[schema(required)]
    pub fingerprint: Option<String>,
    /// What it is used for.
    #[schema(pattern = "^(device|ca|server|client)$")]
    pub kind: String,
    /// Its state. Expired is none: whatever the state, that follows from `not_after`.
    #[schema(pattern = "^(active|inactive|pending|revoked|superseded|retired|undated)$")]
    pub status: String,
    /// The subject's common name.
    #[schema(required)]
    pub common_name: Option<String>,
    /// Who presents it.
    #[schema(required)]
    pub holder: Option<String>,
    /// The organizational unit.
    #[schema(required)]
    pub organizational_unit: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it begins to be valid.
    #[schema(required, format = DateTime)]
    pub not_before: Option<String>,
    /// When it expires.
    #[schema(required, format = DateTime)]
    pub not_after: Option<String>,
    /// Seconds until it expires; negative once it has.
    #[schema(required)]
    pub remaining_seconds: Option<i64>,
    /// The tightest rung of its ladder that it has crossed, if it is one that alerts.
    #[schema(required)]
    pub rung: Option<String>,
    /// When it was first seen.
    #[schema(required, format = DateTime)]
    pub first_seen: Option<String>,
    /// Until when nothing is said of it.
    #[schema(required, format = DateTime)]
    pub snoozed_until: Option<String>,
    /// The id of the certificate that took its place.
    #[schema(required)]
    pub successor: Option<String>,
}

/// The columns of CSV, which are the fields of the object.
const HEADER: [&str; 20] = [
    "id",
    "source",
    "scope",
    "place",
    "issuer",
    "serial",
    "fingerprint",
    "kind",
    "status",
    "common_name",
    "holder",
    "organizational_unit",
    "labels",
    "not_before",
    "not_after",
    "remaining_seconds",
    "rung",
    "first_seen",
    "snoozed_until",
    "successor",
];

impl Certificate {
    /// Returns the object of a certificate of which nothing but these facts is known.
    pub fn of_facts(facts: &Facts, now: Timestamp) -> Self {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            id: facts.id(),
            source: facts.source.clone(),
            scope: facts.scope.clone(),
            place: facts.place.clone(),
            issuer: facts.issuer.clone(),
            serial: facts.serial.clone(),
            fingerprint: facts.fingerprint.as_ref().map(hex::encode),
            kind: facts.kind.as_str().to_owned(),
            status: facts.status.as_str().to_owned(),
            common_name: text(&facts.common_name),
            holder: text(&facts.holder),
            organizational_unit: text(&facts.unit),
            labels: facts.labels.clone(),
            not_before: facts.not_before.and_then(rfc3339),
            not_after: facts.not_after.and_then(rfc3339),
            remaining_seconds: facts.not_after.map(|end| end.since(now)),
            rung: None,
            first_seen: None,
            snoozed_until: None,
            successor: None,
        }
    }

    /// Returns the object of what is kept of a certificate. What took its place is not known from that.
    pub fn of_kept(kept: &Kept, ladder: &Ladders, now: Timestamp) -> Self {
        Self {
            rung: kept.facts.rung(ladder, now).as_ref().map(Rung::as_label),
            first_seen: rfc3339(kept.first_seen),
            ..Self::of_facts(&kept.facts, now)
        }
    }

    /// Returns the object of a certificate that is known.
    pub fn of(entry: &Entry, now: Timestamp) -> Self {
        Self {
            rung: entry.rung.as_ref().map(Rung::as_label),
            first_seen: rfc3339(entry.first_seen),
            snoozed_until: entry.snoozed_until.and_then(rfc3339),
            successor: entry.successor.clone(),
            ..Self::of_facts(&entry.facts, now)
        }
    }

    fn cells(&self) -> [String; HEADER.len()] {
        let known = |value: &Option<String>| value.clone().unwrap_or_default();
        let named = |value: &Option<String>| value.as_deref().map(cell).unwrap_or_default();
        let labels = self.labels.iter().map(|(name, value)| format!("{name}={value}"));
        [
            self.id.clone(),
            cell(&self.source),
            cell(&self.scope),
            cell(&self.place),
            cell(&self.issuer),
            cell(&self.serial),
            known(&self.fingerprint),
            self.kind.clone(),
            self.status.clone(),
            named(&self.common_name),
            named(&self.holder),
            named(&self.organizational_unit),
            cell(&labels.collect::<Vec<_>>().join("; ")),
            known(&self.not_before),
            known(&self.not_after),
            self.remaining_seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
            known(&self.rung),
            known(&self.first_seen),
            known(&self.snoozed_until),
            known(&self.successor),
        ]
    }
}

/// Writes the header of CSV (RFC 4180) that is safe to open in a spreadsheet.
pub fn csv_header(out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADER)?;
    writer.flush()
}

/// Writes a line for each certificate. What is not known is an empty cell.
pub fn csv_rows(rows: &[Certificate], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    for row in rows {
        writer.write_record(row.cells())?;
    }
    writer.flush()
}

/// Returns a time as RFC 3339 has it, in UTC; `None` beyond its years.
pub(super) fn rfc3339(at: Timestamp) -> Option<String> {
    let time = DateTime::from_timestamp(at.seconds(), 0)?;
    let known = (0..=9999).contains(&time.year());
    known.then(|| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Spreadsheets run cells that begin like a formula (OWASP, CSV injection); an apostrophe keeps them text.
pub fn cell(text: &str) -> String {
    let escape = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = printable(text);
    if escape { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::{Kind, Status};

    #[test]
    fn the_columns_of_csv_are_the_fields_of_the_object_in_their_order() {
        let facts = Facts::bare(Kind::Ca, Status::Active);
        let object =
            serde_json::to_string(&Certificate::of_facts(&facts, Timestamp::from_seconds(0)));
        let object = object.unwrap();
        let places: Vec<_> =
            HEADER.iter().map(|name| object.find(&format!("\"{name}\":")).unwrap()).collect();
        assert!(places.is_sorted(), "{object}");
        assert_eq!(object.matches("\":").count(), HEADER.len());
    }

    #[test]
    fn a_time_that_no_calendar_has_is_unknown() {
        for (seconds, expected) in [
            (0, Some("1970-01-01T00:00:00Z")),
            (253_402_300_799, Some("9999-12-31T23:59:59Z")),
            (253_402_300_800, None),
            (i64::MIN, None),
        ] {
            assert_eq!(rfc3339(Timestamp::from_seconds(seconds)).as_deref(), expected);
        }
    }
}
