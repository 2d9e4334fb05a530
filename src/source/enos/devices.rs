//! Which devices there are: products by search, then the devices of each by search.
//!
//! Searches return secrets of products and devices unless a projection names the fields to return.

use serde::Deserialize;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::client::enos::{Call, Enos};
use crate::client::{Action, CallError, Class};

/// Lists the products.
pub(super) const SEARCH_PRODUCT: Action = Action::new("SearchProduct");
/// Lists the devices of a product.
pub(super) const SEARCH_DEVICE: Action = Action::new("SearchDevice");

/// Rows of one page. The vendor advises no more than 50.
pub(super) const PAGE: u64 = 50;
/// More products than an organisation has; a list that never ends is broken.
const MOST_PAGES: u64 = 100;

/// A device, named by its asset or by its product and its own key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "a device has two kinds of key, named as the API names them"
)]
pub(super) struct Device {
    pub(super) asset_id: String,
    pub(super) product_key: String,
    pub(super) device_key: String,
}

impl Device {
    /// Returns a name that no other device of the organisation has. Display names are not unique.
    pub(super) fn name(&self) -> String {
        if self.device_key.is_empty() {
            return self.asset_id.clone();
        }
        format!("{}/{}", self.product_key, self.device_key)
    }

    /// Returns a digest of the name.
    pub(super) fn digest(&self) -> u64 {
        xxh3_64(self.name().as_bytes())
    }

    /// Returns the query that names the device.
    pub(super) fn query(&self) -> Vec<(&'static str, &str)> {
        if self.device_key.is_empty() {
            return vec![("assetId", self.asset_id.as_str())];
        }
        vec![("productKey", self.product_key.as_str()), ("deviceKey", self.device_key.as_str())]
    }

    fn read(row: &Value) -> Self {
        let text =
            |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            asset_id: text("assetId"),
            product_key: text("productKey"),
            device_key: text("deviceKey"),
        }
    }
}

#[derive(Deserialize)]
struct Found {
    data: Option<Vec<Value>>,
    pagination: Pagination,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    total_size: u64,
}

/// Finds the products whose devices have certificates: those with mutual TLS. A list that hides some is an error:
/// their devices would look as if they were gone.
pub(super) async fn products(client: &Enos, organisation: &str) -> Result<Vec<String>, CallError> {
    let mut keys: Vec<String> = Vec::new();
    let mut read = 0;
    let mut total = 0;
    for number in 1..=MOST_PAGES {
        let body = json!({
            "pagination": { "pageNo": number, "pageSize": PAGE },
            "projection": ["productKey", "biDirectionalAuth"],
        });
        let path = "/connect-service/v2.1/products";
        let found = search(client, SEARCH_PRODUCT, path, organisation, &body).await?;
        let rows = found.data.unwrap_or_default();
        read += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        total = found.pagination.total_size;
        keys.extend(rows.iter().filter_map(mutual_product));
        if rows.is_empty() || read >= total {
            break;
        }
    }
    if read < total {
        let text = format!("the provider counts {total} products and lists {read}");
        return Err(CallError::new(SEARCH_PRODUCT, Class::Unavailable, text));
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// A product of which nobody says whether it has mutual TLS is looked into: that costs calls, and hides nothing.
fn mutual_product(row: &Value) -> Option<String> {
    let key = row.get("productKey")?.as_str()?;
    let mutual = row.get("biDirectionalAuth").and_then(Value::as_bool).unwrap_or(true);
    if mutual && !is_product_key(key) {
        tracing::warn!(product = key, "a product key that cannot be searched for is left out");
        return None;
    }
    mutual.then(|| key.to_owned())
}

/// Returns whether `key` can stand in a search expression as it is.
pub(super) fn is_product_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !key.is_empty() && key.bytes().all(plain)
}

/// Reads one page of the devices of `product`, numbered from 1, and the number of all of them. The order is
/// fixed: newest first.
pub(super) async fn page(
    client: &Enos,
    organisation: &str,
    product: &str,
    number: u64,
) -> Result<(Vec<Device>, u64), CallError> {
    let body = json!({
        "expression": format!("productKey='{product}'"),
        "pagination": { "pageNo": number, "pageSize": PAGE },
        "projection": ["assetId", "productKey", "deviceKey", "deviceName", "status", "lastOnlineTime"],
    });
    let path = "/connect-service/v2.1/devices";
    let found = search(client, SEARCH_DEVICE, path, organisation, &body).await?;
    let devices = found.data.unwrap_or_default().iter().map(Device::read).collect();
    Ok((devices, found.pagination.total_size))
}

async fn search(
    client: &Enos,
    action: Action,
    path: &'static str,
    organisation: &str,
    body: &Value,
) -> Result<Found, CallError> {
    let query = [("action", "search"), ("orgId", organisation)];
    client.call(Call { action, path, query: &query, body: Some(body) }).await
}
