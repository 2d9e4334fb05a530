//! How a request is signed: by Standard Webhooks, or as GitHub or Stripe sign theirs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use crate::channel::sign::hmac_base64;
use crate::client::hmac::hmac_sha256;
use crate::config::{Fields, Placed, Secret};

const SHORTEST_KEY: usize = 24;
const LONGEST_KEY: usize = 64;

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Standard Webhooks 1.0; the secret is `whsec_` and base64.
    Standard,
    /// `X-Hub-Signature-256`; the secret is text as it is.
    GitHub,
    /// `Notafter-Signature`, made as `Stripe-Signature` is; the secret is text as it is.
    Stripe,
}

impl Scheme {
    /// Reads the option `scheme`.
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let Some(word) = fields.string("scheme") else { return Self::Standard };
        match word.value.as_str() {
            "standard" => {}
            "github" => return Self::GitHub,
            "stripe" => return Self::Stripe,
            _ => fields.mistake(word.span, "`scheme` is `standard`, `github` or `stripe`"),
        }
        Self::Standard
    }

    /// Returns whether it can sign with the secret as it is now, or says why not.
    pub(super) fn check(self, secret: &Placed<Secret>) -> Result<(), String> {
        let text = secret.value.read()?;
        match self {
            Self::Standard => keys(text.expose_secret()).map(|_| ()),
            Self::GitHub | Self::Stripe => Ok(()),
        }
    }

    /// Returns the header with the signature of `body`, and its name.
    pub(super) fn sign(
        self,
        secret: &str,
        (id, seconds): (&str, i64),
        body: &[u8],
    ) -> Result<(&'static str, String), String> {
        let stamped = || [format!("{seconds}.").as_bytes(), body].concat();
        let of = |content: &[u8]| hex::encode(hmac_sha256(secret.as_bytes(), content));
        Ok(match self {
            Self::Standard => ("webhook-signature", signatures(&keys(secret)?, id, seconds, body)),
            Self::GitHub => ("x-hub-signature-256", format!("sha256={}", of(body))),
            Self::Stripe => ("notafter-signature", format!("t={seconds},v1={}", of(&stamped()))),
        })
    }
}

/// Returns one signature for each key, so that a receiver can change keys.
fn signatures(keys: &[Zeroizing<Vec<u8>>], id: &str, seconds: i64, body: &[u8]) -> String {
    let content = [format!("{id}.{seconds}.").as_bytes(), body].concat();
    let signed: Vec<_> =
        keys.iter().map(|key| format!("v1,{}", hmac_base64(key, &content))).collect();
    signed.join(" ")
}

/// Decodes the keys of a secret: one, or while they are changed several with space between.
fn keys(secret: &str) -> Result<Vec<Zeroizing<Vec<u8>>>, String> {
    let keys: Vec<_> = secret.split_whitespace().map(key).collect::<Result<_, _>>()?;
    if keys.is_empty() { Err("the secret is empty".to_owned()) } else { Ok(keys) }
}

fn key(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let wrong = || {
        format!(
            "the secret must be `whsec_` and the base64 of {SHORTEST_KEY} to {LONGEST_KEY} random bytes"
        )
    };
    let encoded = text.strip_prefix("whsec_").ok_or_else(wrong)?;
    let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| wrong())?);
    if (SHORTEST_KEY..=LONGEST_KEY).contains(&key.len()) { Ok(key) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const EVENT: &str = r#"{"type":"certificate.expiring","timestamp":"2026-01-01T00:00:00Z","data":{"cn":"café.example.com","days_left":7}}"#;

    #[test]
    fn signatures_match_the_vectors() {
        assert_eq!(EVENT.len(), 114);
        let upstream = r#"{"email":"test@example.com","username":"test_user"}"#;
        let text = "It's a Secret to Everybody";
        for (scheme, secret, id, seconds, body, expected) in [
            (
                Scheme::Standard,
                KEY,
                "msg_01JGFJJZ00CERTWATCH0000001",
                1_767_225_600,
                EVENT,
                "v1,/woc6dd3lwZtIFtRHZfksLUqZBGT0JHNEduRfxU3NyQ=",
            ),
            (
                Scheme::Standard,
                KEY,
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                upstream,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                Scheme::GitHub,
                text,
                "id",
                1,
                "Hello, World!",
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            ),
            (
                Scheme::GitHub,
                "certwatch-hook-secret",
                "id",
                1,
                EVENT,
                "sha256=5df706505658397fffa19b7b3d476a5653cd9b262133c0cf0470486769a555a5",
            ),
            (
                Scheme::Stripe,
                "whsec_test_secret",
                "id",
                1_767_225_600,
                EVENT,
                "t=1767225600,v1=b689310932309880e194c532b71942b36209798013f62c125cdfc8316c578e96",
            ),
        ] {
            let (_, signature) = scheme.sign(secret, (id, seconds), body.as_bytes()).unwrap();
            assert_eq!(signature, expected, "{scheme:?}");
        }
    }

    #[test]
    fn while_keys_change_there_is_one_signature_for_each() {
        let of = |secret: &str| Scheme::Standard.sign(secret, ("id", 1), b"{}").unwrap().1;
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        assert_eq!(of(&format!("{KEY} {other}")), [of(KEY), of(&other)].join(" "));
    }

    #[test]
    fn keys_that_are_too_short_or_not_base64_are_refused() {
        let of = |length: usize| format!("whsec_{}", STANDARD.encode(vec![1; length]));
        assert!(keys(&of(24)).is_ok() && keys(&of(64)).is_ok());
        for bad in [
            "",
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "whsec_",
            "whsec_?",
            &of(23),
            &of(65),
            "whsk_AAAA",
        ] {
            let why = keys(bad).unwrap_err();
            assert!(bad.is_empty() || !why.contains(bad) || bad == "whsec_", "{why}");
        }
    }
}
