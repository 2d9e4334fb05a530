//! Where certificates are used: tasks that are done at the second look.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Ssl;
use crate::tencent::{Answer, Call, Refusal, parameters};

/// The products that a task looks through.
const PRODUCTS: [&str; 3] = ["clb", "cdn", "waf"];

/// What is used where, and the tasks that were begun.
#[derive(Default)]
pub(super) struct Bindings {
    /// Product and region, by certificate.
    used: BTreeMap<String, Vec<(String, String)>>,
    /// How often each task was looked at; its number is part of its name.
    looks: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct CreateRequest {
    certificate_ids: Vec<String>,
    is_cache: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ResultRequest {
    task_ids: Vec<String>,
}

impl Ssl {
    /// Uses a certificate in a product and region; without one it is used nowhere any more.
    pub fn bind(&self, index: u64, used: Option<(&str, &str)>) {
        let mut state = self.lock();
        let certificate = state.certificates.get(index as usize).and_then(Option::as_ref);
        let id = certificate.expect("a test binds what is there").id.clone();
        let used = used.map(|(product, region)| (product.to_owned(), region.to_owned()));
        state.bindings.used.insert(id, used.into_iter().collect());
    }

    pub(super) fn create_task(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let request: CreateRequest = parameters(call.body)?;
        if request.certificate_ids.len() > 100 || request.is_cache > 1 {
            return Err(Refusal::value("CertificateIds", "at most 100, IsCache 0 or 1"));
        }
        let mut state = self.lock();
        let tasks: Vec<Value> = request
            .certificate_ids
            .iter()
            .map(|id| {
                let number = state.bindings.looks.len();
                let task = format!("{number}:{id}");
                state.bindings.looks.insert(task.clone(), 0);
                json!({"CertId": id, "TaskId": task})
            })
            .collect();
        Ok(answer(&json!({"CertTaskIds": tasks}), call))
    }

    pub(super) fn task_result(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let request: ResultRequest = parameters(call.body)?;
        let mut state = self.lock();
        let results: Vec<Value> =
            request.task_ids.iter().map(|task| state.bindings.result(task)).collect();
        Ok(answer(&json!({"SyncTaskBindResourceResult": results}), call))
    }
}

impl Bindings {
    fn result(&mut self, task: &str) -> Value {
        let Some(looks) = self.looks.get_mut(task) else {
            return json!({"TaskId": task, "Status": 2, "Error": {"Code": "NoSuchTask", "Message": ""}});
        };
        *looks += 1;
        if *looks < 2 {
            return json!({"TaskId": task, "Status": 0, "Error": null, "CacheTime": null, "BindResourceResult": []});
        }
        let id = task.split_once(':').map_or(task, |(_, id)| id);
        let used = self.used.get(id).cloned().unwrap_or_default();
        let product = |product: &&str| {
            let count =
                |region: &str| used.iter().filter(|(p, r)| p == product && r == region).count();
            let regions = ["", "ap-guangzhou"]
                .map(|region| json!({"Region": region, "TotalCount": count(region), "Error": ""}));
            json!({"ResourceType": product, "BindResourceRegionResult": regions})
        };
        let products: Vec<Value> = PRODUCTS.iter().map(product).collect();
        json!({"TaskId": task, "Status": 1, "Error": null, "CacheTime": "2026-01-01 00:00:00",
            "BindResourceResult": products})
    }
}

fn answer(response: &Value, call: &Call<'_>) -> Answer {
    let mut response = response.clone();
    response["RequestId"] = json!(call.request_id);
    let body = json!({ "Response": response }).to_string().into_bytes();
    Answer { body, scope: String::new() }
}
