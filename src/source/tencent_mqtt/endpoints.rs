//! Where an instance serves TLS to the public. What it shows there no action tells.

use serde::{Deserialize, Serialize};

use crate::client::tencent::{ApiError, Reply, Tencent, decode};
use crate::client::{Action, CallError, Class};

/// Lists the public endpoints of an instance.
pub(super) const LIST: Action = Action::new("DescribeInsPublicEndpoints");

/// MQTT in TLS; the others are in the clear.
const TLS: &str = "mqtt-tls";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    instance_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    error: Option<ApiError>,
    endpoints: Option<Vec<Listed>>,
}

impl Reply for List {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    r#type: Option<String>,
    /// `host:port`.
    url: Option<String>,
}

/// Returns where an instance serves TLS. One that is no more, or is not open to the public, does so nowhere.
pub(super) async fn of(client: &Tencent, instance: String) -> Result<Vec<String>, CallError> {
    let request = Request { instance_id: &instance };
    let listed = |body: &[u8]| Ok(decode::<List>(body)?.endpoints.unwrap_or_default());
    match client.call(LIST, &request, listed).await {
        Ok(listed) => Ok(listed.into_iter().filter_map(tls).collect()),
        Err(error) if error.class == Class::Gone => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn tls(listed: Listed) -> Option<String> {
    listed.url.filter(|url| listed.r#type.as_deref() == Some(TLS) && !url.is_empty())
}
