//! The certificates in the bytes of one file. Keys beside them are neither decoded nor kept.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::keystore::{self, Password};
use crate::x509::pem::{self, Block};
use crate::x509::{self, Facts, pkcs7};

const PEM_MARK: &[u8] = b"-----BEGIN ";

/// A length that is not stated, as BER allows after the tag of a sequence.
const INDEFINITE: &[u8] = &[0x30, 0x80];

/// Reads every certificate in `bytes`, in order; an error stands for an entry that cannot be read.
pub(super) fn entries(bytes: &[u8], password: Password<'_>) -> Vec<Result<Facts, String>> {
    if bytes.windows(PEM_MARK.len()).any(|window| window == PEM_MARK) {
        return pem_entries(bytes, password);
    }
    keystore::entries(bytes, password).unwrap_or_else(|| der_entries(bytes))
}

fn pem_entries(bytes: &[u8], password: Password<'_>) -> Vec<Result<Facts, String>> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => text_entries(text, password),
        // Comments in another character set made a copy, which may hold a key.
        Cow::Owned(text) => text_entries(&Zeroizing::new(text), password),
    }
}

fn text_entries(text: &str, password: Password<'_>) -> Vec<Result<Facts, String>> {
    pem::blocks(text)
        .flat_map(|block| match block {
            // What follows the certificate in a block is OpenSSL's trust settings.
            Block::Certificate(der) => vec![x509::facts(&der).map(|(facts, _)| facts)],
            Block::Pkcs7(der) => pkcs7_entries(&der),
            Block::Pkcs12(der) => keystore::entries(&der, password)
                .unwrap_or_else(|| vec![Err("PKCS#12 in PEM: it is damaged".to_owned())]),
            Block::Broken(why) => vec![Err(why.to_owned())],
            Block::Other => Vec::new(),
        })
        .collect()
}

fn pkcs7_entries(der: &[u8]) -> Vec<Result<Facts, String>> {
    if der.starts_with(INDEFINITE) {
        return vec![Err("PKCS#7 in BER: convert it with `openssl pkcs7 -print_certs`".to_owned())];
    }
    let facts = |one: &[u8]| x509::facts(one).map(|(facts, _)| facts);
    match pkcs7::certificates(der) {
        Ok(found) => found.into_iter().map(facts).collect(),
        Err(why) => vec![Err(why)],
    }
}

fn der_entries(bytes: &[u8]) -> Vec<Result<Facts, String>> {
    if pkcs7::is(bytes) {
        return pkcs7_entries(bytes);
    }
    if bytes.starts_with(INDEFINITE) {
        let text = "PKCS#7 or PKCS#12 in BER: export it in DER, or convert it with `openssl`";
        return vec![Err(text.to_owned())];
    }
    let mut entries = Vec::new();
    let mut rest = bytes;
    while entries.is_empty() || !rest.trim_ascii().is_empty() {
        match x509::facts(rest) {
            Ok((facts, after)) => {
                entries.push(Ok(facts));
                rest = after;
            }
            Err(error) => {
                entries.push(Err(format!("neither PEM nor DER: {error}")));
                break;
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    struct Made {
        pem: String,
        der: Vec<u8>,
        key: String,
    }

    fn made(name: &str) -> Made {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Made { pem: certificate.pem(), der: certificate.der().to_vec(), key: key.serialize_pem() }
    }

    /// Returns the common names, or `!` for a broken entry.
    fn names(bytes: &[u8]) -> Vec<String> {
        let name = |entry: Result<Facts, String>| {
            entry.map_or_else(|_| "!".to_owned(), |facts| facts.common_name)
        };
        entries(bytes, None).into_iter().map(name).collect()
    }

    /// As some tools write: the length of the outermost sequence is not stated, and two zeros end it.
    fn in_ber(der: &[u8]) -> Vec<u8> {
        let inside = crate::x509::der::content(der, 0x30).unwrap();
        [INDEFINITE, inside, &[0, 0]].concat()
    }

    #[test]
    fn what_is_written_in_ber_is_refused_by_name_with_what_to_do() {
        let pkcs7 = in_ber(include_bytes!("../../../tests/fixtures/keystores/both.p7b"));
        let pkcs12 = in_ber(include_bytes!("../../../tests/fixtures/keystores/modern.p12"));
        let either = "PKCS#7 or PKCS#12 in BER: export it in DER, or convert it with `openssl`";
        let why = |bytes: &[u8]| {
            let mut found = entries(bytes, Some(Ok("changeit")));
            (found.remove(0).unwrap_err(), found.len())
        };
        for bytes in [&pkcs7, &pkcs12] {
            assert_eq!(why(bytes), (either.to_owned(), 0));
        }
        let text = base64::engine::general_purpose::STANDARD.encode(&pkcs7);
        let pem = format!("-----BEGIN PKCS7-----\n{text}\n-----END PKCS7-----\n");
        let named = "PKCS#7 in BER: convert it with `openssl pkcs7 -print_certs`";
        assert_eq!(why(pem.as_bytes()), (named.to_owned(), 0));
    }

    #[test]
    fn a_keystore_in_pem_is_read_with_its_password_and_refused_by_name_without() {
        let der = include_bytes!("../../../tests/fixtures/keystores/modern.p12");
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let pem = format!("-----BEGIN PKCS12-----\n{text}\n-----END PKCS12-----\n");
        let opened = entries(pem.as_bytes(), Some(Ok("changeit")));
        assert!(!opened.is_empty() && opened.iter().all(Result::is_ok), "{opened:?}");
        let why = entries(pem.as_bytes(), None).remove(0).unwrap_err();
        assert!(why.starts_with("a keystore in PKCS#12: give its password"), "{why}");
        let damaged = "-----BEGIN PKCS12-----\nAQID\n-----END PKCS12-----\n";
        assert!(entries(damaged.as_bytes(), None).remove(0).unwrap_err().contains("damaged"));
    }

    #[test]
    fn finds_every_certificate_in_every_form() {
        let (a, b) = (made("a"), made("b"));
        let one_line = a.pem.replace('\n', "");
        let latin1 = [b"# G\xfcltig\n", a.pem.as_bytes()].concat();
        let cases: [(Vec<u8>, &[&str]); 13] = [
            (a.pem.clone().into_bytes(), &["a"]),
            (format!("{}{}", a.pem, b.pem).into_bytes(), &["a", "b"]),
            (format!("Certificate:\n  Data: x\n{}", a.pem).into_bytes(), &["a"]),
            (a.pem.replace('\n', "\r\n").into_bytes(), &["a"]),
            (one_line.into_bytes(), &["a"]),
            (format!("{}{}{}", a.pem, a.key, b.pem).into_bytes(), &["a", "b"]),
            (a.key.clone().into_bytes(), &[]),
            (latin1, &["a"]),
            (a.der.clone(), &["a"]),
            ([a.der.clone(), b.der.clone()].concat(), &["a", "b"]),
            ([a.der.clone(), b"\n".to_vec()].concat(), &["a"]),
            ([a.der.clone(), b"junk".to_vec()].concat(), &["a", "!"]),
            (b"hello".to_vec(), &["!"]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(names(&bytes), expected, "{}", String::from_utf8_lossy(&bytes));
        }
        assert_eq!(names(b""), ["!"]);
    }

    #[test]
    fn certificates_in_pkcs7_are_read_and_what_cannot_be_is_named() {
        let both = include_bytes!("../../../tests/fixtures/keystores/both.p7b");
        let expected = ["store.example", "authority.example"];
        assert_eq!(names(both), expected);
        let packed = base64::engine::general_purpose::STANDARD.encode(both);
        for label in ["PKCS7", "PKCS #7 SIGNED DATA"] {
            let text = format!("-----BEGIN {label}-----\n{packed}\n-----END {label}-----\n");
            assert_eq!(names(text.as_bytes()), expected);
        }
        let why = |bytes: &[u8]| entries(bytes, None).remove(0).unwrap_err();
        assert!(why(INDEFINITE).starts_with("PKCS#7 or PKCS#12 in BER"));
        assert!(why(&both[..40]).starts_with("neither PEM nor DER"));
    }

    #[test]
    fn a_broken_entry_spares_the_others() {
        let (a, b) = (made("a"), made("b"));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(names(format!("{}{broken}{}", a.pem, b.pem).as_bytes()), ["a", "!", "b"]);
        let cut: String = a.pem.chars().take(200).collect();
        assert_eq!(names(format!("{cut}\n{}", b.pem).as_bytes()), ["!", "b"]);
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(!entries(&bytes, None).is_empty());
        }

        #[test]
        fn a_damaged_certificate_never_panics(at in 0..400_usize, byte: u8) {
            let mut der = made("a").der;
            let at = at % der.len();
            der[at] = byte;
            prop_assert!(!entries(&der, None).is_empty());
        }
    }
}
