//! Device certificates of EnOS, which are listed by device: one call for each.
//!
//! The one scope is the organisation; its rows are devices. Their order is fixed, newest first, so that an
//! overlap would not help: a device that comes or goes during a scan changes the total, and the scan finds that
//! its devices do not add up. Reading them again costs little: who was asked is not asked again.
//!
//! A near scan lists every device and asks for the certificates of those that are due (`checks.rs`). So it claims that
//! every device is known, that what was known to end soon is as it was listed, and nothing about absence. A full scan
//! asks for every device. One that was broken off, by a restart or by the provider, goes on with the devices that were
//! not asked for yet: what is read then is the whole, but nothing follows from what is not listed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

use super::{Checkpoint, Context, Page, Slice, Source, SourceError, Window};
use crate::client::enos::{
    AppKeys, Call, Enos as Client, GET_TOKEN, REFRESH_TOKEN, ReadAppKeys, Settings,
};
use crate::client::{Action, Backoff, CallError, Class, ClockOffset};
use crate::clock::Clock;
use crate::config::{Fields, Key, Placed, Secret, Shape, SourceConfig};
use crate::expiry::{Kind, Reason, Rejected, Sighting, Timestamp};
use checks::{Checks, Soonest};
use devices::{Device, PAGE};

mod certificates;
mod checks;
mod devices;

/// What `kind = "enos"` is. One call for each device: the whole is read seldom.
pub(super) const KIND: super::Kind = super::Kind {
    name: "enos",
    about: "EnOS: X.509 certificates of devices. One call for each device.",
    options: OPTIONS,
    build,
    actions: &[
        LIST_CERTIFICATE,
        devices::SEARCH_PRODUCT,
        devices::SEARCH_DEVICE,
        GET_TOKEN,
        REFRESH_TOKEN,
    ],
    windowed: true,
    full_scan_default: Some(Duration::from_hours(7 * 24)),
    fixed_scope: None,
    serves: false,
    names_endpoints: false,
};

const OPTIONS: &[Key] = &[
    Key::required("endpoint", Shape::Url, "The API gateway of your environment."),
    Key::required("org_id", Shape::Text, "The organisation."),
    Key::required("app_key", Shape::Secret, "The access key of the application."),
    Key::required("app_secret", Shape::Secret, "The secret key of the application."),
    Key::new(
        "products",
        Shape::Texts,
        "Product keys. Without them every product with mutual TLS is read, found by search.",
    ),
    Key::new(
        "devices",
        Shape::Tables(device_keys),
        "The devices by name, in the place of `products`: each by asset id, or by product key and device key.",
    ),
    Key::new("requests_per_second", Shape::Rate, "Requests a second.").or("5"),
];

fn device_keys() -> Vec<Key> {
    vec![
        Key::new("asset_id", Shape::Text, "The asset id of the device."),
        Key::new("product_key", Shape::Text, "The key of its product."),
        Key::new("device_key", Shape::Text, "Its key within the product."),
    ]
}

const LIST_CERTIFICATE: Action = Action::new("ListCertificate");

/// The vendor publishes no limit; tenants configure their own.
const RATE: f64 = 5.0;
/// Calls under way at once, so that latency does not eat the rate.
const AT_ONCE: usize = 8;

/// Builds the source, or reports what is wrong with its options.
fn build(
    config: &SourceConfig,
    mut fields: Fields<'_>,
    context: &Context<'_>,
) -> Option<Arc<dyn Source>> {
    let endpoint = fields.url("endpoint");
    if endpoint.is_none() && super::is_absent(config, "endpoint") {
        let text =
            "`endpoint` is missing: give the gateway, such as `https://apim-ppe1.envisioniot.com`";
        fields.mistake(config.options.span.clone(), text);
    }
    let organisation = fields.required_string("org_id");
    let key = fields.required_secret("app_key");
    let secret = fields.required_secret("app_secret");
    let rate = fields.rate("requests_per_second").map_or(RATE, |rate| rate.value);
    let target = target(&mut fields);
    fields.finish()?;
    let settings = Settings {
        source: config.name.as_str().into(),
        endpoint: endpoint?.value,
        rate,
        keys: keys(key?.value, secret?.value),
        backoff: Backoff::VENDOR,
    };
    let client = Client::new(settings, context.deps);
    let organisation = organisation?.value;
    Some(Arc::new(Enos::new(client, &organisation, target, Arc::clone(&context.deps.clock))))
}

fn keys(key: Secret, secret: Secret) -> ReadAppKeys {
    Arc::new(move || Ok(AppKeys { key: key.read()?, secret: secret.read()? }))
}

/// Whose certificates are read.
enum Target {
    /// Those of the devices of these products; `None`: of every product with mutual TLS.
    Products(Option<Vec<String>>),
    /// Those of these devices.
    Devices(Vec<Device>),
}

fn target(fields: &mut Fields<'_>) -> Target {
    let products = fields.strings("products");
    let devices = fields.tables("devices", &["asset_id", "product_key", "device_key"]);
    if let (Some(products), Some(_)) = (&products, &devices) {
        fields.mistake(products.span.clone(), "give `products` or `devices`, not both");
    }
    if let Some(devices) = devices {
        let devices = devices.into_iter().filter_map(|table| device(fields, table));
        return Target::Devices(devices.collect());
    }
    if let Some(products) = &products {
        for key in products.value.iter().filter(|key| !devices::is_product_key(key)) {
            fields.mistake(products.span.clone(), format!("`{key}` is not a product key"));
        }
    }
    Target::Products(products.map(|products| {
        let mut keys = products.value;
        keys.sort_unstable();
        keys.dedup();
        keys
    }))
}

fn device(fields: &mut Fields<'_>, mut table: Placed<BTreeMap<String, String>>) -> Option<Device> {
    let mut take = |key: &str| table.value.remove(key).unwrap_or_default();
    let device = Device {
        asset_id: take("asset_id"),
        product_key: take("product_key"),
        device_key: take("device_key"),
    };
    let by_asset = !device.asset_id.is_empty();
    let by_keys = !device.product_key.is_empty() && !device.device_key.is_empty();
    let half = device.product_key.is_empty() != device.device_key.is_empty();
    if by_asset == by_keys || half {
        let text = "name a device by `asset_id` alone, or by `product_key` and `device_key`";
        fields.mistake(table.span, text);
        return None;
    }
    Some(device)
}

struct Enos {
    client: Client,
    organisation: Arc<str>,
    target: Target,
    /// The products of the scan under way and how many devices each has.
    products: Mutex<Option<Vec<Product>>>,
    /// When which device was asked for.
    checks: Mutex<Checks>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Product {
    key: String,
    devices: u64,
}

#[derive(Deserialize)]
struct Certificates {
    data: Option<Vec<Value>>,
}

#[async_trait]
impl Source for Enos {
    fn scopes(&self) -> Option<Vec<Arc<str>>> {
        Some(vec![Arc::clone(&self.organisation)])
    }

    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
        let all = Slice::whole(&self.organisation, window, PAGE, 0);
        let coverage = self.checks().begin(window, self.clock.now());
        Ok(vec![Slice { kind: Some(Kind::Device), coverage, ..all }])
    }

    async fn page(&self, slice: &Slice, offset: u64) -> Result<Page, SourceError> {
        let (devices, total) = match &self.target {
            Target::Devices(devices) => named(devices, offset),
            Target::Products(keys) => self.found(keys.as_deref(), offset).await?,
        };
        let is_last = offset.saturating_add(length(&devices)) >= total;
        let mut page = self.read(slice.window, devices).await?;
        page.total = total;
        if offset == 0 || is_last {
            page.checkpoints.extend(self.checks().checkpoint_sweep(slice.window, is_last));
        }
        Ok(page)
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        self.client.clock_offset()
    }

    fn is_waiting(&self) -> bool {
        self.checks().is_waiting()
    }

    fn restore(&self, scope: &str, checkpoints: &[Checkpoint]) {
        if scope == &*self.organisation {
            self.checks().restore(checkpoints);
        }
    }
}

/// Returns one page of configured devices.
fn named(devices: &[Device], offset: u64) -> (Vec<Device>, u64) {
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let take = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let page = devices.iter().skip(skip).take(take).cloned().collect();
    (page, length(devices))
}

impl Enos {
    fn new(client: Client, organisation: &str, target: Target, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            organisation: organisation.into(),
            target,
            products: Mutex::new(None),
            checks: Mutex::new(Checks::default()),
            clock,
        }
    }

    fn checks(&self) -> MutexGuard<'_, Checks> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn products(&self) -> MutexGuard<'_, Option<Vec<Product>>> {
        self.products.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the devices at `offset`, counted through all products, and the number of all devices. A page goes on
    /// from one product into the next: the pages after it were asked for by then, and their calls must not be in vain.
    async fn found(
        &self,
        keys: Option<&[String]>,
        offset: u64,
    ) -> Result<(Vec<Device>, u64), CallError> {
        let known = if offset == 0 { None } else { self.products().clone() };
        let mut products = match known {
            Some(products) => products,
            None => self.count(keys).await?,
        };
        let mut found = Vec::new();
        while let Some((product, within)) = place(&products, offset + length(&found))
            && length(&found) < PAGE
        {
            let (mut devices, now) =
                devices::page(&self.client, &self.organisation, product, within / PAGE + 1).await?;
            let skip = usize::try_from(within % PAGE).unwrap_or(usize::MAX);
            devices.drain(..skip.min(devices.len()));
            let expected = (PAGE - within % PAGE).min(now.saturating_sub(within));
            let is_short = length(&devices) < expected;
            let room = usize::try_from(PAGE - length(&found)).unwrap_or(usize::MAX);
            found.extend(devices.into_iter().take(room));
            products = self.recount(product, now);
            if is_short {
                break;
            }
        }
        Ok((found, total(&products)))
    }

    /// Lists the products and counts the devices of each. This begins a scan.
    async fn count(&self, keys: Option<&[String]>) -> Result<Vec<Product>, CallError> {
        let keys = match keys {
            Some(keys) => keys.to_vec(),
            None => devices::products(&self.client, &self.organisation).await?,
        };
        let mut products = Vec::with_capacity(keys.len());
        for key in keys {
            let (_, devices) = devices::page(&self.client, &self.organisation, &key, 1).await?;
            products.push(Product { key, devices });
        }
        *self.products() = Some(products.clone());
        Ok(products)
    }

    /// Notes what a page says about its product, and returns all of them.
    fn recount(&self, key: &str, devices: u64) -> Vec<Product> {
        let mut products = self.products();
        let products = products.get_or_insert_default();
        if let Some(product) = products.iter_mut().find(|product| product.key == key) {
            product.devices = devices;
        }
        products.clone()
    }

    /// Asks for the certificates of those devices that are due.
    async fn read(&self, window: Window, devices: Vec<Device>) -> Result<Page, SourceError> {
        let now = self.clock.now();
        let rows: Vec<u64> = devices.iter().map(Device::digest).collect();
        let due: Vec<Device> = {
            let checks = self.checks();
            let is_due = |device: &Device| checks.is_due(device.digest(), window, now);
            devices.into_iter().filter(is_due).collect()
        };
        let read: Vec<(Device, Answer)> = stream::iter(due)
            .map(|device| self.certificates(device))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        self.doubt(&read)?;
        let mut page = Page { rows, ..Page::default() };
        for (device, answer) in &read {
            let (seen, rejected) = answer.sightings(device);
            let soonest = soonest(&seen, &rejected, now);
            page.checkpoints.push(self.checks().checkpoint(device.digest(), window, soonest, now));
            page.unknown_status.extend(certificates::unknown_status(&seen, &rejected));
            page.sightings.extend(seen);
            page.rejected.extend(rejected);
        }
        Ok(page)
    }

    /// Refuses a page on which most devices could not be read, those aside that could not be read before either: it is
    /// not the devices' fault, the authority behind the service is down.
    fn doubt(&self, read: &[(Device, Answer)]) -> Result<(), SourceError> {
        let checks = self.checks();
        let news: Vec<_> =
            read.iter().filter(|(device, _)| !checks.was_unread(device.digest())).collect();
        let unread = news.iter().filter(|(_, answer)| matches!(answer, Answer::Unread)).count();
        if unread > 1 && unread * 2 > news.len() {
            let text = format!("no certificates of {unread} of {} devices", news.len());
            return Err(SourceError::Unavailable(text));
        }
        Ok(())
    }

    /// Lists the certificates of one device. Failures that are about this device alone are not the page's.
    async fn certificates(&self, device: Device) -> Result<(Device, Answer), CallError> {
        let mut query = vec![("action", "list"), ("orgId", self.organisation.as_ref())];
        query.extend(device.query());
        let call = Call {
            action: LIST_CERTIFICATE,
            path: "/connect-service/v2.0/certificates",
            query: &query,
            body: None,
        };
        let answer = match self.client.call::<Certificates>(call).await {
            // A device without certificates has an empty list; no list at all says nothing.
            Ok(certificates) => certificates.data.map_or(Answer::Nothing, Answer::Rows),
            Err(error) if error.class == Class::Gone => Answer::Rows(Vec::new()),
            Err(error) if error.code == "99400" => {
                tracing::warn!(device = %device.name(), %error, "cannot list the certificates of a device");
                Answer::Unread
            }
            Err(error) => return Err(error),
        };
        Ok((device, answer))
    }
}

/// What a device's certificates are known to be.
enum Answer {
    Rows(Vec<Value>),
    /// The service could not list them.
    Unread,
    /// There is no list in the answer.
    Nothing,
}

impl Answer {
    /// Returns the certificates of `device`, and what could not be understood of them.
    fn sightings(&self, device: &Device) -> (Vec<Sighting>, Vec<Rejected>) {
        let reason = match self {
            Self::Rows(rows) => return certificates::sightings(device, rows),
            Self::Unread => Reason::Unreadable,
            Self::Nothing => Reason::BadField,
        };
        let what = format!("the certificates of {}", device.name());
        (Vec::new(), vec![Rejected { reason, what }])
    }
}

fn soonest(seen: &[Sighting], rejected: &[Rejected], now: Timestamp) -> Soonest {
    if rejected.is_empty() { Soonest::of(seen, now) } else { Soonest::Unread }
}

/// Returns the product that holds the device at `offset`, and the device's place in it.
fn place(products: &[Product], offset: u64) -> Option<(&str, u64)> {
    let mut before = 0_u64;
    for product in products {
        let after = before.saturating_add(product.devices);
        if offset < after {
            return Some((&product.key, offset - before));
        }
        before = after;
    }
    None
}

fn length(devices: &[Device]) -> u64 {
    u64::try_from(devices.len()).unwrap_or(u64::MAX)
}

fn total(products: &[Product]) -> u64 {
    products.iter().fold(0, |sum, product| sum.saturating_add(product.devices))
}

#[cfg(test)]
mod tests;
