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
        canonical.extend([name, ":", &value, "\n"]);
    }
    let unsigned = request.header("x-tc-content-sha256") == Some("UNSIGNED-PAYLOAD");
    let payload = if unsigned { b"UNSIGNED-PAYLOAD" } else { request.body };
    let payload = hex::encode(Sha256::digest(payload));
    canonical.extend(["\n", authorization.signed, "\n", &payload]);
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

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
    const KEY: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
    const TOKEN: &str = "tmpTOKEN-0123456789abcdef==";

    /// A request that somebody else signed: product, host, content type, timestamp, body, signature.
    struct Vector {
        host: &'static str,
        content_type: &'static str,
        at: i64,
        body: &'static str,
        signature: &'static str,
        token: Option<&'static str>,
        unsigned: bool,
    }

    const JSON: &str = "application/json";
    const PLAIN: Vector = Vector {
        host: "mqtt.tencentcloudapi.com",
        content_type: JSON,
        at: 1_763_827_200,
        body: "{}",
        signature: "",
        token: None,
        unsigned: false,
    };

    /// V0 is the vendor's own; the others come out of the official SDK.
    fn vectors() -> [Vector; 7] {
        [
            Vector {
                host: "cvm.tencentcloudapi.com",
                content_type: "application/json; charset=utf-8",
                at: 1_551_113_065,
                body: r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#,
                signature: "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
                ..PLAIN
            },
            Vector {
                body: r#"{"InstanceId": "mqtt-qgzaawn9", "Filters": [{"Name": "NotAfterStart", "Values": ["1763827200000"]}, {"Name": "NotAfterEnd", "Values": ["1766419200000"]}], "Limit": 100, "Offset": 0, "OrderBy": "CREATE_TIME_ASC"}"#,
                signature: "316370fb9a9e1517e25f08f6bf7811cccd1ef4cc57a7a209ea80f0db6b831e2a",
                ..PLAIN
            },
            Vector {
                host: "mqtt.intl.tencentcloudapi.com",
                at: 1_735_689_599,
                body: r#"{"InstanceId": "mqtt-jbgwp4ae", "Filters": [{"Name": "OrganizationalUnit", "Values": ["\u8bbe\u5907\u7ec4-1"]}]}"#,
                signature: "7b0e47b2569d7d59f7abdfd0b2e98763d8cf3758e536334432fb508eea674f99",
                token: Some(TOKEN),
                ..PLAIN
            },
            Vector {
                host: "ssl.tencentcloudapi.com",
                body: r#"{"Offset": 0, "Limit": 1000, "ExpirationSort": "ASC", "CertificateStatus": [1, 3]}"#,
                signature: "5d9471b8566a11e0919525f892efd8a80c34e16dcf614bc1508267c46a6e7c66",
                ..PLAIN
            },
            Vector {
                signature: "44f3e7dfd1d2ec7542ca67b599d9cf671644b7efba78bacdbaa03154304eca30",
                ..PLAIN
            },
            Vector {
                signature: "94352d812a05080a440291f2a978c50785e9e9a8718c021fd8768669d689dada",
                unsigned: true,
                ..PLAIN
            },
            Vector {
                body: r#"{"InstanceId":"mqtt-qgzaawn9","Filters":[{"Name":"NotAfterStart","Values":["1763827200000"]},{"Name":"NotAfterEnd","Values":["1766419200000"]}],"Limit":100,"Offset":0,"OrderBy":"CREATE_TIME_ASC"}"#,
                signature: "f4c4f3d9ad7107f18fc408465cd79628a64935ff53cfb224ac3ca59cc19b73be",
                ..PLAIN
            },
        ]
    }

    fn check(vector: &Vector, signature: &str, late: i64) -> Result<(), String> {
        let product = vector.host.split('.').next().unwrap();
        let token = vector.token.map(str::to_owned);
        let account = Account { secret_id: ID.into(), secret_key: KEY.into(), token };
        let timestamp = vector.at.to_string();
        let authorization = format!(
            "TC3-HMAC-SHA256 Credential={ID}/{}/{product}/tc3_request, SignedHeaders=content-type;host, Signature={signature}",
            utc_date(vector.at)
        );
        let mut headers = vec![
            ("Host", vector.host),
            ("Content-Type", vector.content_type),
            ("X-TC-Timestamp", &timestamp),
            ("Authorization", &authorization),
        ];
        headers.extend(vector.token.map(|token| ("X-TC-Token", token)));
        headers.extend(vector.unsigned.then_some(("X-TC-Content-SHA256", "UNSIGNED-PAYLOAD")));
        let request = Request::new("/", headers, vector.body.as_bytes());
        Verifier::new(product, vec![account])
            .check(&request, vector.at + late)
            .map_err(|refusal| refusal.code)
    }

    #[test]
    fn signatures_made_by_others_are_accepted_and_any_other_is_not() {
        for vector in vectors() {
            assert_eq!(check(&vector, vector.signature, 0), Ok(()), "{}", vector.body);
            let other = vector.signature.replace('7', "8");
            let failure = Err("AuthFailure.SignatureFailure".to_owned());
            assert_eq!(check(&vector, &other, 0), failure, "{}", vector.body);
        }
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_either_way() {
        let vector = &vectors()[1];
        for (late, is_good) in [(300, true), (301, false), (-300, true), (-301, false)] {
            let expired = Err("AuthFailure.SignatureExpire".to_owned());
            let wanted = if is_good { Ok(()) } else { expired };
            assert_eq!(check(vector, vector.signature, late), wanted, "{late} s");
        }
    }
}
