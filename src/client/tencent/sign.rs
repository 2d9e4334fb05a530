//! TC3-HMAC-SHA256: <https://www.tencentcloud.com/document/api/1021/34193>.

use chrono::DateTime;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::client::hmac::hmac_sha256;

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const TERMINATOR: &str = "tc3_request";
const SIGNED_HEADERS: &str = "content-type;host";

/// What is signed of a request. Action, version, region and token are not: only TLS protects them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft<'a> {
    pub(super) method: &'a str,
    /// The query exactly as sent, without the question mark.
    pub(super) query: &'a str,
    pub(super) content_type: &'a str,
    /// The `Host` header exactly as sent, with a port that is not the default.
    pub(super) host: &'a str,
    pub(super) service: &'a str,
    /// Seconds since the epoch.
    pub(super) timestamp: i64,
    /// What is hashed as the body: the bytes as sent, or `UNSIGNED-PAYLOAD`.
    pub(super) payload: &'a [u8],
}

/// A signature and the value of the `Authorization` header that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) signature: String,
    pub(super) authorization: String,
}

/// Signs `draft`.
pub(super) fn sign(draft: &Draft<'_>, id: &str, key: &SecretString) -> Signed {
    let date = utc_date(draft.timestamp);
    let scope = format!("{date}/{}/{TERMINATOR}", draft.service);
    let text = string_to_sign(draft, &scope);
    let [.., signing] = keys(key, &date, draft.service);
    let signature = hex::encode(hmac_sha256(signing.as_slice(), text.as_bytes()));
    let authorization = format!(
        "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}"
    );
    Signed { signature, authorization }
}

/// The date of the scope is UTC's, never a local one.
fn utc_date(timestamp: i64) -> String {
    DateTime::from_timestamp(timestamp, 0).unwrap_or_default().format("%Y-%m-%d").to_string()
}

fn string_to_sign(draft: &Draft<'_>, scope: &str) -> String {
    let canonical = sha256(canonical_request(draft).as_bytes());
    format!("{ALGORITHM}\n{}\n{scope}\n{canonical}", draft.timestamp)
}

fn canonical_request(draft: &Draft<'_>) -> String {
    let Draft { method, query, content_type, host, payload, .. } = draft;
    format!(
        "{method}\n/\n{query}\ncontent-type:{content_type}\nhost:{host}\n\n{SIGNED_HEADERS}\n{}",
        sha256(payload)
    )
}

/// Returns the keys of the date, of the service and of the signature.
fn keys(key: &SecretString, date: &str, service: &str) -> [Zeroizing<[u8; 32]>; 3] {
    let secret = Zeroizing::new(format!("TC3{}", key.expose_secret()));
    let of_date = Zeroizing::new(hmac_sha256(secret.as_bytes(), date.as_bytes()));
    let of_service = Zeroizing::new(hmac_sha256(of_date.as_slice(), service.as_bytes()));
    let of_signature = Zeroizing::new(hmac_sha256(of_service.as_slice(), TERMINATOR.as_bytes()));
    [of_date, of_service, of_signature]
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The placeholder pair of the public documentation.
    const ID: &str = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
    const KEY: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";

    struct Vector {
        name: &'static str,
        draft: Draft<'static>,
        payload: &'static str,
        canonical: &'static str,
        signature: &'static str,
    }

    const MQTT: Draft<'static> = Draft {
        method: "POST",
        query: "",
        content_type: "application/json",
        host: "mqtt.tencentcloudapi.com",
        service: "mqtt",
        timestamp: 1_763_827_200,
        payload: b"{}",
    };

    const SSL: Draft<'static> = Draft { host: "ssl.tencentcloudapi.com", service: "ssl", ..MQTT };

    #[expect(clippy::too_many_lines, reason = "a table")]
    fn vectors() -> Vec<Vector> {
        vec![
            Vector {
                name: "V0: published by the vendor",
                draft: Draft {
                    content_type: "application/json; charset=utf-8",
                    host: "cvm.tencentcloudapi.com",
                    service: "cvm",
                    timestamp: 1_551_113_065,
                    payload: br#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#,
                    ..MQTT
                },
                payload: "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064",
                canonical: "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031",
                signature: "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
            },
            Vector {
                name: "V1: midnight in UTC+8 is another date than in UTC",
                draft: Draft {
                    payload: br#"{"InstanceId": "mqtt-qgzaawn9", "Filters": [{"Name": "NotAfterStart", "Values": ["1763827200000"]}, {"Name": "NotAfterEnd", "Values": ["1766419200000"]}], "Limit": 100, "Offset": 0, "OrderBy": "CREATE_TIME_ASC"}"#,
                    ..MQTT
                },
                payload: "e5ab165a096f142cc135aa8661ab6f8e2540b1228f63fbb4a7027b5e3e6728d8",
                canonical: "a648ca9c485ab9f73d5820d13f157a7a83b79c13599f429f6432776d2d0d360d",
                signature: "316370fb9a9e1517e25f08f6bf7811cccd1ef4cc57a7a209ea80f0db6b831e2a",
            },
            Vector {
                name: "V2: international host, last second of a year",
                draft: Draft {
                    host: "mqtt.intl.tencentcloudapi.com",
                    timestamp: 1_735_689_599,
                    payload: br#"{"InstanceId": "mqtt-jbgwp4ae", "Filters": [{"Name": "OrganizationalUnit", "Values": ["\u8bbe\u5907\u7ec4-1"]}]}"#,
                    ..MQTT
                },
                payload: "d64d6331304a23454bcef68622a2ba359659222adbb6d26f79a6c4685ce7d891",
                canonical: "49915c6fce96eeac3c5209b95b58da6948fd68752e0620a6e26e0ea0ccb752cd",
                signature: "7b0e47b2569d7d59f7abdfd0b2e98763d8cf3758e536334432fb508eea674f99",
            },
            Vector {
                name: "V3: ssl",
                draft: Draft {
                    payload: br#"{"Offset": 0, "Limit": 1000, "ExpirationSort": "ASC", "CertificateStatus": [1, 3]}"#,
                    ..SSL
                },
                payload: "22e307557e92bc05054cbfeb587a65551815770d40c348815c410b9c518a63fb",
                canonical: "0c6d84c9be0aec6c466fefeb6b28ca6b7ebbe7031f4edd4ead3433c9a87316b3",
                signature: "5d9471b8566a11e0919525f892efd8a80c34e16dcf614bc1508267c46a6e7c66",
            },
            Vector {
                name: "V4: GET",
                draft: Draft {
                    method: "GET",
                    query: "Limit=10&SearchKey=a+b%2F%C3%BC&CertificateStatus.0=1&CertificateStatus.1=3",
                    content_type: "application/x-www-form-urlencoded",
                    payload: b"",
                    ..SSL
                },
                payload: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                canonical: "6c314d72758e43e9e652d84642f02f411f2a38faa08e80a75de984400d52532f",
                signature: "8bbcf5fa87cc362e4746f239ed9121667dfbd3541ac19f962613f51db7eafc42",
            },
            Vector {
                name: "V5: no parameters",
                draft: MQTT,
                payload: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                canonical: "c96bf13ecb4ebe4227eddaf8598441a45053be2ae0f5c7704358a45fee416bc8",
                signature: "44f3e7dfd1d2ec7542ca67b599d9cf671644b7efba78bacdbaa03154304eca30",
            },
            Vector {
                name: "V6: unsigned payload",
                draft: Draft { payload: b"UNSIGNED-PAYLOAD", ..MQTT },
                payload: "438d4109ef0d676b8c2c7ed13cdfcb418e494d53b843d4634ce3b1085f07bb96",
                canonical: "349a4f4e7ddb6c1b6c0fac08b9f54d0b6ea27e116f6a1905000b16ad558680cf",
                signature: "94352d812a05080a440291f2a978c50785e9e9a8718c021fd8768669d689dada",
            },
            Vector {
                name: "V7: V1 in compact JSON",
                draft: Draft {
                    payload: br#"{"InstanceId":"mqtt-qgzaawn9","Filters":[{"Name":"NotAfterStart","Values":["1763827200000"]},{"Name":"NotAfterEnd","Values":["1766419200000"]}],"Limit":100,"Offset":0,"OrderBy":"CREATE_TIME_ASC"}"#,
                    ..MQTT
                },
                payload: "27422f0ff87a708b27ee898cd02bd67e8e81290ec516faa502b5bcc3490cab34",
                canonical: "c7ca35fe8a9123cb0828905679af2cee2acb260505f1de11504cc2f7807fecab",
                signature: "f4c4f3d9ad7107f18fc408465cd79628a64935ff53cfb224ac3ca59cc19b73be",
            },
        ]
    }

    #[test]
    fn reproduces_every_vector() {
        let key = SecretString::from(KEY);
        for vector in vectors() {
            let Vector { name, draft, payload, canonical, signature } = vector;
            assert_eq!(sha256(draft.payload), payload, "{name}");
            assert_eq!(sha256(canonical_request(&draft).as_bytes()), canonical, "{name}");
            assert_eq!(sign(&draft, ID, &key).signature, signature, "{name}");
        }
    }

    #[test]
    fn every_step_of_v1_and_v2() {
        let key = SecretString::from(KEY);
        let v1 = &vectors()[1].draft;
        assert_eq!(
            string_to_sign(v1, "2025-11-22/mqtt/tc3_request"),
            "TC3-HMAC-SHA256\n1763827200\n2025-11-22/mqtt/tc3_request\n\
             a648ca9c485ab9f73d5820d13f157a7a83b79c13599f429f6432776d2d0d360d"
        );
        assert_eq!(
            sign(v1, ID, &key).authorization,
            "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2025-11-22/mqtt/tc3_request, \
             SignedHeaders=content-type;host, \
             Signature=316370fb9a9e1517e25f08f6bf7811cccd1ef4cc57a7a209ea80f0db6b831e2a"
        );
        let hex = |date, service| keys(&key, date, service).map(|key| hex::encode(key.as_slice()));
        assert_eq!(
            hex("2025-11-22", "mqtt"),
            [
                "aaa683adcf212769bb9f64070ee43c40af13b25fb54c82c6bed254610e7e6b75",
                "33ed801b0c83e4f17daa9dca1d60510475ce138f366c93f798ab576183ea4163",
                "db94bdfb12d5fdddfc4ea0d0477e26a38d7d5612e6e5221730f374d8307f18e4",
            ]
        );
        assert_eq!(utc_date(1_735_689_599), "2024-12-31");
        assert_eq!(
            hex("2024-12-31", "mqtt"),
            [
                "512697072b7381b1fcd4e9587b4f208263c4226098aa5f6d6f86b5ec1932335e",
                "0963fbd38ab21a30f2de8af4d9181e7c2e9d663bddeda70d1f33f028f793fa9e",
                "e4d05825be8f93110bc89387e3031643a8b9a3004a9068fa0fd51ac75f53cc0e",
            ]
        );
        let [_, service, signing] = hex("2025-11-22", "ssl");
        assert_eq!(service, "70da7fe15c23e757eea5c605ea3259cc00bb8860fe02a6ea994554dfea95b490");
        assert_eq!(signing, "db3cabf9485e964c1cbc8f0533e85535cc3cdc99331e396c43eedf863102fe7c");
    }
}
