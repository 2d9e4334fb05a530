//! The names of x509-certificate-exporter, for the rules and dashboards that its users have: certificates of files and
//! endpoints, with those of its labels that can be known.
//!
//! `serial_number` is decimal there. Whoever switches this on keeps alerts while moving; nothing of ours depends on it.

use std::io::{self, Write};

use num_bigint::BigUint;

use super::writer::{Family, Shape, Value, Writer, push_label};
use crate::expiry::{Facts, Timestamp, attribute_of};

macro_rules! families {
    ($($constant:ident, $name:literal, $help:literal;)*) => {
        $(const $constant: Family<'static> = Family { name: $name, shape: Shape::Gauge, help: $help };)*
    };
}

families! {
    NOT_BEFORE, "x509_cert_not_before", "When the certificate begins to be valid, in Unix seconds. Cached: as of the last poll.";
    NOT_AFTER, "x509_cert_not_after", "When the certificate expires, in Unix seconds. Cached: as of the last poll.";
    EXPIRED, "x509_cert_expired", "Whether the certificate has expired (1) or not (0).";
    EXPIRES_IN, "x509_cert_expires_in_seconds", "Seconds until the certificate expires, negative when it has.";
    READ_ERRORS, "x509_read_errors", "Places that could not be read or hold no certificate that can be, in the last poll of each source of files or endpoints.";
}

/// What is written of one certificate.
pub(super) struct Sample<'a> {
    /// Its labels, escaped.
    pub(super) labels: &'a str,
    pub(super) not_before: Option<Timestamp>,
    pub(super) not_after: Timestamp,
}

/// Returns the labels of a certificate that was looked at in a place.
pub(super) fn labels(facts: &Facts) -> Option<String> {
    if facts.place.is_empty() {
        return None;
    }
    let name = facts.place.rsplit('/').next().unwrap_or_default();
    let serial = BigUint::parse_bytes(facts.serial.as_bytes(), 16);
    let mut labels = String::new();
    push_label("filename", name, &mut labels);
    for (label, value) in [
        ("filepath", facts.place.as_str()),
        ("issuer_CN", &attribute_of(&facts.issuer, "CN")),
        ("serial_number", &serial.map(|serial| serial.to_string()).unwrap_or_default()),
        ("subject_CN", &facts.common_name),
    ] {
        labels.push(',');
        push_label(label, value, &mut labels);
    }
    Some(labels)
}

/// What is said of an end, now.
type OfEnd = fn(Timestamp, Timestamp) -> i64;

/// Writes the series of certificates.
pub(super) fn write<'a, W: Write, S: Iterator<Item = Sample<'a>>>(
    samples: impl Fn() -> S,
    now: Timestamp,
    out: &mut Writer<W>,
) -> io::Result<()> {
    out.family(NOT_BEFORE);
    for sample in samples() {
        if let Some(begin) = sample.not_before {
            out.prepared(&[sample.labels], Value::Int(begin.seconds()))?;
        }
    }
    let of_end: [(Family<'_>, OfEnd); 3] = [
        (NOT_AFTER, |end, _| end.seconds()),
        (EXPIRED, |end, now| i64::from(end <= now)),
        (EXPIRES_IN, Timestamp::since),
    ];
    for (family, value) in of_end {
        out.family(family);
        for sample in samples() {
            out.prepared(&[sample.labels], Value::Int(value(sample.not_after, now)))?;
        }
    }
    Ok(())
}

/// Writes how many places could not be read.
pub(super) fn write_errors<W: Write>(count: u64, out: &mut Writer<W>) -> io::Result<()> {
    out.family(READ_ERRORS);
    out.sample(&[], Value::Count(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::{Kind, Status};

    #[test]
    fn labels_are_those_that_its_users_know() {
        let facts = Facts {
            place: "/etc/ssl/a \"b\".pem".to_owned(),
            serial: "00ff00000000000000000000000000000000".to_owned(),
            issuer: "C=TR, O=E\\, F, CN=Root".to_owned(),
            common_name: "www.example.com".to_owned(),
            ..Facts::bare(Kind::Server, Status::Active)
        };
        let labels = labels(&facts).unwrap();
        let serial = "86772003564839308183160524895100893921280";
        assert_eq!(
            labels,
            format!(
                r#"filename="a \"b\".pem",filepath="/etc/ssl/a \"b\".pem",issuer_CN="Root",serial_number="{serial}",subject_CN="www.example.com""#
            )
        );
        let listed = Facts { place: String::new(), ..facts };
        assert_eq!(super::labels(&listed), None, "a provider's list is no file");
    }
}
