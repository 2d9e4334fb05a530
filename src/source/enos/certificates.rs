//! The certificates of one device: <https://support.enos-iot.com/docs/connection-api/en/2.1.0/list_cert.html>.
//!
//! Several rows are history: at most one is meant to be valid.

use serde_json::Value;

use super::devices::Device;
use crate::client::time;
use crate::expiry::{
    Kind, Reason, Rejected, Sighting, Status, Timestamp, attribute_of, listed_digest,
};
use crate::x509;

const VALID: i64 = 0;
const REVOKED: i64 = 1;
const EXPIRED: i64 = 2;

/// Turns the rows of one device into sightings and what could not be understood of them.
pub(super) fn sightings(device: &Device, rows: &[Value]) -> (Vec<Sighting>, Vec<Rejected>) {
    let rows: Vec<Row<'_>> = rows.iter().map(Row::read).collect();
    let valid = rows.iter().filter(|row| row.status == Some(VALID)).count();
    if valid > 1 {
        tracing::warn!(device = %device.name(), valid, "more than one certificate of a device is valid");
    }
    let mut rejected = Vec::new();
    let mut seen = Vec::new();
    for row in &rows {
        let Some(serial) = row.serial() else {
            let what = format!("a certificate of {}", device.name());
            rejected.push(Rejected { reason: Reason::Unidentified, what });
            continue;
        };
        let mut reject = |reason| rejected.push(Rejected { reason, what: serial.clone() });
        if !row.is_sound() {
            // What is known of it stays, and the scan is not whole.
            reject(Reason::BadField);
            continue;
        }
        if row.end.is_err() || row.time(&["effetiveDate", "effectiveDate"]).is_err() {
            reject(Reason::BadTime);
        }
        let status = status(row, &rows).unwrap_or_else(|| {
            reject(Reason::UnknownStatus);
            // A certificate must not fall silent because of a number that we do not know.
            Status::Active
        });
        seen.push(sighting(device, row, serial, status));
    }
    (seen, rejected)
}

/// Returns the digests of those certificates whose state is a number that we do not know.
pub(super) fn unknown_status<'a>(
    seen: &'a [Sighting],
    rejected: &'a [Rejected],
) -> impl Iterator<Item = u64> + 'a {
    let unknown = rejected.iter().filter(|rejected| rejected.reason == Reason::UnknownStatus);
    let sightings = unknown.flat_map(move |rejected| {
        let what = &rejected.what;
        seen.iter().filter(move |one| one.serial == *what)
    });
    sightings.map(|one| listed_digest(one.issuer.as_bytes(), one.serial.as_bytes()))
}

struct Row<'a> {
    fields: &'a Value,
    status: Option<i64>,
    /// When it ends, if the row says so in a way that makes sense.
    end: Result<Option<Timestamp>, time::NotATime>,
}

impl<'a> Row<'a> {
    fn read(fields: &'a Value) -> Self {
        let mut row = Self {
            fields,
            status: fields.get("certStatus").and_then(Value::as_i64),
            end: Ok(None),
        };
        row.end = row.time(&["expireDate"]);
        // The content of `cert` is not documented; samples repeat the serial there.
        if !matches!(row.end, Ok(Some(_)))
            && let Some(end) = x509::first_end_in_pem(row.text("cert"))
        {
            row.end = Ok(Some(end));
        }
        row
    }

    /// Returns whether the row can be believed: its status is a number, or there is none and the row says something
    /// else.
    fn is_sound(&self) -> bool {
        match self.fields.get("certStatus") {
            None | Some(Value::Null) => {
                matches!(self.end, Ok(Some(_))) || !self.text("subject").is_empty()
            }
            Some(status) => status.is_i64() || status.is_u64(),
        }
    }

    fn text(&self, name: &str) -> &'a str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default().trim()
    }

    /// A string here and a number in the API that renews.
    fn serial(&self) -> Option<String> {
        match self.fields.get("certSN")? {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Reads the first of `names` that is there. The start of validity is spelt wrongly on the wire.
    fn time(&self, names: &[&str]) -> Result<Option<Timestamp>, time::NotATime> {
        match names.iter().find_map(|name| self.fields.get(name)) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => time::millis(value.as_i64().ok_or(time::NotATime)?),
        }
    }
}

/// Expiry is our own arithmetic: an expired row is history when the device has a valid one or a later one.
fn status(row: &Row<'_>, rows: &[Row<'_>]) -> Option<Status> {
    match row.status? {
        REVOKED => Some(Status::Revoked),
        EXPIRED if rows.iter().any(|other| replaces(other, row)) => Some(Status::Superseded),
        VALID | EXPIRED => Some(Status::Active),
        _ => None,
    }
}

fn replaces(other: &Row<'_>, row: &Row<'_>) -> bool {
    let end = |row: &Row<'_>| row.end.ok().flatten();
    other.status == Some(VALID) || (other.status == Some(EXPIRED) && end(other) > end(row))
}

fn sighting(device: &Device, row: &Row<'_>, serial: String, status: Status) -> Sighting {
    let begin = row.time(&["effetiveDate", "effectiveDate"]);
    let subject = row.text("subject");
    Sighting {
        issuer: row.text("issueAuthority").to_owned(),
        serial,
        place: String::new(),
        fingerprint: None,
        collides: false,
        signer: row.text("issueAuthority").to_owned(),
        signs: String::new(),
        kind: Kind::Device,
        status,
        not_before: begin.ok().flatten(),
        not_after: row.end.ok().flatten(),
        end_unlisted: false,
        common_name: attribute_of(subject, "CN"),
        holder: device.name(),
        unit: attribute_of(subject, "OU"),
        names: Vec::new(),
        successors: Vec::new(),
        labels: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn device() -> Device {
        Device { product_key: "pk".into(), device_key: "dk".into(), ..Device::default() }
    }

    type Told = (Vec<(String, Status, Option<i64>)>, Vec<Reason>);

    fn read(rows: &Value) -> Told {
        let (seen, rejected) = sightings(&device(), rows.as_array().unwrap());
        (
            seen.into_iter()
                .map(|seen| (seen.serial, seen.status, seen.not_after.map(Timestamp::seconds)))
                .collect(),
            rejected.into_iter().map(|rejected| rejected.reason).collect(),
        )
    }

    #[test]
    fn reads_the_vendors_sample() {
        let path =
            format!("{}/tests/fixtures/enos/ListCertificate.json", env!("CARGO_MANIFEST_DIR"));
        let body: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let (seen, rejected) = sightings(&device(), body["data"].as_array().unwrap());
        assert_eq!(rejected, []);
        let shown: Vec<_> = seen.iter().map(|seen| (seen.serial.as_str(), seen.status)).collect();
        assert_eq!(
            shown,
            [("52725", Status::Revoked), ("52726", Status::Active), ("52727", Status::Superseded)]
        );
        assert_eq!(
            seen[1],
            Sighting {
                issuer: "ECC".into(),
                serial: "52726".into(),
                place: String::new(),
                fingerprint: None,
                collides: false,
                signer: "ECC".into(),
                signs: String::new(),
                kind: Kind::Device,
                status: Status::Active,
                not_before: Some(Timestamp::from_seconds(1_581_218_161)),
                not_after: Some(Timestamp::from_seconds(1_582_082_161)),
                end_unlisted: false,
                common_name: "yPI9z8z".into(),
                holder: "pk/dk".into(),
                unit: "EnOS".into(),
                names: vec![],
                successors: vec![],
                labels: vec![],
            }
        );
    }

    fn row(serial: &str, status: i64, end: i64) -> Value {
        json!({"certSN": serial, "certStatus": status, "expireDate": end * 1000})
    }

    #[test]
    fn history() {
        use Status::{Active, Revoked, Superseded};
        let (early, late) = (1_581_000_000, 1_582_000_000);
        let statuses = |rows: Value| -> Vec<Status> {
            read(&rows).0.into_iter().map(|(_, status, _)| status).collect()
        };
        for (rows, expected) in [
            (json!([row("1", 0, early)]), vec![Active]),
            // No valid row is left: the one that ended last still speaks.
            (json!([row("1", 2, early)]), vec![Active]),
            (json!([row("1", 2, early), row("2", 2, late)]), vec![Superseded, Active]),
            (json!([row("1", 2, late), row("2", 0, early)]), vec![Superseded, Active]),
            (json!([row("1", 2, early), row("2", 1, late)]), vec![Active, Revoked]),
            (json!([row("1", 0, early), row("2", 0, late)]), vec![Active, Active]),
        ] {
            assert_eq!(statuses(rows.clone()), expected, "{rows}");
        }
    }

    #[test]
    fn the_certificate_whose_status_is_unknown_is_named() {
        let rows = json!([
            {"certSN": "1", "certStatus": 0, "expireDate": 1_582_082_161_000_i64},
            {"certSN": "2", "certStatus": 9, "expireDate": 1_582_082_161_000_i64, "issueAuthority": "ca"},
        ]);
        let (seen, rejected) = sightings(&device(), rows.as_array().unwrap());
        let unknown: Vec<_> = unknown_status(&seen, &rejected).collect();
        assert_eq!(unknown, [listed_digest(b"ca", b"2")]);
    }

    #[test]
    fn odd_rows() {
        for (change, end, reasons) in [
            (json!({"certSN": 52726}), Some(1_582_082_161), vec![]),
            (json!({"expireDate": 0}), None, vec![]),
            (json!({"expireDate": null}), None, vec![]),
            (json!({"expireDate": "1582082161000"}), None, vec![Reason::BadTime]),
            (json!({"expireDate": 1_582_082_161}), None, vec![Reason::BadTime]),
            (json!({"effetiveDate": 365}), Some(1_582_082_161), vec![Reason::BadTime]),
            (json!({"certStatus": 9}), Some(1_582_082_161), vec![Reason::UnknownStatus]),
        ] {
            let mut row =
                json!({"certSN": "52726", "certStatus": 0, "expireDate": 1_582_082_161_000_i64});
            for (name, value) in change.as_object().unwrap() {
                row[name] = value.clone();
            }
            let expected = (vec![("52726".to_owned(), Status::Active, end)], reasons);
            assert_eq!(read(&json!([row])), expected, "{change}");
        }
        for serial in [json!(null), json!(""), json!([])] {
            assert_eq!(read(&json!([{"certSN": serial}])), (vec![], vec![Reason::Unidentified]));
        }
        assert_eq!(read(&json!(["not an object"])), (vec![], vec![Reason::Unidentified]));
    }

    #[test]
    fn rows_that_cannot_be_believed_are_rejected() {
        for row in [
            json!({"certSN": "1"}),
            json!({"certSN": "1", "certStatus": null, "expireDate": null, "subject": null}),
            json!({"certSN": "1", "certStatus": ["ACTIVE"], "expireDate": 1_582_082_161_000_i64}),
        ] {
            assert_eq!(read(&json!([row])), (vec![], vec![Reason::BadField]), "{row}");
        }
    }

    #[test]
    fn both_spellings_of_the_beginning() {
        for name in ["effetiveDate", "effectiveDate"] {
            let (seen, _) = sightings(
                &device(),
                &[json!({"certSN": "1", "certStatus": 0, name: 1_581_218_161_000_i64})],
            );
            assert_eq!(seen[0].not_before, Some(Timestamp::from_seconds(1_581_218_161)), "{name}");
        }
    }

    #[test]
    fn a_missing_end_is_read_from_the_certificate() {
        let mut params = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2035, 1, 8);
        let pem = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
        let rows = json!([{"certSN": "1", "certStatus": 0, "cert": pem}]);
        assert_eq!(read(&rows), (vec![("1".into(), Status::Active, Some(2_051_827_200))], vec![]));
    }
}
