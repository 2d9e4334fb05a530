//! EnOS APIM token v2.0: how requests for tokens and for data are signed.
//! <https://support.enos-iot.com/docs/api/en/2.1.0/token/get_access_token.html>

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Returns the `encryption` of a request for a token, which is the same for getting and refreshing one.
pub(super) fn encryption(key: &str, timestamp: i64, secret: &SecretString) -> String {
    let mut hash = Sha256::new();
    for part in [key, &timestamp.to_string(), secret.expose_secret()] {
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// Returns the `apim-signature` of a request. Path and method are not signed.
///
/// `query` holds names and raw values, without percent-encoding, each name once.
pub(super) fn signature(
    token: &SecretString,
    query: &[(&str, &str)],
    body: &[u8],
    timestamp: i64,
    secret: &SecretString,
) -> String {
    let mut sorted = query.to_vec();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(token.expose_secret().as_bytes());
    for (name, value) in sorted {
        hash.update(name.as_bytes());
        hash.update(value.as_bytes());
    }
    hash.update(body);
    hash.update(timestamp.to_string().as_bytes());
    hash.update(secret.expose_secret().as_bytes());
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "11111111-2222-4333-8444-555555555555";
    const SECRET: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
    const TIMESTAMP: i64 = 1_763_827_200_123;

    fn signed(query: &[(&str, &str)], body: &str) -> String {
        let token = "APIM_TOKEN_0123456789".into();
        signature(&token, query, body.as_bytes(), TIMESTAMP, &SECRET.into())
    }

    #[test]
    fn reproduces_every_vector() {
        assert_eq!(
            encryption(KEY, TIMESTAMP, &SECRET.into()),
            "4c515fc2de6ded1c7a0ee92772f37f3642775277f73fadd55a809c0d3fb7db56"
        );
        let org = ("orgId", "o15000000000001");
        assert_eq!(
            signed(&[org, ("assetId", "zhD6Kpfs"), ("action", "list")], ""),
            "7706a84bb838b28c21970facf292294a1a768e73ad1c3e4e5897967d9e381ebd"
        );
        assert_eq!(
            signed(
                &[("productKey", "pk 1"), org, ("deviceKey", "dev/键+1"), ("action", "list")],
                ""
            ),
            "58c7cb687395f07b23d39334b81521356dfc3c84b4cb75e4598056b9e34e826f"
        );
        assert_eq!(
            signed(
                &[("action", "search"), org],
                r#"{"pagination":{"pageNo":1,"pageSize":100},"projection":["assetId","productKey","deviceKey"]}"#
            ),
            "0d18da5e69f54df306bf40849a1cbffba305c8c17300bdf6e3683fd5d807f8fe"
        );
    }
}
