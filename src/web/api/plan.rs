//! `/api/v1/plan`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::PlanParameters;
use super::handling::fresh;
use super::parameters::{self, Pairs};
use crate::catalog::{Outlook, PlanQuery, Planned, PlannedAhead, PlannedLine};
use crate::expiry::{Facts, Rung};
use crate::web::Shared;
use crate::web::certificate::rfc3339;
use crate::web::problem::{Document, Problem};

/// Messages of one answer.
const MOST: usize = 1000;

/// Days that are looked ahead at most.
const DAYS: i64 = 400;

/// Who will be told what and when, if nothing changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlanAnswer {
    /// From when on.
    #[schema(required, format = DateTime)]
    pub from: Option<String>,
    /// Until when.
    #[schema(required, format = DateTime)]
    pub until: Option<String>,
    /// The messages, the first first.
    pub messages: Vec<PlannedMessage>,
    /// Whether there are more.
    pub more: bool,
    /// Certificates that were not looked at, because there are too many.
    pub left_out: u64,
}

/// One message to one channel.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlannedMessage {
    /// When it will be decided, or waits no longer because its routes are muted.
    #[schema(required, format = DateTime)]
    pub at: Option<String>,
    /// The channel.
    pub channel: String,
    /// How many events will be in it.
    pub events: u64,
    /// What it will say.
    pub lines: Vec<PlannedGroup>,
}

/// What a message will say of some certificates.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlannedGroup {
    /// The kind of event.
    pub kind: String,
    /// The rung; `null` where it is about none.
    #[schema(required)]
    pub rung: Option<String>,
    /// Why.
    pub reason: String,
    /// How much it asks of the reader.
    pub severity: String,
    /// Of how many certificates.
    pub count: u64,
    /// The first few of them.
    pub certificates: Vec<PlannedCertificate>,
    /// What will hurt later, with the counts of now; `null` where it is about certificates on a rung.
    #[schema(required)]
    pub ahead: Option<PlannedWarning>,
}

/// What will hurt later: an authority that ends first, or a month in which far more end than were ever renewed in one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlannedWarning {
    /// The source.
    pub source: String,
    /// How many active certificates end after the authority that signed them, or in the month.
    pub certificates: u64,
    /// The month, in UTC; `null` where it is an authority.
    #[schema(required, pattern = "^[0-9]{4}-[0-9]{2}$")]
    pub month: Option<String>,
    /// The most that were renewed in one month so far.
    #[schema(required)]
    pub most_renewed: Option<u64>,
}

impl PlannedWarning {
    fn of(ahead: &PlannedAhead) -> Self {
        Self {
            source: ahead.source.clone(),
            certificates: ahead.certificates,
            month: ahead.month.map(|(month, _)| month.to_string()),
            most_renewed: ahead.month.map(|(_, renewed)| renewed),
        }
    }
}

/// A certificate that will be told of.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlannedCertificate {
    /// Its id.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Its serial.
    pub serial: String,
    /// What it is best called.
    pub name: String,
    /// When it expires.
    #[schema(required, format = DateTime)]
    pub not_after: Option<String>,
}

impl PlanAnswer {
    /// Returns the object of an outlook, with so many messages at most.
    pub fn of(outlook: &Outlook) -> Self {
        let some = outlook.messages.iter().take(MOST).map(PlannedMessage::of);
        Self {
            from: rfc3339(outlook.from),
            until: rfc3339(outlook.until),
            messages: some.collect(),
            more: outlook.messages.len() > MOST,
            left_out: outlook.left_out,
        }
    }
}

impl PlannedMessage {
    fn of(message: &Planned) -> Self {
        Self {
            at: rfc3339(message.at),
            channel: message.channel.clone(),
            events: message.lines.iter().map(|line| line.count).sum(),
            lines: message.lines.iter().map(PlannedGroup::of).collect(),
        }
    }
}

impl PlannedGroup {
    fn of(line: &PlannedLine) -> Self {
        let certificate = |facts: &Facts| PlannedCertificate {
            id: facts.id(),
            source: facts.source.clone(),
            serial: facts.serial.clone(),
            name: facts.name().to_owned(),
            not_after: facts.not_after.and_then(rfc3339),
        };
        Self {
            kind: line.kind.to_owned(),
            rung: line.rung.as_ref().map(Rung::as_label),
            reason: line.reason.to_owned(),
            severity: line.severity.as_str().to_owned(),
            count: line.count,
            certificates: line.first.iter().map(certificate).collect(),
            ahead: line.ahead.as_ref().map(PlannedWarning::of),
        }
    }
}

/// Answers who will be told what and when, if nothing changes. Nothing is sent.
#[utoipa::path(
    get,
    path = "/api/v1/plan",
    params(PlanParameters),
    responses(
        (status = 200, description = "The messages.", body = PlanAnswer),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn plan(
    State(shared): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
) -> Result<Response, Problem> {
    let [days, channel] = parameters::some(&pairs, ["days", "channel"])?;
    let bad = || Problem::bad("days: it is a number from 1 to 400");
    let days: i64 = days.map_or(Ok(30), str::parse).map_err(|_| bad())?;
    if !(1..=DAYS).contains(&days) {
        return Err(bad());
    }
    let query = PlanQuery { ahead: days * 86_400, channel: channel.map(str::to_owned) };
    let outlook = shared.state.catalog.outlook(&query);
    let outlook = shared.in_time("the plan took too long; ask for fewer days", outlook).await?;
    Ok(fresh(PlanAnswer::of(&outlook)))
}
