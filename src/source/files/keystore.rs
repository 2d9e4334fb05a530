//! Certificates in keystores. What is secret in them is dropped as soon as it is unpacked, or not looked at at all.
//!
//! JKS is read here: its certificates lie open, and the crate for it makes room for whatever a damaged length says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use memchr::memmem;
use p12_keystore::Pkcs12Archive;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use crate::x509::der::{self, INTEGER, SEQUENCE};
use crate::x509::{self, Facts};

/// The password of the keystores, or why it cannot be had; `None`: none is configured.
pub(super) type Password<'a> = Option<Result<&'a str, &'a String>>;

/// Unpacks the certificates of a keystore, each as DER.
type Open = fn(&[u8], &str) -> Result<Vec<Vec<u8>>, String>;

/// A keystore with more in it takes longer to open than anything that is read should.
const LARGEST_PKCS12: usize = 1 << 20;

/// Encrypted parts that one PKCS#12 may have: each may ask for a million rounds.
const MOST_PARTS: usize = 32;

/// 1.2.840.113549.1.12.1 and 1.2.840.113549.1.5.13, as they begin a way to encrypt by password.
const BY_PASSWORD: [&[u8]; 2] = [
    &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x01],
    &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, 0x0D],
];

/// 1.3.6.1.4.1.11591.4.11, scrypt: it may ask for a gigabyte.
const SCRYPT: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x04, 0x0B];

/// Reads every certificate, if `bytes` are a keystore.
pub(super) fn entries(bytes: &[u8], password: Password<'_>) -> Option<Vec<Result<Facts, String>>> {
    let (format, open): (_, Open) = match bytes {
        [0xFE, 0xED, 0xFE, 0xED, ..] => ("JKS", jks),
        [0xCE, 0xCE, 0xCE, 0xCE, ..] => ("JCEKS", jks),
        _ if is_pkcs12(bytes) => ("PKCS#12", pkcs12),
        _ => return None,
    };
    let opened = match password {
        None => Err("give its password with `password = { credential = \"…\" }`".to_owned()),
        Some(Err(why)) => Err(why.clone()),
        Some(Ok(password)) => open(bytes, password),
    };
    let of = |der: Vec<u8>| x509::facts(&der).map(|(facts, _)| facts);
    Some(match opened {
        Ok(found) => found.into_iter().map(of).collect(),
        Err(why) => vec![Err(format!("a keystore in {format}: {why}"))],
    })
}

/// Returns whether this is a PFX: a sequence that begins with the version 3, where a certificate has a sequence.
fn is_pkcs12(bytes: &[u8]) -> bool {
    der::content(bytes, SEQUENCE).and_then(|inside| der::content(inside, INTEGER)) == Some(&[3])
}

fn pkcs12(bytes: &[u8], password: &str) -> Result<Vec<Vec<u8>>, String> {
    let parts: usize = BY_PASSWORD.iter().map(|way| memmem::find_iter(bytes, way).count()).sum();
    if bytes.len() > LARGEST_PKCS12 || parts > MOST_PARTS {
        return Err("larger than any that is opened".to_owned());
    }
    if memmem::find(bytes, SCRYPT).is_some() {
        return Err("encrypted by scrypt, which is not supported: export it anew".to_owned());
    }
    // A young crate: what it cannot bear must not keep other files from being read.
    let opened = catch_unwind(AssertUnwindSafe(|| Pkcs12Archive::from_pkcs12(bytes, password)));
    let archive = opened
        .map_err(|_| "it cannot be understood".to_owned())?
        .map_err(|error| format!("the password does not fit, or it is damaged: {error}"))?;
    Ok(archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect())
}

/// Reads the certificates of a JKS or JCEKS. Encrypted keys are passed over.
fn jks(bytes: &[u8], password: &str) -> Result<Vec<Vec<u8>>, String> {
    let damaged = || "it is damaged".to_owned();
    let (body, seal) = bytes.split_last_chunk::<20>().ok_or_else(damaged)?;
    if sealed(body, password) != *seal {
        return Err("the password does not fit, or it is damaged".to_owned());
    }
    let found = Jks { rest: body.get(4..).unwrap_or_default() }.certificates();
    found.ok_or_else(|| "it holds something else than keys and certificates".to_owned())
}

/// Returns what closes a keystore whose password is this.
fn sealed(body: &[u8], password: &str) -> [u8; 20] {
    let mut seal = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    password.encode_utf16().for_each(|unit| seal.update(&unit.to_be_bytes()));
    seal.update(b"Mighty Aphrodite");
    seal.update(body);
    seal.finish().as_ref().try_into().unwrap_or_default()
}

/// What is left to read of a JKS, its magic number passed.
struct Jks<'a> {
    rest: &'a [u8],
}

impl<'a> Jks<'a> {
    fn certificates(mut self) -> Option<Vec<Vec<u8>>> {
        let version = self.number()?;
        let entries = self.number()?;
        let mut found = Vec::new();
        for _ in 0..entries {
            let tag = self.number()?;
            // An alias, and when it was made.
            self.text()?;
            self.take(8)?;
            let certificates = match tag {
                1 => {
                    self.long()?;
                    self.number()?
                }
                2 => 1,
                _ => return None,
            };
            for _ in 0..certificates {
                if version > 1 {
                    self.text()?;
                }
                found.push(self.long()?.to_vec());
            }
        }
        Some(found)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Reads a text, whose length has two bytes.
    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.take(2)?.try_into().ok().map(u16::from_be_bytes)?;
        self.take(length.into())
    }

    /// Reads bytes whose length has four.
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STORES: [(&str, &[u8]); 4] = [
        ("PKCS#12", include_bytes!("../../../tests/fixtures/keystores/modern.p12")),
        ("PKCS#12", include_bytes!("../../../tests/fixtures/keystores/legacy.p12")),
        ("JKS", include_bytes!("../../../tests/fixtures/keystores/store.jks")),
        ("JCEKS", include_bytes!("../../../tests/fixtures/keystores/store.jceks")),
    ];

    fn told(bytes: &[u8], password: Password<'_>) -> Vec<String> {
        let entries = entries(bytes, password).unwrap();
        entries
            .into_iter()
            .map(|entry| entry.map_or_else(|why| why, |facts| facts.serial))
            .collect()
    }

    #[test]
    fn the_certificates_of_every_format_are_read_with_the_password() {
        for (format, bytes) in STORES {
            let serials = told(bytes, Some(Ok("changeit")));
            let expected = if format == "JCEKS" { &["0a"][..] } else { &["0a", "0b"] };
            assert_eq!(serials, expected, "{format}");
        }
    }

    #[test]
    fn without_the_password_the_format_is_named_and_what_to_do() {
        for (format, bytes) in STORES {
            let name = format!("a keystore in {format}: ");
            let [none, wrong, unset] =
                [None, Some(Ok("wrong")), Some(Err(&"credential `jks` cannot be read".to_owned()))]
                    .map(|password| told(bytes, password).concat());
            assert_eq!(
                none,
                format!("{name}give its password with `password = {{ credential = \"…\" }}`")
            );
            assert!(wrong.starts_with(&format!("{name}the password does not fit")), "{wrong}");
            assert_eq!(unset, format!("{name}credential `jks` cannot be read"));
        }
        assert!(entries(b"hello", None).is_none());
    }

    #[test]
    fn a_store_that_asks_for_too_much_is_refused() {
        let mut scrypt = STORES[0].1.to_vec();
        scrypt.extend_from_slice(SCRYPT);
        assert!(told(&scrypt, Some(Ok("changeit"))).concat().contains("scrypt"));
        let many = [STORES[0].1, &BY_PASSWORD[1].repeat(40)].concat();
        assert!(told(&many, Some(Ok("changeit"))).concat().contains("larger than any"));
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn a_damaged_store_never_panics(
            which in 0..4_usize, at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<proptest::sample::Index>()
        ) {
            let mut damaged = STORES[which].1.to_vec();
            let at = at.index(damaged.len());
            damaged[at] = byte;
            let cut = cut.index(damaged.len());
            for bytes in [&damaged[..], &damaged[..cut]] {
                drop(entries(bytes, Some(Ok("changeit"))));
            }
            // With the seal of what it is now, so that the reader gets to see the damage.
            if which > 1 && let Some((body, _)) = damaged.split_last_chunk::<20>() {
                let sealed = [body, &sealed(body, "changeit")].concat();
                drop(entries(&sealed, Some(Ok("changeit"))));
            }
        }
    }
}
