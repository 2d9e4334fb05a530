//! Which instances there are, and which of them hold certificates.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::client::tencent::{ApiError, Fault, Reply, Tencent, decode};
use crate::client::{Action, CallError, Class};

/// Lists the instances.
pub(super) const LIST: Action = Action::new("DescribeInstanceList");
/// Describes one instance.
pub(super) const DESCRIBE: Action = Action::new("DescribeInstance");

/// The most rows of one page.
const LIMIT: u64 = 100;
/// More instances than any account has; a list that never ends is broken.
const MOST_PAGES: u64 = 100;
/// How often the list is read again when instances come and go meanwhile.
const READINGS: u32 = 3;

/// An instance and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    pub(super) id: Arc<str>,
    /// Whether it has a certificate for each device.
    pub(super) devices: bool,
    /// Whether it has certificate authorities of its own.
    pub(super) authorities: bool,
}

impl Instance {
    /// Returns an instance that is taken to hold everything.
    pub(super) fn whole(id: &str) -> Self {
        Self { id: id.into(), devices: true, authorities: true }
    }

    /// Returns what an instance in an X.509 mode holds: `TLS` has neither, `mTLS` only authorities.
    /// A mode that we do not know is read as if it had both.
    fn in_mode(id: &str, mode: &str) -> Self {
        let (devices, authorities) = match mode {
            "TLS" => (false, false),
            "mTLS" => (false, true),
            _ => (true, true),
        };
        Self { id: id.into(), devices, authorities }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListInstances {
    limit: u64,
    offset: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceList {
    error: Option<ApiError>,
    total_count: Option<u64>,
    data: Option<Vec<Listed>>,
}

impl Reply for InstanceList {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    instance_id: String,
    instance_status: Option<String>,
}

/// The ids of the instances of an account.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// Every one that is listed.
    pub(super) listed: BTreeSet<String>,
    /// Those of them that are not being made or removed.
    pub(super) usable: BTreeSet<String>,
}

/// Lists the ids of all instances. A list that hides some is an error: a scope that is not read would go unnoticed.
pub(super) async fn list(client: &Tencent) -> Result<Ids, CallError> {
    let mut ids = Ids::default();
    let mut best = 0;
    let mut total = 0;
    for _ in 0..READINGS {
        let mut seen = BTreeSet::new();
        total = read_pages(client, &mut seen, &mut ids.usable).await?;
        let count = u64::try_from(seen.len()).unwrap_or(u64::MAX);
        ids.listed.append(&mut seen);
        if count >= total {
            return Ok(ids);
        }
        best = best.max(count);
    }
    let text = format!(
        "the provider counts {total} instances and lists {best}; name them in `instances` if this goes on"
    );
    Err(CallError::new(LIST, Class::Unavailable, text))
}

/// Reads the whole list once and returns its last total.
async fn read_pages(
    client: &Tencent,
    seen: &mut BTreeSet<String>,
    usable: &mut BTreeSet<String>,
) -> Result<u64, CallError> {
    let mut offset = 0;
    let mut total = 0;
    for _ in 0..MOST_PAGES {
        let request = ListInstances { limit: LIMIT, offset };
        let (stated, rows) = client.call(LIST, &request, page).await?;
        total = stated;
        offset += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let is_empty = rows.is_empty();
        for row in rows {
            if is_usable(row.instance_status.as_deref().unwrap_or_default()) {
                usable.insert(row.instance_id.clone());
            }
            seen.insert(row.instance_id);
        }
        if is_empty || offset >= total {
            break;
        }
    }
    Ok(total)
}

fn page(body: &[u8]) -> Result<(u64, Vec<Listed>), Fault> {
    let list = decode::<InstanceList>(body)?;
    let malformed = |text: &str| Err(Fault::Malformed(text.into()));
    match (list.total_count, list.data) {
        (None, _) => malformed("no TotalCount"),
        (Some(0), None) => Ok((0, Vec::new())),
        (Some(_), None) => malformed("TotalCount without Data"),
        (Some(total), Some(rows)) => Ok((total, rows)),
    }
}

/// An instance that is overdue, under maintenance or failing still has its certificates.
fn is_usable(status: &str) -> bool {
    !matches!(status, "CREATING" | "CREATE_FAILURE" | "DELETING" | "DESTROYED")
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeInstance<'a> {
    instance_id: &'a str,
}

/// The one field that is used; the answer also holds a registration code, which is a secret.
#[derive(Deserialize)]
struct Details {
    #[serde(rename = "Error")]
    error: Option<ApiError>,
    #[serde(rename = "X509Mode")]
    mode: Option<String>,
}

impl Reply for Details {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

/// Asks what the instance `id` holds. `None`: its edition knows no certificates.
pub(super) async fn describe(client: &Tencent, id: &str) -> Result<Option<Instance>, CallError> {
    let request = DescribeInstance { instance_id: id };
    let mode = |body: &[u8]| Ok(decode::<Details>(body)?.mode.unwrap_or_default());
    match client.call(DESCRIBE, &request, mode).await {
        Ok(mode) => Ok(Some(Instance::in_mode(id, &mode))),
        Err(error) if knows_no_certificates(&error) => {
            tracing::debug!(instance = id, "the edition of this instance has no certificates");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Returns whether the provider says that certificates do not apply to the instance.
fn knows_no_certificates(error: &CallError) -> bool {
    error.class == Class::BadRequest && error.code == "InvalidParameter.InstanceTypeNotMatch"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (mode, devices, authorities) in [
            ("TLS", false, false),
            ("mTLS", false, true),
            ("BYOC", true, true),
            ("", true, true),
            ("Fresh", true, true),
        ] {
            let instance = Instance::in_mode("mqtt-1", mode);
            assert_eq!((instance.devices, instance.authorities), (devices, authorities), "{mode}");
        }
    }

    #[test]
    fn states() {
        for status in
            ["RUNNING", "MAINTAINING", "ABNORMAL", "OVERDUE", "MODIFYING", "MODIFY_FAILURE", ""]
        {
            assert!(is_usable(status), "{status}");
        }
        for status in ["CREATING", "CREATE_FAILURE", "DELETING", "DESTROYED"] {
            assert!(!is_usable(status), "{status}");
        }
    }
}
