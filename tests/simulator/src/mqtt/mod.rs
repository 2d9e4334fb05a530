//! The MQTT product: instances, their device certificates, their CAs.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use super::clock::Clock;
use super::fault::{Effects, Place};
use super::fleet::{Data, Fleet, Instance, Truth};
use super::random::mix;
use super::tencent::{Answer, Call, Product, Refusal, parameters};
use super::{Service, bend::Shape};
use authority::Authority;
use instances::{InstanceRequest, InstancesRequest};
use row::COMMON_NAME;
use rows::Rows;
use select::{ListRequest, Misreading, Selection};
use varied::Varied;

use crate::certificate::{Escapes, Template};

mod authority;
mod blocks;
mod instances;
mod row;
mod rows;
mod select;
mod varied;

pub use row::{Names, Status};

/// How the provider says that a certificate does not exist; it is not documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// `ResourceNotFound.Certificate`.
    Certificate,
    /// `ResourceNotFound`.
    Plain,
    /// A good answer without a certificate.
    Empty,
}

/// The MQTT product, and what a test does to it.
pub struct Mqtt {
    clock: Clock,
    usual: Template,
    varied: Varied,
    state: Mutex<State>,
}

struct State {
    instances: Vec<Held>,
    not_found: NotFound,
    /// The page before, by instance, for the fault that repeats it.
    last_offset: HashMap<String, u64>,
    random: u64,
}

struct Held {
    spec: Instance,
    status: &'static str,
    rows: Rows,
    authorities: Vec<Authority>,
    /// Where it serves TLS to the public: `host:port`.
    public: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct PointRequest {
    device_certificate_sn: Option<String>,
    instance_id: Option<String>,
}

impl Mqtt {
    /// Returns the product with a fleet.
    pub fn new(fleet: &Fleet, clock: Clock) -> Self {
        let hold = |spec: &Instance| Held {
            spec: spec.clone(),
            status: "RUNNING",
            rows: Rows::new(fleet.seed, fleet.now, spec),
            authorities: Authority::of(fleet, spec),
            public: None,
        };
        let state = State {
            instances: fleet.instances.iter().map(hold).collect(),
            not_found: NotFound::Certificate,
            last_offset: HashMap::new(),
            random: fleet.seed,
        };
        let usual = Template::new(fleet.seed, COMMON_NAME, false, Escapes::Few);
        Self { clock, usual, varied: Varied::new(fleet.seed), state: Mutex::new(state) }
    }

    /// Adds device certificates that end in a year; returns their indexes.
    pub fn insert(&self, instance: &str, count: u64) -> Range<u64> {
        let now = (self.clock)();
        self.change(instance, |held| held.rows.insert(count, now))
    }

    /// Adds device certificates that all end at one second; returns their indexes.
    pub fn insert_ending(&self, instance: &str, count: u64, end: i64) -> Range<u64> {
        let now = (self.clock)();
        self.change(instance, |held| held.rows.insert_ending(count, end, now))
    }

    /// Gives an instance a public endpoint for TLS, as `host:port`.
    pub fn open_to_the_public(&self, instance: &str, address: &str) {
        self.change(instance, |held| held.public = Some(address.to_owned()));
    }

    /// Deletes the device certificates of a range of indexes; returns how many were still there.
    pub fn delete(&self, instance: &str, indexes: Range<u64>) -> u64 {
        self.change(instance, |held| held.rows.delete(indexes))
    }

    /// Makes a new certificate for the client of another, ending in a year; returns its index.
    pub fn renew(&self, instance: &str, index: u64) -> u64 {
        let now = (self.clock)();
        self.change(instance, |held| held.rows.renew(index, now))
    }

    /// Changes the status of a device certificate.
    pub fn set_status(&self, instance: &str, index: u64, status: Status) {
        let now = (self.clock)();
        self.change(instance, |held| held.rows.set_status(index, status, now));
    }

    /// Changes the names on a device certificate; the PEM keeps its own.
    pub fn set_names(&self, instance: &str, index: u64, names: Names) {
        let now = (self.clock)();
        self.change(instance, |held| held.rows.set_names(index, names, now));
    }

    /// Changes the status of an instance, to `CREATING` or `DELETING` for example.
    pub fn set_instance_status(&self, instance: &str, status: &'static str) {
        self.change(instance, |held| held.status = status);
    }

    /// Removes an instance, as if it was deleted or the account may not see it any more.
    pub fn remove_instance(&self, instance: &str) {
        self.lock().instances.retain(|held| held.spec.id != instance);
    }

    /// Chooses how a certificate that does not exist is answered.
    pub fn set_not_found(&self, not_found: NotFound) {
        self.lock().not_found = not_found;
    }

    /// Returns how many device certificates an instance has.
    pub fn count(&self, instance: &str) -> u64 {
        self.change(instance, |held| held.rows.live())
    }

    /// Returns the index of the n-th device certificate that is there, in order of creation.
    pub fn nth(&self, instance: &str, n: u64) -> Option<u64> {
        self.change(instance, |held| held.rows.nth(n))
    }

    /// Returns the device certificate with an index, deleted or not.
    pub fn one(&self, instance: &str, index: u64) -> Truth {
        self.change(instance, |held| held.rows.row(index).truth())
    }

    /// Returns every device certificate of an instance, in order of creation.
    pub fn truth(&self, instance: &str) -> Vec<Truth> {
        let mut all = Vec::new();
        self.each_truth(instance, |truth| all.push(truth));
        all
    }

    /// Visits every device certificate of an instance, in order of creation.
    pub fn each_truth(&self, instance: &str, mut visit: impl FnMut(Truth)) {
        self.change(instance, |held| {
            let end = held.rows.next_index();
            let live = (0..end).filter(|index| held.rows.is_live(*index));
            live.for_each(|index| visit(held.rows.row(index).truth()));
        });
    }

    /// Returns every CA of an instance.
    pub fn authorities(&self, instance: &str) -> Vec<Truth> {
        self.change(instance, |held| held.authorities.iter().map(Authority::truth).collect())
    }

    fn change<T>(&self, instance: &str, change: impl FnOnce(&mut Held) -> T) -> T {
        let mut state = self.lock();
        let held = state.instances.iter_mut().find(|held| held.spec.id == instance);
        change(held.expect("a test names an instance of its fleet"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in a test that holds the state leaves it whole: each change is one step.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn list(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let request: ListRequest = parameters(call.body)?;
        let misreading = Misreading {
            ignored: call.effects.filter_ignored,
            seconds: call.effects.filter_in_seconds,
        };
        let mut selection = Selection::of(&request, misreading)?;
        if call.effects.reach.is_some_and(|most| selection.offset > most) {
            return Err(Refusal::value("Offset", "`Offset` is too large"));
        }
        let mut state = self.lock();
        let id = request.instance_id.ok_or_else(|| Refusal::missing("InstanceId"))?;
        if call.effects.repeat {
            selection.offset = state.last_offset.get(&id).copied().unwrap_or(selection.offset);
        }
        state.last_offset.insert(id.clone(), selection.offset);
        let held = state.ready(&id, call.region)?;
        let (total, page) = held.rows.select(&selection);
        let mut body = Vec::with_capacity(3600 * page.len() + 256);
        body.extend_from_slice(format!(r#"{{{}"Response":{{"Data":["#, Self::PREFIX).as_bytes());
        for (place, index) in page.iter().enumerate() {
            body.extend_from_slice(if place == 0 { b"{" } else { b",{" });
            self.write_fields(held, *index, &mut body);
            body.push(b'}');
        }
        let tail = format!(r#"],"RequestId":"{}","TotalCount":{total}}}}}"#, call.request_id);
        body.extend_from_slice(tail.as_bytes());
        Ok(Answer { body, scope: id })
    }

    /// Appends the fields of a row, without the braces around them.
    fn write_fields(&self, held: &Held, index: u64, out: &mut Vec<u8>) {
        let row = held.rows.row(index);
        match held.spec.data {
            Data::Usual => row.write_fields(&self.usual, out),
            Data::Varied => self.varied.write_fields(&row, out),
        }
    }

    fn point(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let request: PointRequest = parameters(call.body)?;
        let missing = |name: &str| Refusal::missing(name);
        let serial = request.device_certificate_sn.ok_or_else(|| missing("DeviceCertificateSn"))?;
        let id = request.instance_id.ok_or_else(|| missing("InstanceId"))?;
        let state = self.lock();
        let held = state.ready(&id, call.region)?;
        let mut body = format!(r#"{{{}"Response":{{"#, Self::PREFIX).into_bytes();
        match held.rows.find(&serial) {
            Some(index) => {
                self.write_fields(held, index, &mut body);
                body.push(b',');
            }
            None if state.not_found == NotFound::Empty => {}
            None => return Err(state.not_found.refusal()),
        }
        body.extend_from_slice(format!(r#""RequestId":"{}"}}}}"#, call.request_id).as_bytes());
        Ok(Answer { body, scope: id })
    }

    fn authorities_page(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let request: InstanceRequest = parameters(call.body)?;
        let id = request.instance_id.ok_or_else(|| Refusal::missing("InstanceId"))?;
        let state = self.lock();
        let held = state.ready(&id, call.region)?;
        let rows: Vec<String> = held.authorities.iter().map(Authority::json).collect();
        let (rows, request_id) = (rows.join(","), call.request_id);
        let body = format!(
            r#"{{{}"Response":{{"Data":[{rows}],"RequestId":"{request_id}"}}}}"#,
            Self::PREFIX
        );
        Ok(Answer { body: body.into_bytes(), scope: id })
    }

    fn instances(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let request: InstancesRequest = parameters(call.body)?;
        let state = self.lock();
        let here = state.instances.iter().filter(|held| held.spec.region == call.region);
        let body = instances::list(&request, here, call.request_id)?;
        Ok(Answer { body, scope: String::new() })
    }

    fn instance(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let request: InstanceRequest = parameters(call.body)?;
        let id = request.instance_id.ok_or_else(|| Refusal::missing("InstanceId"))?;
        let state = self.lock();
        let body = instances::one(state.held(&id, call.region)?, call.request_id);
        Ok(Answer { body, scope: id })
    }

    fn public_endpoints(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let request: InstanceRequest = parameters(call.body)?;
        let id = request.instance_id.ok_or_else(|| Refusal::missing("InstanceId"))?;
        let state = self.lock();
        let body = instances::public_endpoints(state.held(&id, call.region)?, call.request_id);
        Ok(Answer { body, scope: id })
    }
}

impl NotFound {
    fn refusal(self) -> Refusal {
        let code = match self {
            Self::Plain => "ResourceNotFound",
            Self::Certificate | Self::Empty => "ResourceNotFound.Certificate",
        };
        Refusal::new(code, "the certificate does not exist")
    }
}

impl State {
    fn held(&self, id: &str, region: &str) -> Result<&Held, Refusal> {
        let is_meant = |held: &&Held| held.spec.id == id && held.spec.region == region;
        let refusal = || Refusal::new("ResourceNotFound.Instance", "the instance does not exist");
        self.instances.iter().find(is_meant).ok_or_else(refusal)
    }

    /// An instance whose certificates can be listed.
    fn ready(&self, id: &str, region: &str) -> Result<&Held, Refusal> {
        let held = self.held(id, region)?;
        if held.spec.basic {
            let message = "this edition has no certificates";
            return Err(Refusal::new("InvalidParameter.InstanceTypeNotMatch", message));
        }
        if matches!(held.status, "CREATING" | "DELETING") {
            let message = "the instance is not ready";
            return Err(Refusal::new("FailedOperation.InstanceNotReady", message));
        }
        Ok(held)
    }
}

impl Product for Mqtt {
    const SERVICE: Service = Service::Mqtt;
    const NAME: &'static str = "mqtt";
    const VERSION: &'static str = "2024-05-16";
    const ACTIONS: &'static [&'static str] = &[
        "DescribeCaCertificates",
        "DescribeDeviceCertificate",
        "DescribeDeviceCertificates",
        "DescribeInsPublicEndpoints",
        "DescribeInstance",
        "DescribeInstanceList",
    ];
    const NEEDS_REGION: bool = true;
    const THROTTLE: &'static str = "RequestLimitExceeded";
    /// The product's answers have these beside `Response`.
    const PREFIX: &'static str = r#""Error":null,"RequestId":null,"#;

    fn act(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        match call.action {
            "DescribeDeviceCertificates" => self.list(call),
            "DescribeDeviceCertificate" => self.point(call),
            "DescribeCaCertificates" => self.authorities_page(call),
            "DescribeInstanceList" => self.instances(call),
            "DescribeInsPublicEndpoints" => self.public_endpoints(call),
            _ => self.instance(call),
        }
    }

    fn shape(&self, _action: &str) -> Shape {
        Shape {
            list: "/Response/Data",
            total: "/Response/TotalCount",
            end: "NotAfterTime",
            status: "Status",
            names: &["DeviceCertificateSn", "CaSn", "CaIssuerCn", "InstanceId"],
        }
    }

    fn drift(&self, scope: &str, effects: &Effects) {
        if effects.drifts.is_empty() || scope.is_empty() {
            return;
        }
        let now = (self.clock)();
        let mut state = self.lock();
        let State { instances, random, .. } = &mut *state;
        let Some(held) = instances.iter_mut().find(|held| held.spec.id == scope) else { return };
        for (insert, delete, place) in &effects.drifts {
            for _ in 0..*delete {
                *random = mix(*random, 1);
                held.rows.delete_at(*place, *random);
            }
            if *insert > 0 {
                held.rows.insert(*insert, now);
            }
        }
    }
}

impl Rows {
    /// Deletes one row at a place; a random one by a random number.
    fn delete_at(&mut self, place: Place, random: u64) {
        let live = self.live();
        if live == 0 {
            return;
        }
        let n = match place {
            Place::Head => 0,
            Place::Tail => live - 1,
            Place::Random => random % live,
        };
        if let Some(index) = self.nth(n) {
            self.delete(index..index + 1);
        }
    }
}
