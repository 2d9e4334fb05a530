//! Device certificates and certificate authorities of Tencent Cloud MQTT.
//!
//! A scope is an instance. Its device certificates are one slice, read by pages; its authorities another, which
//! is always read whole, since it is one request. The filter by time is tried out on each instance once a day;
//! where it cannot be trusted, the near slice is the whole one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::tencent::{self, Account, PageLimit, Service};
use super::{Context, Page, Presence, Slice, Source, SourceError, Window};
use crate::client::tencent::{ApiError, Fault, Reply, Tencent, Text, Whole, decode};
use crate::client::{Action, CallError, Class, ClockOffset};
use crate::config::{Fields, Key, Shape, SourceConfig};
use crate::expiry::{Kind, Reason, Rejected};
use instances::Instance;
use list::{PageQuery, Probe, Unit};

mod authorities;
mod endpoints;
mod instances;
mod row_end;
mod list;
mod rows;
mod json;
mod stated_expiry;

/// What `kind = "tencent-mqtt"` is.
pub(super) const KIND: super::Kind = super::Kind {
    name: "tencent-mqtt",
    about: "Tencent Cloud, message queue MQTT: device certificates and their CAs.",
    options: &[
        Key::required("region", Shape::Usually(&REGIONS), "The region, such as ap-guangzhou."),
        tencent::SECRET_ID,
        tencent::SECRET_KEY,
        tencent::TOKEN,
        Key::new(
            "instances",
            Shape::Texts,
            "Instance ids. Without it every instance of the region that has device certificates is read.",
        ),
        tencent::ENDPOINT.or("\"https://mqtt.tencentcloudapi.com\""),
        tencent::RATE.or("10"),
    ],
    build,
    actions: &[
        list::LIST_DEVICES,
        LIST_AUTHORITIES,
        ASK_FOR_DEVICE,
        instances::LIST,
        instances::DESCRIBE,
        endpoints::LIST,
    ],
    windowed: true,
    full_scan_default: Some(Duration::from_hours(24)),
    fixed_scope: None,
    serves: false,
    names_endpoints: true,
};

const LIST_AUTHORITIES: Action = Action::new("DescribeCaCertificates");
const ASK_FOR_DEVICE: Action = Action::new("DescribeDeviceCertificate");

/// The product's list of errors has both; which one is used for a certificate is not documented.
const NOT_FOUND: [&str; 2] = ["ResourceNotFound", "ResourceNotFound.Certificate"];

const SERVICE: Service = Service {
    name: "mqtt",
    version: "2024-05-16",
    endpoint: "https://mqtt.tencentcloudapi.com",
    rate: 10.0,
    limit: 20.0,
};
/// Rows by which pages overlap, so that deletions in between hide nothing.
const OVERLAP: u64 = 10;
/// How long is believed what an instance holds and how its filter works.
const BELIEVED: Duration = Duration::from_hours(24);

/// The vendor's regions. A new one is a warning and no mistake.
const REGIONS: [&str; 19] = [
    "ap-bangkok",
    "ap-beijing",
    "ap-chengdu",
    "ap-chongqing",
    "ap-guangzhou",
    "ap-hongkong",
    "ap-jakarta",
    "ap-mumbai",
    "ap-nanjing",
    "ap-seoul",
    "ap-shanghai",
    "ap-shanghai-fsi",
    "ap-shenzhen-fsi",
    "ap-singapore",
    "ap-tokyo",
    "eu-frankfurt",
    "na-ashburn",
    "na-siliconvalley",
    "sa-saopaulo",
];

/// Builds the source, or reports what is wrong with its options.
fn build(
    config: &SourceConfig,
    mut fields: Fields<'_>,
    context: &Context<'_>,
) -> Option<Arc<dyn Source>> {
    let region = fields.required_string("region");
    if let Some(region) = &region
        && !region.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        fields.mistake(region.span.clone(), "a region is written like `ap-guangzhou`");
    } else if let Some(region) = &region {
        fields.warn_unless_known("region", region, &REGIONS);
    }
    let instances = fields.strings("instances").map(|instances| instances.value);
    let account = Account::read(&mut fields, &SERVICE);
    fields.finish()?;
    let client = account?.client(&SERVICE, &config.name, Some(region?.value), context.deps);
    Some(Arc::new(TencentMqtt::new(client, instances)))
}

struct TencentMqtt {
    client: Tencent,
    /// The configured instances; `None`: all that there are.
    instances: Option<Vec<String>>,
    limit: PageLimit,
    known: Mutex<HashMap<Arc<str>, Known>>,
}

/// What was learnt about an instance.
#[derive(Default)]
struct Known {
    holds: Option<Learnt<Option<Instance>>>,
    filter: Option<Learnt<Option<Unit>>>,
    /// Serials of authorities, which the point read for devices does not know. `None`: not listed yet.
    authorities: Option<BTreeSet<String>>,
}

#[derive(Clone)]
struct Learnt<T> {
    fact: T,
    at: Instant,
}

impl<T: Clone> Learnt<T> {
    fn now(fact: T) -> Self {
        Self { fact, at: Instant::now() }
    }

    fn fresh(&self) -> Option<T> {
        (self.at.elapsed() < BELIEVED).then(|| self.fact.clone())
    }
}

#[async_trait]
impl Source for TencentMqtt {
    fn scopes(&self) -> Option<Vec<Arc<str>>> {
        let instances = self.instances.as_ref()?;
        Some(instances.iter().map(|instance| Arc::from(instance.as_str())).collect())
    }

    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
        let instances = self.instances().await?;
        let slices = stream::iter(instances).map(|instance| self.slices_of(instance, window));
        let slices: Vec<_> = slices.buffered(self.width()).try_collect().await?;
        Ok(slices.into_iter().flatten().collect())
    }

    async fn page(&self, slice: &Slice, offset: u64) -> Result<Page, SourceError> {
        if slice.kind == Some(Kind::Ca) {
            return Ok(self.authorities(&slice.scope).await?);
        }
        let page = self.devices(slice, offset).await?;
        let outside = |rejected: &Rejected| rejected.reason == Reason::OutsideSlice;
        if page.rejected.iter().any(outside) {
            // The filter is not what it was: try it out again before the next scan.
            self.learn(&slice.scope, |known| known.filter = None);
        }
        Ok(page)
    }

    fn width(&self) -> usize {
        self.client.width()
    }

    async fn endpoints(&self) -> Result<Vec<String>, SourceError> {
        let ids = match &self.instances {
            Some(configured) => configured.clone(),
            None => instances::list(&self.client).await?.usable.into_iter().collect(),
        };
        let asked = ids.into_iter().map(|id| endpoints::of(&self.client, id));
        let found: Vec<Vec<String>> =
            stream::iter(asked).buffered(self.width()).try_collect().await?;
        Ok(found.concat())
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        self.client.clock_offset()
    }

    async fn confirm(
        &self,
        scope: &str,
        issuer: &str,
        serial: &str,
    ) -> Result<Presence, SourceError> {
        let listed = self.learn(scope, |known| known.authorities.clone());
        let authorities = match listed {
            Some(authorities) => authorities,
            None => self.list_authorities(scope).await?,
        };
        if authorities.contains(serial) {
            // Seen once as an authority: only their list can say whether it is still there.
            let page = self.authorities(scope).await?;
            let present = page
                .sightings
                .iter()
                .any(|seen| seen.serial == serial && is_same(seen.issuer, issuer));
            return Ok(if present { Presence::Present } else { Presence::NotFound });
        }
        Ok(self.confirm_device(scope, issuer, serial).await?)
    }
}

fn authorities_slice(instance: &Arc<str>, window: Window) -> Slice {
    Slice { kind: Some(Kind::Ca), ..Slice::whole(instance, window, u64::MAX, 0) }
}

impl TencentMqtt {
    fn new(client: Tencent, instances: Option<Vec<String>>) -> Self {
        Self {
            client,
            instances,
            limit: PageLimit::new(list::LIMIT),
            known: Mutex::new(HashMap::new()),
        }
    }

    /// Reads or changes what is known about an instance.
    fn learn<T>(&self, instance: &str, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut known: MutexGuard<'_, _> =
            self.known.lock().unwrap_or_else(PoisonError::into_inner);
        change(known.entry(instance.into()).or_default())
    }

    async fn instances(&self) -> Result<Vec<Instance>, CallError> {
        if let Some(configured) = &self.instances {
            return Ok(configured.iter().map(|id| Instance::whole(id)).collect());
        }
        let ids = instances::list(&self.client).await?;
        let unlisted = self.unlisted(&ids.listed);
        let listed = stream::iter(ids.usable).map(|id| self.describe(id)).buffered(self.width());
        let mut found: Vec<Option<Instance>> = listed.collect().await;
        for (id, holds) in unlisted {
            found.push(self.ask_for(&id, holds).await);
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Returns the instances that were known to hold certificates and are not listed any more.
    fn unlisted(&self, listed: &BTreeSet<String>) -> Vec<(Arc<str>, Instance)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let held = known.iter().filter(|(id, _)| !listed.contains(&***id));
        held.filter_map(|(id, known)| Some((Arc::clone(id), known.holds.clone()?.fact?))).collect()
    }

    /// Asks for an instance by name. It is gone when the provider says so; else it was only kept from the list.
    async fn ask_for(&self, id: &str, known: Instance) -> Option<Instance> {
        match instances::describe(&self.client, id).await {
            Ok(holds) => holds,
            Err(error) if error.class == Class::Gone => {
                tracing::info!(instance = id, "the instance does not exist any more");
                self.learn(id, |known| known.holds = None);
                None
            }
            Err(error) => {
                tracing::warn!(instance = id, %error, "an instance is not listed any more and cannot be asked for");
                Some(known)
            }
        }
    }

    /// Returns what a discovered instance holds. When it cannot be asked, what it held before counts, or else
    /// everything, so that its pages tell what is wrong.
    async fn describe(&self, id: String) -> Option<Instance> {
        let id = id.as_str();
        let known = self.learn(id, |known| known.holds.clone());
        if let Some(holds) = known.as_ref().and_then(Learnt::fresh) {
            return holds;
        }
        match instances::describe(&self.client, id).await {
            Ok(holds) => {
                self.learn(id, |known| known.holds = Some(Learnt::now(holds.clone())));
                holds
            }
            Err(error) => {
                tracing::warn!(instance = id, %error, "cannot ask what certificates an instance has");
                known.map_or_else(|| Some(Instance::whole(id)), |known| known.fact)
            }
        }
    }

    async fn slices_of(
        &self,
        instance: Instance,
        window: Window,
    ) -> Result<Vec<Slice>, SourceError> {
        let mut slices = Vec::new();
        if instance.authorities {
            slices.push(authorities_slice(&instance.id, window));
        }
        if instance.devices {
            slices.push(self.devices_slice(&instance.id, window).await?);
        }
        Ok(slices)
    }

    async fn devices_slice(
        &self,
        instance: &Arc<str>,
        window: Window,
    ) -> Result<Slice, SourceError> {
        let limit = self.limit.rows();
        let all = Slice::whole(instance, window, limit, OVERLAP);
        let cuttable = self.filter(instance).await?.is_some();
        let within = match window {
            Window::Near { from, to } if cuttable => Some((from, to)),
            _ => None,
        };
        Ok(Slice { kind: Some(Kind::Device), within, cuttable, ..all })
    }

    /// Returns how the filter by time works on `instance`, trying it out once a day.
    async fn filter(&self, instance: &str) -> Result<Option<Unit>, SourceError> {
        let known = self.learn(instance, |known| known.filter.clone());
        if let Some(filter) = known.as_ref().and_then(Learnt::fresh) {
            return Ok(filter);
        }
        let limit = self.limit.rows();
        Ok(match list::probe(&self.client, instance, limit).await {
            Ok(Probe::NothingToTry) => None,
            Ok(Probe::Untrusted) => self.learn_filter(instance, None),
            Ok(Probe::Works(unit)) => self.learn_filter(instance, Some(unit)),
            Ok(Probe::Contradicted(how)) => {
                let text =
                    format!("{instance}: {how}; nothing is taken from it, please report this");
                return Err(SourceError::Malformed(text));
            }
            Err(error) => {
                tracing::warn!(instance, %error, "cannot try out the filter by time");
                known.and_then(|known| known.fact)
            }
        })
    }

    fn learn_filter(&self, instance: &str, filter: Option<Unit>) -> Option<Unit> {
        self.learn(instance, |known| known.filter = Some(Learnt::now(filter)));
        filter
    }

    async fn devices(&self, slice: &Slice, offset: u64) -> Result<Page, CallError> {
        let filter = self.learn(&slice.scope, |known| known.filter.clone());
        let unit = filter.and_then(|filter| filter.fact).unwrap_or(Unit::Millis);
        let page = |limit| {
            let query = PageQuery { within: slice.within, unit, offset, limit };
            list::page(&self.client, &slice.scope, query)
        };
        self.limit.read(&slice.scope, page).await
    }

    async fn authorities(&self, instance: &str) -> Result<Page, CallError> {
        let request = OfInstance { instance_id: instance };
        let page = self.client.call(LIST_AUTHORITIES, &request, authorities::page).await?;
        let serials = page.sightings.iter().map(|seen| seen.serial.to_owned());
        self.learn(instance, |known| known.authorities.get_or_insert_default().extend(serials));
        Ok(page)
    }

    /// Returns the serials of the authorities. An instance that cannot list them has none that we ever saw.
    async fn list_authorities(&self, instance: &str) -> Result<BTreeSet<String>, CallError> {
        match self.authorities(instance).await {
            Ok(page) => Ok(page.sightings.iter().map(|seen| seen.serial.to_owned()).collect()),
            Err(error) if error.class == Class::BadRequest => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }

    async fn confirm_device(
        &self,
        instance: &str,
        issuer: &str,
        serial: &str,
    ) -> Result<Presence, CallError> {
        let request = OneDevice { device_certificate_sn: serial, instance_id: instance };
        let (wanted, issuer) = (serial.to_owned(), issuer.to_owned());
        let read = move |body: &[u8]| presence(body, &wanted, &issuer);
        let answer = self.client.call(ASK_FOR_DEVICE, &request, read).await;
        if matches!(answer, Ok((Presence::Present, true))) {
            // A list left it out and was called whole: the filter may not be what it was. Try it out again.
            self.learn(instance, |known| known.filter = None);
        }
        match answer.map(|(presence, _)| presence) {
            Err(error) if NOT_FOUND.contains(&error.code.as_str()) => Ok(Presence::NotFound),
            other => other,
        }
    }
}

/// Reads whether the certificate that was asked for is there, and whether it says when it ends.
fn presence(body: &[u8], wanted: &str, issuer: &str) -> Result<(Presence, bool), Fault> {
    let found = decode::<Found<'_>>(body)?;
    let dated = found.not_after_time.is_some_and(|millis| millis != Whole(0));
    match found.device_certificate_sn.0.as_ref() {
        "" => Ok((Presence::NotFound, false)),
        serial if serial == wanted && is_same(&found.ca_sn.0, issuer) => {
            Ok((Presence::Present, dated))
        }
        // Another authority has signed under the same serial.
        serial if serial == wanted => Ok((Presence::NotFound, false)),
        _ => Err(Fault::Malformed("another certificate than the one asked for".into())),
    }
}

/// Compares two issuers, of which one may have got lost on the way.
fn is_same(issuer: &str, other: &str) -> bool {
    issuer == other || issuer.is_empty() || other.is_empty()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OfInstance<'a> {
    instance_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OneDevice<'a> {
    device_certificate_sn: &'a str,
    instance_id: &'a str,
}

/// The point read: the fields of a row lie in `Response` itself.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found<'a> {
    error: Option<ApiError>,
    #[serde(borrow, default)]
    device_certificate_sn: Text<'a>,
    #[serde(borrow, default)]
    ca_sn: Text<'a>,
    not_after_time: Option<Whole>,
}

impl Reply for Found<'_> {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

#[cfg(test)]
mod tests;
