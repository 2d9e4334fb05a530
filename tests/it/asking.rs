//! A client of the simulated providers that shares nothing with the daemon's.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use simulator::clock::wall_seconds;
use simulator::{APP_KEY, APP_SECRET, ORG, SECRET_ID, SECRET_KEY, Simulator};

/// Asks with an account, over connections of its own.
pub(crate) struct Caller {
    http: reqwest::Client,
    /// Seconds that its clock is off.
    pub(crate) skew: i64,
}

/// What came back.
pub(crate) struct Came {
    pub(crate) status: u16,
    pub(crate) date: String,
    pub(crate) text: String,
}

impl Came {
    /// Returns the body as JSON; null when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Returns the code of a Tencent error; empty when it is none.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        json.pointer("/Response/Error/Code").and_then(Value::as_str).unwrap_or("").to_owned()
    }
}

impl Caller {
    /// Returns a caller that gives up after a time.
    pub(crate) fn patient_for(timeout: std::time::Duration) -> Self {
        // A second test in the process finds the provider installed already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().no_proxy().timeout(timeout).build();
        Self { http: http.expect("the client has nothing to read from outside"), skew: 0 }
    }

    /// Asks the MQTT product.
    pub(crate) async fn mqtt(
        &self,
        simulator: &Simulator,
        action: &str,
        body: &Value,
    ) -> reqwest::Result<Came> {
        let text = body.to_string();
        let request = self.http.post(simulator.mqtt_url()).header("X-TC-Region", "ap-guangzhou");
        let request = request.header("X-TC-Version", "2024-05-16");
        self.tencent(request, ("mqtt", &simulator.mqtt_url()), action, text).await
    }

    /// Asks the SSL product.
    pub(crate) async fn ssl(&self, simulator: &Simulator, body: &Value) -> reqwest::Result<Came> {
        let text = body.to_string();
        let request = self.http.post(simulator.ssl_url()).header("X-TC-Version", "2019-12-05");
        self.tencent(request, ("ssl", &simulator.ssl_url()), "DescribeCertificates", text).await
    }

    async fn tencent(
        &self,
        request: reqwest::RequestBuilder,
        (product, url): (&str, &str),
        action: &str,
        body: String,
    ) -> reqwest::Result<Came> {
        let timestamp = wall_seconds() + self.skew;
        let host = url.trim_start_matches("http://");
        let authorization = authorization(product, host, timestamp, &body);
        let request = request
            .header("Authorization", authorization)
            .header("Content-Type", "application/json")
            .header("X-TC-Action", action)
            .header("X-TC-Timestamp", timestamp)
            .body(body);
        receive(request).await
    }

    /// Asks `EnOS` without a signature.
    pub(crate) async fn enos_raw(
        &self,
        simulator: &Simulator,
        path: &str,
        body: &Value,
    ) -> reqwest::Result<Came> {
        let url = format!("{}{path}", simulator.enos_url());
        receive(self.http.post(url).body(body.to_string())).await
    }

    /// Gets a token from `EnOS`.
    pub(crate) async fn enos_token(&self, simulator: &Simulator, millis: i64) -> Came {
        let body = token_body(millis);
        let came = self.enos_raw(simulator, "/apim-token-service/v2.0/token/get", &body).await;
        came.expect("a token can be asked for")
    }

    /// Asks `EnOS` with a token; without a body it is a GET.
    pub(crate) async fn enos(
        &self,
        simulator: &Simulator,
        (token, millis): (&str, i64),
        (path, action): (&str, &str),
        (more, body): (&[(&str, &str)], Option<&Value>),
    ) -> reqwest::Result<Came> {
        let mut query = BTreeMap::from([("action", action), ("orgId", ORG)]);
        query.extend(more.iter().copied());
        let body = body.map_or_else(String::new, Value::to_string);
        let signed: String = query.iter().flat_map(|(name, value)| [*name, *value]).collect();
        let text = format!("{token}{signed}{body}{millis}{APP_SECRET}");
        let url = format!("{}/connect-service/{path}", simulator.enos_url());
        let url =
            reqwest::Url::parse_with_params(&url, &query).expect("the simulator's URL is one");
        let request = if body.is_empty() { self.http.get(url) } else { self.http.post(url) };
        let request = request
            .header("apim-accesstoken", token)
            .header("apim-timestamp", millis)
            .header("apim-signature", hex::encode(Sha256::digest(text.as_bytes())))
            .body(body);
        receive(request).await
    }
}

/// Returns the body that asks `EnOS` for a token.
pub(crate) fn token_body(millis: i64) -> Value {
    let text = format!("{APP_KEY}{millis}{APP_SECRET}");
    let encryption = hex::encode(Sha256::digest(text.as_bytes()));
    serde_json::json!({"appKey": APP_KEY, "encryption": encryption, "timestamp": millis})
}

async fn receive(request: reqwest::RequestBuilder) -> reqwest::Result<Came> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let date = response.headers().get("date").and_then(|value| value.to_str().ok()).unwrap_or("");
    let date = date.to_owned();
    Ok(Came { status, date, text: response.text().await? })
}

fn authorization(product: &str, host: &str, timestamp: i64, body: &str) -> String {
    let date = chrono::DateTime::from_timestamp(timestamp, 0).expect("now is a date");
    let date = date.format("%Y-%m-%d").to_string();
    let payload = hex::encode(Sha256::digest(body.as_bytes()));
    let canonical = format!(
        "POST\n/\n\ncontent-type:application/json\nhost:{host}\n\ncontent-type;host\n{payload}"
    );
    let canonical = hex::encode(Sha256::digest(canonical.as_bytes()));
    let scope = format!("{date}/{product}/tc3_request");
    let text = format!("TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{canonical}");
    let mut key = format!("TC3{SECRET_KEY}").into_bytes();
    for part in [date.as_str(), product, "tc3_request", &text] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key may have any length");
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    let signature = hex::encode(key);
    format!(
        "TC3-HMAC-SHA256 Credential={SECRET_ID}/{scope}, SignedHeaders=content-type;host, Signature={signature}"
    )
}
