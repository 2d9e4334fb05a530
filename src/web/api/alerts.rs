//! `/api/v1/alerts`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::AlertParameters;
use super::handling::fresh;
use super::parameters::{self, Pairs};
use crate::catalog::{EndingFirst, OpenAlert, OpenAlerts};
use crate::expiry::{Cliff, EventKind, Severity, Timestamp, severity};
use crate::web::Shared;
use crate::web::certificate::{Certificate, rfc3339};
use crate::web::problem::{Document, Problem};

/// Alerts of one answer, where nobody says and at most.
const USUAL: usize = 100;
const MOST: usize = 1000;

/// The alerts about certificates that are open.
#[derive(Serialize, ToSchema)]
pub(super) struct Alerts {
    /// The alerts, in the order in which the certificates became known.
    items: Vec<Alert>,
    /// What will hurt later and was said; on the first page only.
    ahead: Vec<Ahead>,
    /// What to pass as `cursor` for the page after it; `null` when it was the last.
    #[schema(required)]
    next: Option<String>,
}

/// Something that will hurt later, of which was said once.
#[derive(Serialize, ToSchema)]
struct Ahead {
    /// The kind of event.
    #[schema(pattern = "^(ca\\.ends_first|fleet\\.cliff)$")]
    kind: String,
    /// How much it asks of the reader.
    #[schema(pattern = "^warning$")]
    severity: String,
    /// The source.
    source: String,
    /// The authority that ends first; `null` where it is a month.
    #[schema(required)]
    certificate: Option<Certificate>,
    /// How many active certificates it is about: those that end after the authority that signed them, or in the month.
    certificates: u64,
    /// The month, in UTC, in which far more end than were ever renewed in one.
    #[schema(required, pattern = "^[0-9]{4}-[0-9]{2}$")]
    month: Option<String>,
    /// The most that were renewed in one month so far.
    #[schema(required)]
    most_renewed: Option<u64>,
}

impl Ahead {
    fn ends_first(found: &EndingFirst, now: Timestamp) -> Self {
        Self {
            kind: EventKind::CaEndsFirst.as_str().to_owned(),
            severity: Severity::Warning.as_str().to_owned(),
            source: found.entry.facts.source.clone(),
            certificate: Some(Certificate::of(&found.entry, now)),
            certificates: found.leaves,
            month: None,
            most_renewed: None,
        }
    }

    fn cliff(cliff: &Cliff) -> Self {
        Self {
            kind: EventKind::FleetCliff.as_str().to_owned(),
            severity: Severity::Warning.as_str().to_owned(),
            source: cliff.source.to_string(),
            certificate: None,
            certificates: cliff.ending,
            month: Some(cliff.month.to_string()),
            most_renewed: Some(cliff.renewed),
        }
    }
}

/// An alert that is open: what was last said of a certificate.
#[derive(Serialize, ToSchema)]
struct Alert {
    /// The certificate.
    certificate: Certificate,
    /// The tightest rung that was said.
    rung: String,
    /// How much that asked of the reader.
    #[schema(pattern = "^(info|warning|critical)$")]
    severity: String,
    /// When it was decided.
    #[schema(required, format = DateTime)]
    decided_at: Option<String>,
    /// How often that rung was said again.
    reminders: u32,
    /// The channels that were told since it was opened.
    told: Vec<String>,
}

impl Alert {
    fn of(alert: &OpenAlert, now: Timestamp) -> Self {
        let said = alert.notified;
        Self {
            certificate: Certificate::of(&alert.entry, now),
            rung: said.rung.as_label(),
            severity: severity(alert.entry.facts.status, said.rung).as_str().to_owned(),
            decided_at: rfc3339(said.at),
            reminders: u32::from(said.count),
            told: alert.told.clone(),
        }
    }
}

/// Answers the alerts about certificates that are open.
#[utoipa::path(
    get,
    path = "/api/v1/alerts",
    params(AlertParameters),
    responses(
        (status = 200, description = "A page of them.", body = Alerts),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
) -> Result<Response, Problem> {
    let [limit, cursor] = parameters::some(&pairs, ["limit", "cursor"])?;
    let limit = match limit.map(str::parse) {
        None => USUAL,
        Some(Ok(limit @ 1..=MOST)) => limit,
        Some(_) => return Err(Problem::bad("limit: it is a number from 1 to 1000")),
    };
    let after = cursor.map(str::parse::<u32>).transpose();
    let after = after.map_err(|_| Problem::bad("cursor: it is the `next` of the page before"))?;
    let catalog = &shared.state.catalog;
    let read = async { tokio::try_join!(catalog.open_alerts(after, limit), catalog.ends_first()) };
    let (OpenAlerts { items, next }, ends_first) = shared.stored(read).await?;
    let now = shared.state.clock.now();
    let cliffs = catalog.ahead();
    let authorities = ends_first.iter().map(|found| Ahead::ends_first(found, now));
    let ahead = authorities.chain(cliffs.cliffs.iter().map(Ahead::cliff));
    let ahead = ahead.filter(|_| after.is_none()).collect();
    let items = items.iter().map(|alert| Alert::of(alert, now)).collect();
    Ok(fresh(Alerts { items, ahead, next: next.map(|next| next.to_string()) }))
}
