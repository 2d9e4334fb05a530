//! `/api/v1/audit`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::AuditParameters;
use super::handling::fresh;
use super::parameters::{self, Pairs};
use crate::expiry::Timestamp;
use crate::store::{AuditEntry, AuditQuery};
use crate::web::Shared;
use crate::web::certificate::rfc3339;
use crate::web::problem::{Document, Problem};

/// Entries of one answer.
const MOST: usize = 1000;

/// What happened, in its order.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Audit {
    /// The entries.
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<serde_json::Value>,
    /// What to pass as `after` for what comes next; `null` when this was all.
    #[schema(required)]
    pub next: Option<i64>,
}

impl Audit {
    /// Returns what is answered of some entries.
    pub fn of(entries: &[(i64, AuditEntry)], limit: usize) -> Self {
        let last = entries.last().filter(|_| entries.len() >= limit);
        Self {
            items: entries.iter().map(|(_, entry)| object(entry)).collect(),
            next: last.map(|(number, _)| *number),
        }
    }
}

/// Returns the object of an entry: when, about what, and what happened.
fn object(entry: &AuditEntry) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    object.insert("at".to_owned(), rfc3339(entry.at).into());
    object.insert("certificate".to_owned(), entry.certificate.clone().into());
    if let Ok(serde_json::Value::Object(what)) = serde_json::to_value(&entry.what) {
        object.extend(what);
    }
    object.into()
}

/// Answers what happened: scans that ended, decisions, messages with their verdicts, reloads, starts and stops.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    params(AuditParameters),
    responses(
        (status = 200, description = "What happened.", body = Audit),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
) -> Result<Response, Problem> {
    let names = ["since", "certificate", "after"];
    let [since, certificate, after] = parameters::some(&pairs, names)?;
    let since = since.map(|text| {
        let time = chrono::DateTime::parse_from_rfc3339(text);
        time.map(|time| Timestamp::from_seconds(time.timestamp()))
    });
    let since = since.transpose().map_err(|_| Problem::bad("since: it is a time of RFC 3339"))?;
    let after =
        after.map_or(Ok(0), str::parse).map_err(|_| Problem::bad("after: it is a number"))?;
    let ids = certificate.into_iter().flat_map(|ids| ids.split(','));
    let certificates: Vec<String> = ids.map(str::to_owned).collect();
    let query = AuditQuery { since, certificates, after, limit: MOST };
    let found = shared.stored(shared.state.store.audit(&query)).await?;
    Ok(fresh(Audit::of(&found, MOST)))
}
