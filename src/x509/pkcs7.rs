//! Certificates in PKCS#7 (RFC 2315, RFC 5652): what stands beside them, signatures and revocation lists, is passed over.

use super::der::{self, CONTEXT_0, OID, SEQUENCE};

/// 1.2.840.113549.1.7.2, signed data: what holds certificates.
const SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];

/// 1.2.840.113549.1.7, the arc of every content type of PKCS#7.
const PKCS7: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07];

/// Returns whether `bytes` are PKCS#7 rather than a certificate.
pub fn is(bytes: &[u8]) -> bool {
    let kind = der::content(bytes, SEQUENCE).and_then(|inside| der::content(inside, OID));
    kind.is_some_and(|kind| kind.starts_with(PKCS7))
}

/// Returns the certificates in `bytes`, each as DER.
pub fn certificates(bytes: &[u8]) -> Result<Vec<&[u8]>, String> {
    let signed = signed_data(bytes).ok_or("PKCS#7 that holds no certificates")?;
    // Version, digests and content come before: the set of certificates is the first with its tag.
    let set = der::all(signed).find(|element| element.tag == CONTEXT_0);
    let set = set.ok_or("PKCS#7 without certificates")?;
    let certificates = der::all(set.content).filter(|element| element.tag == SEQUENCE);
    Ok(certificates.map(|element| element.whole).collect())
}

fn signed_data(bytes: &[u8]) -> Option<&[u8]> {
    let (kind, rest) = der::first(der::content(bytes, SEQUENCE)?)?;
    let is_signed = kind.tag == OID && kind.content == SIGNED_DATA;
    der::content(rest, CONTEXT_0)
        .filter(|_| is_signed)
        .and_then(|content| der::content(content, SEQUENCE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: &[u8] = include_bytes!("../../tests/fixtures/keystores/both.p7b");

    #[test]
    fn certificates_of_a_bundle_in_order() {
        assert!(is(BOTH));
        let serials = certificates(BOTH).unwrap().into_iter();
        let serials = serials.map(|one| super::super::facts(one).unwrap().0.serial);
        assert_eq!(serials.collect::<Vec<_>>(), ["0a", "0b"]);
        assert!(!is(&[SEQUENCE, 0]));
        assert!(certificates(&[SEQUENCE, 0]).is_err());
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn a_damaged_bundle_never_panics(at in 0..BOTH.len(), byte in any::<u8>(), length in 0..BOTH.len()) {
            let mut damaged = BOTH.to_vec();
            damaged[at] = byte;
            for bytes in [&damaged[..], &damaged[..length]] {
                if let Ok(found) = certificates(bytes) {
                    prop_assert!(found.iter().map(|one| one.len()).sum::<usize>() <= bytes.len());
                }
            }
        }
    }
}
