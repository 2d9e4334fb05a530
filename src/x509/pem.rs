//! Finds the blocks of a PEM text, however it is wrapped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// One block, or what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A certificate, as DER.
    Certificate(Vec<u8>),
    /// Certificates in PKCS#7, as DER.
    Pkcs7(Vec<u8>),
    /// A keystore in PKCS#12, as DER.
    Pkcs12(Vec<u8>),
    /// Something else, whose content was not looked at: a key, a request, a revocation list.
    Other,
    /// A certificate that cannot be decoded.
    Broken(&'static str),
}

/// What a block holds, by its label.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Certificate,
    Pkcs7,
    Pkcs12,
    Other,
}

impl Content {
    fn of(label: &str) -> Self {
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => Self::Certificate,
            "PKCS12" | "PFX" => Self::Pkcs12,
            "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => Self::Pkcs7,
            _ => Self::Other,
        }
    }
}

/// Returns the blocks of `text` in order. Text around them is ignored, as are line breaks within them.
pub fn blocks(text: &str) -> impl Iterator<Item = Block> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(BEGIN)?;
        let (block, remainder) = first_block(after);
        rest = remainder;
        Some(block)
    })
}

/// Reads the block whose label begins `text`, and returns what follows it.
fn first_block(text: &str) -> (Block, &str) {
    let Some((label, body)) = text.split_once(DASHES) else {
        return (Block::Broken("the label does not end"), "");
    };
    let content = Content::of(label);
    // The body of a certificate ends at the next dash; a key's headers may hold some.
    let end = format!("-----END {label}-----");
    match body.split_once(end.as_str()) {
        Some((_, after)) if content == Content::Other => (Block::Other, after),
        Some((body, after)) if !body.contains(DASHES) => (decode(content, body), after),
        _ if content == Content::Other => (Block::Other, body),
        _ => (Block::Broken("the certificate has no end line"), body),
    }
}

fn decode(content: Content, body: &str) -> Block {
    let packed: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    match STANDARD.decode(packed) {
        Ok(der) if der.is_empty() => Block::Broken("the certificate is empty"),
        Ok(der) if content == Content::Pkcs7 => Block::Pkcs7(der),
        Ok(der) if content == Content::Pkcs12 => Block::Pkcs12(der),
        Ok(der) => Block::Certificate(der),
        Err(_) => Block::Broken("the certificate is not base64"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<Block> {
        blocks(text).collect()
    }

    #[test]
    fn finds_certificates_however_they_are_wrapped() {
        let three = || Block::Certificate(vec![1, 2, 3]);
        let broken = Block::Broken("the certificate has no end line");
        for (text, expected) in [
            ("-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n", vec![three()]),
            ("-----BEGIN CERTIFICATE-----AQID-----END CERTIFICATE-----", vec![three()]),
            ("-----BEGIN CERTIFICATE-----\r\nAQ\r\nID\r\n-----END CERTIFICATE-----", vec![three()]),
            (
                "Subject: a - b\n-----BEGIN X509 CERTIFICATE-----\nAQID\n-----END X509 CERTIFICATE-----",
                vec![three()],
            ),
            (
                "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
                vec![Block::Broken("the certificate is empty")],
            ),
            (
                "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
                vec![Block::Broken("the certificate is not base64")],
            ),
            ("-----BEGIN CERTIFICATE-----\nAQID", vec![broken.clone()]),
            (
                "-----BEGIN CERTIFICATE-----\nAQID\n-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----",
                vec![broken, three()],
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----",
                vec![Block::Other, three()],
            ),
            (
                "-----BEGIN PKCS12-----\nAQID\n-----END PKCS12-----\n",
                vec![Block::Pkcs12(vec![1, 2, 3])],
            ),
            (
                "-----BEGIN PKCS7-----\nAQID\n-----END PKCS7-----\n",
                vec![Block::Pkcs7(vec![1, 2, 3])],
            ),
            (
                "-----BEGIN PKCS7-----\nAQID\n",
                vec![Block::Broken("the certificate has no end line")],
            ),
            ("-----BEGIN ", vec![Block::Broken("the label does not end")]),
            ("no blocks here", vec![]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn never_panics_and_always_ends(text in "(-----BEGIN CERTIFICATE-----|-----END CERTIFICATE-----|-----|A|\n|é){0,30}") {
            prop_assert!(found(&text).len() <= 30);
        }
    }
}
