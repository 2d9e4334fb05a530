//! When a certificate ends, read without a look at anything else in it: that costs a small part of reading it whole.

use x509_parser::asn1_rs::{Any, Class, Tag};
use x509_parser::certificate::Validity;
use x509_parser::prelude::FromDer;

use super::pem::{self, Block};
use crate::expiry::Timestamp;

/// Fields between the version and the validity: the serial number, the algorithm and the issuer.
const FIELDS_BEFORE: usize = 3;

/// Reads when the first certificate of a PEM text ends.
pub fn first_end_in_pem(text: &str) -> Option<Timestamp> {
    match pem::blocks(text).next()? {
        Block::Certificate(der) => end(&der),
        _ => None,
    }
}

fn end(der: &[u8]) -> Option<Timestamp> {
    let fields = content(content(der)?)?;
    let mut rest = without_version(fields)?;
    for _ in 0..FIELDS_BEFORE {
        (rest, _) = Any::from_der(rest).ok()?;
    }
    let (_, validity) = Validity::from_der(rest).ok()?;
    Some(Timestamp::from_seconds(validity.not_after.timestamp()))
}

/// Returns what the sequence at the beginning of `der` holds.
fn content(der: &[u8]) -> Option<&[u8]> {
    let (_, sequence) = Any::from_der(der).ok()?;
    (sequence.tag() == Tag::Sequence).then_some(sequence.data)
}

/// Skips the version, which those of the first version leave out.
fn without_version(fields: &[u8]) -> Option<&[u8]> {
    let (rest, first) = Any::from_der(fields).ok()?;
    Some(if first.class() == Class::ContextSpecific { rest } else { fields })
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

    use super::super::{facts, first_in_pem};
    use super::*;

    fn made(last_year: i32, adjust: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(last_year, 1, 8);
        adjust(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    /// Ends in both ways of writing a time, a long issuer, and an authority.
    static MADE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        vec![
            made(2035, |_| {}),
            made(2999, |params| params.serial_number = Some(vec![0xff; 20].into())),
            made(2049, |params| {
                params.distinguished_name.push(DnType::CommonName, "设".repeat(90));
            }),
            made(2050, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        ]
    });

    fn whole(der: &[u8]) -> Option<Timestamp> {
        facts(der).ok().map(|(facts, _)| facts.not_after)
    }

    fn pem(der: &[u8], wrap: &str) -> String {
        let lines: Vec<String> = STANDARD
            .encode(der)
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        format!(
            "-----BEGIN CERTIFICATE-----{wrap}{}{wrap}-----END CERTIFICATE-----",
            lines.join(wrap)
        )
    }

    #[test]
    fn the_end_is_the_one_that_the_whole_certificate_states() {
        for (der, year) in MADE.iter().zip([2035, 2999, 2049, 2050]) {
            let made = rcgen::date_time_ymd(year, 1, 8).unix_timestamp();
            for wrap in ["\n", "\r\n", ""] {
                let text = pem(der, wrap);
                let stated = first_in_pem(&text).map(|facts| facts.not_after);
                assert_eq!(stated, Some(Timestamp::from_seconds(made)));
                assert_eq!(first_end_in_pem(&text), stated, "{text}");
            }
        }
        assert_eq!(first_end_in_pem("nothing"), None);
        assert_eq!(
            first_end_in_pem("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"),
            None
        );
    }

    #[test]
    fn what_breaks_off_or_has_no_date_is_refused_as_it_is_by_the_whole_reader() {
        for der in MADE.iter() {
            for length in 0..der.len() {
                let part = der.get(..length).unwrap();
                assert_eq!((end(part), whole(part)), (None, None), "{length} of {}", der.len());
            }
        }
        let mut other = MADE[0].clone();
        let at = other.windows(6).position(|bytes| bytes == b"350108").unwrap();
        other[at..at + 6].copy_from_slice(b"351308");
        assert_eq!((end(&other), whole(&other)), (None, None));
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn a_changed_certificate_that_can_be_read_ends_when_it_says(
            which in any::<Index>(), changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4)
        ) {
            let mut der = which.get(&MADE).clone();
            for (at, byte) in changes {
                *at.get_mut(&mut der) = byte;
            }
            if let Some(stated) = whole(&der) {
                prop_assert_eq!(end(&der), Some(stated));
            }
        }

        #[test]
        fn whatever_the_bytes_an_end_is_read_or_refused(der in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(end(&der), None);
        }
    }
}
