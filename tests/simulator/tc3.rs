//! Checks signatures as the provider does, written from the vendor's description and from nothing of the daemon.

use std::collections::HashMap;
use std::sync::Mutex;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::clock::utc_date;
use super::http::Request;
use super::tencent::Refusal;

/// Who may ask.
#[derive(Clone)]
pub struct Account {
    pub secret_id: String,
    pub secret_key: String,
    /// Of temporary credentials.
    pub token: Option<String>,
}

/// Checks the signatures of one product.
pub struct Verifier {
    product: &'static str,
    accounts: Vec<Account>,
    /// Signing keys by account and date.
    keys: Mutex<HashMap<(usize, String), [u8; 32]>>,
}

/// The most seconds that a signature may be off.
const SKEW: i64 = 300;

/// The parts of an `Authorization` header.
struct Authorization<'a> {
    secret_id: &'a str,
    date: &'a str,
    product: &'a str,
    signed: &'a str,
    signature: &'a str,
}

impl Verifier {
    /// Returns a verifier for `mqtt`, `ssl` and the like.
    pub fn new(product: &'static str, accounts: Vec<Account>) -> Self {
        Self { product, accounts, keys: Mutex::default() }
    }

    /// Refuses a request that is not signed by an account now.
    pub fn check(&self, request: &Request<'_>, now: i64) -> Result<(), Refusal> {
        let header = request.header("authorization").ok_or_else(|| missing("Authorization"))?;
        let authorization = Authorization::parse(header).ok_or_else(malformed)?;
        let timestamp = request.header("x-tc-timestamp").ok_or_else(|| missing("Timestamp"))?;
        let seconds: i64 = timestamp.parse().map_err(|_| malformed())?;
        if (seconds - now).abs() > SKEW {
            return Err(refusal(
                "SignatureExpire",
                "the timestamp is too far from the server's time",
            ));
        }
        let is_meant = |account: &Account| account.secret_id == authorization.secret_id;
        let index = self
            .accounts
            .iter()
            .position(is_meant)
            .ok_or_else(|| refusal("SecretIdNotFound", "the SecretId does not exist"))?;
        let account = &self.accounts[index];
        if request.header("x-tc-token") != account.token.as_deref() {
            return Err(refusal("TokenFailure", "the token is not that of the credentials"));
        }
        if authorization.product != self.product || authorization.date != utc_date(seconds) {
            return Err(signature_failure());
        }
        let text = string_to_sign(request, &authorization, timestamp)?;
        let key = self.key(index, authorization.date);
        let wanted = hex::encode(hmac(&key, text.as_bytes()));
        if wanted == authorization.signature { Ok(()) } else { Err(signature_failure()) }
    }

    fn key(&self, index: usize, date: &str) -> [u8; 32] {
        let mut keys = self.keys.lock().expect("no panic while keys are held");
        *keys.entry((index, date.to_owned())).or_insert_with(|| {
            let secret = format!("TC3{}", self.accounts[index].secret_key);
            let of_date = hmac(secret.as_bytes(), date.as_bytes());
            let of_product = hmac(&of_date, self.product.as_bytes());
            hmac(&of_product, b"tc3_request")
        })
    }
}

/// Returns the account that a request claims to come from, for its rate limit.
pub fn claimed_account(request: &Request<'_>) -> String {
    let header = request.header("authorization").unwrap_or("");
    Authorization::parse(header).map_or_else(String::new, |it| it.secret_id.to_owned())
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let rest = header.strip_prefix("TC3-HMAC-SHA256 ")?;
        let mut parts = rest.split(',').map(str::trim);
        let credential = parts.next()?.strip_prefix("Credential=")?;
        let signed = parts.next()?.strip_prefix("SignedHeaders=")?;
        let signature = parts.next()?.strip_prefix("Signature=")?;
        let mut scope = credential.split('/');
        let secret_id = scope.next()?;
        let date = scope.next()?;
        let product = scope.next()?;
        let is_whole = scope.next() == Some("tc3_request") && scope.next().is_none();
        (is_whole && parts.next().is_none()).then_some(Self {
            secret_id,
            date,
            product,
            signed,
            signature,
        })
    }
}

fn string_to_sign(
    request: &Request<'_>,
    authorization: &Authorization<'_>,
    timestamp: &str,
) -> Result<String, Refusal> {
    let names: Vec<&str> = authorization.signed.split(';').collect();
    if !names.is_sorted() || !names.contains(&"content-type") || !names.contains(&"host") {
        return Err(malformed());
    }
    let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for name in names {
        let value = request.header(name).ok_or_else(signature_failure)?;
        // Only the action's value is lower-cased by clients that sign it; content type and host are as sent.
        let value = if name == "x-tc-action" { value.to_lowercase() } else { value.to_owned() };
        canonical += &format!("{name}:{value}\n");
    }
    let unsigned = request.header("x-tc-content-sha256") == Some("UNSIGNED-PAYLOAD");
    let payload = if unsigned { b"UNSIGNED-PAYLOAD" } else { request.body };
    let payload = hex::encode(Sha256::digest(payload));
    canonical += &format!("\n{}\n{payload}", authorization.signed);
    let (date, product) = (authorization.date, authorization.product);
    let canonical = hex::encode(Sha256::digest(canonical.as_bytes()));
    Ok(format!("TC3-HMAC-SHA256\n{timestamp}\n{date}/{product}/tc3_request\n{canonical}"))
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn refusal(code: &str, message: &str) -> Refusal {
    Refusal::new(&format!("AuthFailure.{code}"), message)
}

fn missing(name: &str) -> Refusal {
    Refusal::new("MissingParameter", &format!("the request has no `{name}`"))
}

fn malformed() -> Refusal {
    refusal("InvalidAuthorization", "the `Authorization` header is malformed")
}

fn signature_failure() -> Refusal {
    refusal("SignatureFailure", "the signature is not the one of this request")
}
