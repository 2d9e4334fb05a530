//! Where Tencent Cloud uses certificates: a task that looks through its products, asked for few of them.
//!
//! `CreateCertificateBindResourceSyncTask` begins a task for each certificate, and
//! `DescribeCertificateBindResourceTaskResult` says what it found: by product and region a count, or an error. Where
//! nothing was found and something could not be looked at, nothing is known.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use crate::client::tencent::{ApiError, Reply, Tencent, decode};
use crate::client::{Action, CallError};
use crate::source::Bound;

pub(super) const CREATE: Action = Action::new("CreateCertificateBindResourceSyncTask");
pub(super) const RESULT: Action = Action::new("DescribeCertificateBindResourceTaskResult");

/// The most certificates, and tasks, of one request.
const AT_ONCE: usize = 100;

/// How long an answer is not asked for again.
const FRESH: Duration = Duration::from_hours(6);

/// How long an answer stands while the provider cannot be asked.
const STALE: Duration = Duration::from_hours(24);

/// How long a task that has not ended is waited for. Then it is begun anew.
const PATIENCE: Duration = Duration::from_hours(1);

/// Looks at a task in one poll, each after a pause: most are done at once. The next poll looks again, so that none waits.
const LOOKS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(500)];

/// How long one poll asks at most: the next one must not be late.
const WITHIN: Duration = Duration::from_secs(10);

/// A task that has come to its end.
const DONE: i64 = 1;
const FAILED: i64 = 2;

/// The answers, and the tasks that have not ended.
#[derive(Default)]
pub(super) struct Uses(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By certificate, with when they were given.
    answers: BTreeMap<String, (Instant, Bound)>,
    /// By task: the certificate, and when it was begun.
    tasks: BTreeMap<String, (String, Instant)>,
}

impl Uses {
    /// Returns where certificates are used, asking about those of which it is not known or was long ago.
    pub(super) async fn of(&self, client: &Tencent, serials: &[String]) -> Vec<Option<Bound>> {
        self.lock().forget_old();
        let asked = timeout(WITHIN, self.ask(client, serials)).await;
        let asked = asked.map_err(|_| format!("no answer within {WITHIN:?}"));
        let asked = asked.and_then(|asked| asked.map_err(|error| error.to_string()));
        if let Err(error) = asked {
            tracing::warn!(%error, "it is not known where certificates are in use that were renewed");
            self.lock().tasks.clear();
        }
        let known = self.lock();
        serials.iter().map(|serial| known.of(serial)).collect()
    }

    /// Begins a task for each certificate that has none, and looks at those that there are.
    async fn ask(&self, client: &Tencent, serials: &[String]) -> Result<(), CallError> {
        let missing = self.lock().missing(serials);
        for some in missing.chunks(AT_ONCE) {
            let request = Create { certificate_ids: some, is_cache: 1 };
            let begun = client.call(CREATE, &request, |body| decode::<Begun>(body)).await?;
            self.lock().begin(begun.cert_task_ids.unwrap_or_default());
        }
        for pause in LOOKS {
            let tasks: Vec<String> = self.lock().tasks.keys().cloned().collect();
            if tasks.is_empty() {
                break;
            }
            tokio::time::sleep(pause).await;
            for some in tasks.chunks(AT_ONCE) {
                let request = Ask { task_ids: some };
                let results = client.call(RESULT, &request, |body| decode::<Results>(body)).await?;
                self.lock().end(&results.sync_task_bind_resource_result.unwrap_or_default());
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget_old(&mut self) {
        self.answers.retain(|_, (at, _)| at.elapsed() < STALE);
    }

    /// Returns which of them are to be asked about.
    fn missing(&self, serials: &[String]) -> Vec<String> {
        let is_fresh =
            |serial: &str| self.answers.get(serial).is_some_and(|(at, _)| at.elapsed() < FRESH);
        let missing = serials.iter().filter(|one| !is_fresh(one) && !self.is_asked(one));
        missing.cloned().collect()
    }

    fn is_asked(&self, serial: &str) -> bool {
        self.tasks.values().any(|(one, _)| one == serial)
    }

    fn begin(&mut self, tasks: Vec<Task>) {
        let now = Instant::now();
        let begun = tasks.into_iter().filter_map(|task| Some((task.task_id?, task.cert_id?)));
        self.tasks.extend(begun.map(|(task, serial)| (task, (serial, now))));
    }

    /// Takes in what tasks found. One that failed, or does not end, says nothing, which takes the place of no answer.
    fn end(&mut self, findings: &[Finding]) {
        let now = Instant::now();
        for (task, bound) in findings.iter().filter_map(Finding::bound) {
            let Some((serial, _)) = self.tasks.remove(task) else { continue };
            if bound != Bound::Unknown {
                self.answers.insert(serial, (now, bound));
            }
        }
        self.tasks.retain(|_, (_, begun)| begun.elapsed() < PATIENCE);
    }

    fn of(&self, serial: &str) -> Option<Bound> {
        match self.answers.get(serial) {
            Some((_, bound)) => Some(bound.clone()),
            None if self.is_asked(serial) => None,
            None => Some(Bound::Unknown),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Create<'a> {
    certificate_ids: &'a [String],
    /// Whether a result of the last half hour will do.
    is_cache: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ask<'a> {
    task_ids: &'a [String],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Begun {
    error: Option<ApiError>,
    cert_task_ids: Option<Vec<Task>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Task {
    cert_id: Option<String>,
    task_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Results {
    error: Option<ApiError>,
    sync_task_bind_resource_result: Option<Vec<Finding>>,
}

/// What one task found.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Finding {
    task_id: Option<String>,
    status: Option<i64>,
    bind_resource_result: Option<Vec<Product>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Product {
    resource_type: Option<String>,
    bind_resource_region_result: Option<Vec<InRegion>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InRegion {
    region: Option<String>,
    total_count: Option<u64>,
    error: Option<String>,
}

impl Reply for Begun {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

impl Reply for Results {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

impl Finding {
    /// Returns the task and what it found, once it has come to its end.
    fn bound(&self) -> Option<(&str, Bound)> {
        let id = self.task_id.as_deref()?;
        match self.status? {
            DONE => Some((id, self.found())),
            FAILED => Some((id, Bound::Unknown)),
            _ => None,
        }
    }

    fn found(&self) -> Bound {
        let Some(products) = &self.bind_resource_result else { return Bound::Unknown };
        let used: Vec<String> = products.iter().flat_map(Product::used).collect();
        match used.is_empty() {
            false => Bound::To(Arc::from(used)),
            true if products.iter().all(Product::is_known) => Bound::Nowhere,
            true => Bound::Unknown,
        }
    }
}

impl Product {
    fn regions(&self) -> &[InRegion] {
        self.bind_resource_region_result.as_deref().unwrap_or_default()
    }

    fn used(&self) -> impl Iterator<Item = String> {
        let product = self.resource_type.as_deref().unwrap_or_default();
        let used = self.regions().iter().filter(|region| region.total_count.unwrap_or(0) > 0);
        used.map(move |region| {
            let region = region.region.as_deref().unwrap_or_default();
            format!("{product} {region}").trim().to_owned()
        })
    }

    /// A count of nothing beside an error is no count.
    fn is_known(&self) -> bool {
        let fine = |region: &InRegion| {
            region.total_count.is_some() && region.error.as_deref().unwrap_or_default().is_empty()
        };
        self.bind_resource_region_result.is_some() && self.regions().iter().all(fine)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

    use serde_json::{Value, json};

    use super::super::{SERVICE, TencentSsl};
    use super::*;
    use crate::client::fake::{Reply as Answer, Seen};
    use crate::source::Source as _;
    use crate::source::tencent::client_in_process;

    fn region(region: &str, count: u64, error: &str) -> Value {
        json!({"Region": region, "TotalCount": count, "Error": error})
    }

    fn product(name: &str, regions: &[Value]) -> Value {
        json!({"ResourceType": name, "BindResourceRegionResult": regions})
    }

    fn to(places: &[&str]) -> Bound {
        Bound::To(places.iter().map(|place| (*place).to_owned()).collect())
    }

    /// A provider whose tasks are done at the third look; that of the certificate `bad` fails.
    #[derive(Default)]
    struct Provider {
        refuses: AtomicBool,
        created: AtomicU32,
        looks: AtomicU32,
    }

    impl Provider {
        fn source(self: &Arc<Self>) -> TencentSsl {
            let provider = Arc::clone(self);
            TencentSsl::new(client_in_process(&SERVICE, move |seen| provider.answer(seen)))
        }

        fn answer(&self, seen: &Seen) -> Answer {
            if self.refuses.load(SeqCst) {
                let error = json!({"Code": "UnauthorizedOperation", "Message": "no"});
                return Answer::json(&json!({"Response": {"Error": error}}));
            }
            let request = seen.json();
            let ids = |name: &str| -> BTreeSet<String> {
                serde_json::from_value(request[name].clone()).unwrap()
            };
            if seen.header("x-tc-action") == CREATE.as_str() {
                self.created.fetch_add(1, SeqCst);
                let task = |id| json!({"CertId": id, "TaskId": format!("t-{id}")});
                let tasks: Vec<Value> = ids("CertificateIds").iter().map(task).collect();
                return Answer::json(&json!({"Response": {"CertTaskIds": tasks}}));
            }
            let done = self.looks.fetch_add(1, SeqCst) >= 2;
            let clb = product("clb", &[region("ap-guangzhou", 1, "")]);
            let result = |id: &String| match id.as_str() {
                _ if !done => json!({"TaskId": id, "Status": 0}),
                "t-bad" => json!({"TaskId": id, "Status": FAILED, "Error": {"Code": "x"}}),
                _ => json!({"TaskId": id, "Status": DONE, "BindResourceResult": [clb]}),
            };
            let results: Vec<Value> = ids("TaskIds").iter().map(result).collect();
            Answer::json(&json!({"Response": {"SyncTaskBindResourceResult": results}}))
        }
    }

    #[test]
    fn what_tasks_find_in_all_its_shapes() {
        let clb = product("clb", &[region("ap-guangzhou", 2, ""), region("ap-beijing", 0, "")]);
        let broken = product("waf", &[region("", 0, "no role")]);
        let nothing = product("cdn", &[region("", 0, "")]);
        let counts_nothing = json!({"ResourceType": "cdn", "BindResourceRegionResult": [{}]});
        for (products, expected) in [
            (json!([clb, product("cdn", &[region("", 1, "")])]), to(&["clb ap-guangzhou", "cdn"])),
            (json!([clb, broken]), to(&["clb ap-guangzhou"])),
            (json!([nothing, broken]), Bound::Unknown),
            (json!([nothing]), Bound::Nowhere),
            (json!([{"ResourceType": "cdn"}]), Bound::Unknown),
            (json!([counts_nothing]), Bound::Unknown),
            (json!([]), Bound::Nowhere),
            (Value::Null, Bound::Unknown),
        ] {
            let result = json!({"TaskId": "t", "Status": DONE, "BindResourceResult": products});
            let result: Finding = serde_json::from_value(result).unwrap();
            assert_eq!(result.bound(), Some(("t", expected)), "{products}");
        }
        let running: Finding = serde_json::from_value(json!({"TaskId": "t", "Status": 0})).unwrap();
        assert_eq!(running.bound(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_holds_up_no_poll_and_its_answer_holds_for_six_hours() {
        let provider = Arc::new(Provider::default());
        let source = provider.source();
        let serials = ["good".to_owned(), "bad".to_owned()];
        let used = to(&["clb ap-guangzhou"]);
        let known = [Some(used.clone())];
        assert!(source.tells_use());
        assert_eq!(source.bound(&serials).await, [None, None], "the next poll looks again");
        assert_eq!(source.bound(&serials).await, [Some(used.clone()), Some(Bound::Unknown)]);
        assert_eq!(source.bound(&serials[..1]).await, known);
        assert_eq!(provider.created.load(SeqCst), 1);
        tokio::time::advance(FRESH).await;
        assert_eq!(source.bound(&serials[..1]).await, known);
        assert_eq!(provider.created.load(SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_right_nothing_is_known_and_the_last_answer_stands_for_a_day() {
        let provider = Arc::new(Provider::default());
        let source = provider.source();
        let (serials, known) = (["good".to_owned()], [Some(to(&["clb ap-guangzhou"]))]);
        assert_eq!(source.bound(&serials).await, [None]);
        assert_eq!(source.bound(&serials).await, known);
        provider.refuses.store(true, SeqCst);
        tokio::time::advance(FRESH * 2).await;
        assert_eq!(source.bound(&serials).await, known);
        tokio::time::advance(STALE).await;
        assert_eq!(source.bound(&serials).await, [Some(Bound::Unknown)]);
    }
}
