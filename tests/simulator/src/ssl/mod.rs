//! The SSL product: one list, and where its certificates are used.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use serde::Deserialize;

use super::Service;
use super::bend::Shape;
use super::clock::Clock;
use super::fault::{Effects, Place};
use super::fleet::{DAY, Fleet, Truth};
use super::random::mix;
use super::tencent::{Answer, Call, Product, Refusal, parameters};
use item::TAG;
use rows::{Certificate, Time};

mod bind;
mod item;
mod rows;

/// The SSL product, and what a test does to it.
pub struct Ssl {
    clock: Clock,
    seed: u64,
    now: i64,
    state: Mutex<State>,
}

struct State {
    /// By index; deleted ones are `None`.
    certificates: Vec<Option<Certificate>>,
    last_offset: u64,
    random: u64,
    bindings: bind::Bindings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ListRequest {
    offset: Option<u64>,
    limit: Option<u64>,
    search_key: Option<String>,
    certificate_type: Option<String>,
    project_id: Option<u64>,
    expiration_sort: Option<String>,
    certificate_status: Option<Vec<u64>>,
    deployable: Option<u64>,
    upload: Option<u64>,
    renew: Option<u64>,
    filter_source: Option<String>,
    #[serde(rename = "IsSM")]
    is_sm: Option<u64>,
    filter_expiring: Option<u64>,
    hostable: Option<u64>,
    tags: Option<Vec<TagFilter>>,
    is_pending_issue: Option<u64>,
    cert_ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct TagFilter {
    tag_key: String,
    tag_value: Option<String>,
}

impl Ssl {
    /// Returns the product with a fleet.
    pub fn new(fleet: &Fleet, clock: Clock) -> Self {
        let first = rows::first(fleet.seed, fleet.now, fleet.ssl);
        let certificates = first.into_iter().map(Some).collect();
        let state = State {
            certificates,
            last_offset: 0,
            random: fleet.seed,
            bindings: bind::Bindings::default(),
        };
        Self { clock, seed: fleet.seed, now: fleet.now, state: Mutex::new(state) }
    }

    /// Adds issued certificates; returns their indexes.
    pub fn insert(&self, count: u64) -> Range<u64> {
        let inserted = self.seconds();
        let mut state = self.lock();
        let first = state.certificates.len() as u64;
        for index in first..first + count {
            let made = rows::ordinary(self.seed, self.now, index);
            state.certificates.push(Some(Certificate { inserted, ..made }));
        }
        first..first + count
    }

    /// Deletes the certificates of a range of indexes; returns how many were still there.
    pub fn delete(&self, indexes: Range<u64>) -> u64 {
        let mut state = self.lock();
        let all = state.certificates.iter_mut();
        let meant = all.skip(indexes.start as usize).take((indexes.end - indexes.start) as usize);
        meant.filter_map(Option::take).count() as u64
    }

    /// Renews a certificate that is there: a new one covers the same names and the old one links to it. Returns the
    /// new one's index.
    pub fn renew(&self, index: u64) -> u64 {
        let new = self.insert(1).start;
        let (now, mut state) = (self.seconds(), self.lock());
        let of = |index: u64| usize::try_from(index).unwrap_or(usize::MAX);
        let old = state.certificates[of(index)].clone().expect("a test renews what is there");
        let certificate = state.certificates[of(new)].as_mut().expect("it was just made");
        certificate.domain.clone_from(&old.domain);
        certificate.names.clone_from(&old.names);
        certificate.origin = Some(old.id);
        (certificate.status, certificate.kind) = (1, old.kind);
        (certificate.begin, certificate.end) = (Time::At(now), Time::At(now + 365 * DAY));
        let id = certificate.id.clone();
        state.certificates[of(index)].as_mut().expect("it is there").renew_order = Some(id);
        new
    }

    /// Returns whether a certificate links to its renewal.
    pub fn is_renewed(&self, index: u64) -> bool {
        let state = self.lock();
        let found = state.certificates.get(index as usize).and_then(Option::as_ref);
        found.is_some_and(|it| it.renew_order.is_some())
    }

    /// Changes the status of a certificate that is there.
    pub fn set_status(&self, index: u64, status: u64) {
        let mut state = self.lock();
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        state.certificates[place].as_mut().expect("a test changes what is there").status = status;
    }

    /// Returns the certificate with an index, if it is there.
    pub fn one(&self, index: u64) -> Option<Truth> {
        self.lock().certificates.get(index as usize)?.as_ref().map(Certificate::truth)
    }

    /// Returns every certificate.
    pub fn truth(&self) -> Vec<Truth> {
        self.lock().certificates.iter().flatten().map(Certificate::truth).collect()
    }

    fn seconds(&self) -> i64 {
        (self.clock)().div_euclid(1000)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn list(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let request: ListRequest = parameters(call.body)?;
        let now = self.seconds();
        let mut state = self.lock();
        let mut offset = request.offset.unwrap_or(0);
        if call.effects.repeat {
            offset = state.last_offset;
        }
        state.last_offset = offset;
        // More than 1000 is clamped without a word.
        let limit = request.limit.unwrap_or(10).min(1000);
        request.check()?;
        let all = state.certificates.iter().flatten();
        let mut found: Vec<&Certificate> = all.filter(|it| request.fits(it, now)).collect();
        request.sort(&mut found);
        let total = found.len();
        let page: Vec<_> = found
            .iter()
            .skip(offset as usize)
            .take(limit as usize)
            .map(|it| it.item(now))
            .collect();
        let mut body = Vec::with_capacity(2200 * page.len() + 128);
        body.extend_from_slice(
            format!(r#"{{"Response":{{"TotalCount":{total},"Certificates":"#).as_bytes(),
        );
        serde_json::to_writer(&mut body, &page).expect("a vector takes every byte");
        body.extend_from_slice(format!(r#","RequestId":"{}"}}}}"#, call.request_id).as_bytes());
        Ok(Answer { body, scope: String::new() })
    }
}

impl ListRequest {
    fn check(&self) -> Result<(), Refusal> {
        let is_one_of = |value: &Option<String>, known: &[&str]| {
            value.as_deref().is_none_or(|value| known.contains(&value))
        };
        let refuse =
            |name: &str| Err(Refusal::new("InvalidParameter", &format!("{name}: unknown value")));
        if !is_one_of(&self.certificate_type, &["CA", "SVR"]) {
            return refuse("CertificateType");
        }
        if !is_one_of(&self.expiration_sort, &["ASC", "DESC"]) {
            return refuse("ExpirationSort");
        }
        if !is_one_of(&self.filter_source, &["upload", "buy"]) {
            return refuse("FilterSource");
        }
        if self.cert_ids.as_ref().is_some_and(|ids| ids.len() > 50) {
            let code = "InvalidParameter.CertificateIdNumberLimit";
            return Err(Refusal::new(code, "at most 50 certificates"));
        }
        Ok(())
    }

    fn fits(&self, it: &Certificate, now: i64) -> bool {
        let flag = |flag: Option<u64>, value: bool| flag != Some(1) || value;
        let exact = |flag: Option<u64>, value: bool| flag.is_none_or(|flag| (flag == 1) == value);
        let found =
            |key: &str| [&it.id, &it.alias, &it.domain].iter().any(|text| text.contains(key));
        let tags = self.tags.as_deref().unwrap_or(&[]);
        let tagged = |tag: &TagFilter| {
            tag.tag_key == TAG.0 && tag.tag_value.as_deref().is_none_or(|value| value == TAG.1)
        };
        self.search_key.as_deref().is_none_or(found)
            && self.certificate_type.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case(it.kind))
            && self.project_id.is_none_or(|project| project == it.project)
            && self.certificate_status.as_ref().is_none_or(|all| all.contains(&it.status))
            && exact(self.deployable, it.deployable())
            && flag(self.upload, it.uploaded)
            && flag(self.renew, it.renew_able(now))
            && self.filter_source.as_ref().is_none_or(|from| (from == "upload") == it.uploaded)
            && flag(self.is_sm, false)
            && flag(self.filter_expiring, it.is_expiring(now))
            && exact(self.hostable, it.deployable())
            && tags.iter().all(tagged)
            && flag(self.is_pending_issue, matches!(it.status, 0 | 4 | 5 | 8 | 13))
            && self.cert_ids.as_ref().is_none_or(|ids| ids.contains(&it.id))
    }

    /// By end if asked to, else by time of application, latest first.
    fn sort(&self, found: &mut [&Certificate]) {
        match self.expiration_sort.as_deref() {
            None => found.sort_by_key(|it| Reverse(it.inserted)),
            Some(direction) => {
                found.sort_by_key(|it| it.end.seconds().unwrap_or(i64::MIN));
                if direction == "DESC" {
                    found.reverse();
                }
            }
        }
    }
}

impl Product for Ssl {
    const SERVICE: Service = Service::Ssl;
    const NAME: &'static str = "ssl";
    const VERSION: &'static str = "2019-12-05";
    const ACTIONS: &'static [&'static str] = &[
        "DescribeCertificates",
        "CreateCertificateBindResourceSyncTask",
        "DescribeCertificateBindResourceTaskResult",
    ];
    const NEEDS_REGION: bool = false;
    const THROTTLE: &'static str = "LimitExceeded.RateLimitExceeded";
    const PREFIX: &'static str = "";

    fn act(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        match call.action {
            "CreateCertificateBindResourceSyncTask" => self.create_task(call),
            "DescribeCertificateBindResourceTaskResult" => self.task_result(call),
            _ => self.list(call),
        }
    }

    fn shape(&self, _action: &str) -> Shape {
        Shape {
            list: "/Response/Certificates",
            total: "/Response/TotalCount",
            end: "CertEndTime",
            status: "Status",
            names: &["CertificateId"],
        }
    }

    fn drift(&self, _scope: &str, effects: &Effects) {
        for (insert, delete, place) in &effects.drifts {
            for _ in 0..*delete {
                self.delete_at(*place);
            }
            if *insert > 0 {
                self.insert(*insert);
            }
        }
    }
}

impl Ssl {
    fn delete_at(&self, place: Place) {
        let mut state = self.lock();
        state.random = mix(state.random, 1);
        let there = state.certificates.iter().enumerate().filter(|(_, it)| it.is_some());
        let there: Vec<usize> = there.map(|(index, _)| index).collect();
        let chosen = match place {
            Place::Head => there.first(),
            Place::Tail => there.last(),
            Place::Random => there.get((state.random % there.len().max(1) as u64) as usize),
        };
        if let Some(index) = chosen {
            state.certificates[*index] = None;
        }
    }
}
