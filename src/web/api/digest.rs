//! `/api/v1/digest`: what the daily digest would say now.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::handling::{NoPairs, fresh};
use crate::expiry::{
    DailyDigest, DigestSnooze, Ending, Facts, Message, News, SourceCount, Timestamp, Unproven,
};
use crate::web::Shared;
use crate::web::certificate::rfc3339;
use crate::web::problem::{Document, Problem};

/// How everything stands.
#[derive(Serialize, ToSchema)]
pub(super) struct Digest {
    /// When the next one is due; `null` without `[digest]`.
    #[schema(required, format = DateTime)]
    scheduled_at: Option<String>,
    /// When the last one was said, or when it was first counted: what is new is new since then.
    #[schema(required, format = DateTime)]
    since: Option<String>,
    /// Every certificate.
    total: u64,
    /// The active one that ends next, of those that have not ended.
    #[schema(required)]
    next: Option<DigestCertificate>,
    /// How many active ones stand on each rung, the tightest first.
    rungs: Vec<OnRung>,
    /// Active ones that ended more than 30 days ago.
    long_ended: u64,
    /// Those without a known end.
    undated: u64,
    /// Those on a rung of which nothing is said for a while.
    snoozed: u64,
    /// How each source stands.
    sources: Vec<DigestSource>,
    /// What is new; `null` where nothing was counted.
    #[schema(required)]
    news: Option<DigestNews>,
    /// The first of those on a rung that are not snoozed, the soonest first.
    soonest: Vec<DigestCertificate>,
    /// How many of them are left out.
    left_out: u64,
    /// Snoozes that end within 3 days or cover nothing.
    snoozes: Vec<EndingSnooze>,
    /// Channels with messages that were given up.
    dead: Vec<DeadMessages>,
    /// Sources that are not proven.
    unproven: Vec<UnprovenSource>,
}

/// A rung, and how many stand on it.
#[derive(Serialize, ToSchema)]
struct OnRung {
    /// The rung.
    rung: String,
    /// How many.
    count: u64,
}

/// A source in a digest.
#[derive(Serialize, ToSchema)]
struct DigestSource {
    /// Its name.
    source: String,
    /// Its certificates.
    total: u64,
    /// The active ones of them that stand on a rung.
    on_a_rung: u64,
}

/// What is new since the last digest.
#[derive(Serialize, ToSchema)]
struct DigestNews {
    /// Certificates that crossed a rung, or were first seen behind one.
    inside: u64,
    /// Certificates that something took the place of.
    renewed: u64,
    /// Certificates that are not there any more.
    gone: u64,
    /// Certificates without a known end that were not there.
    undated: u64,
}

/// A certificate in a digest.
#[derive(Serialize, ToSchema)]
struct DigestCertificate {
    /// Its id.
    id: String,
    /// Its source.
    source: String,
    /// Its scope.
    scope: String,
    /// Where it was looked at; empty where its provider lists certificates.
    place: String,
    /// Its issuer.
    issuer: String,
    /// Its serial.
    serial: String,
    /// Its common name.
    common_name: String,
    /// Who presents it.
    holder: String,
    /// When it ends.
    #[schema(required, format = DateTime)]
    not_after: Option<String>,
    /// The tightest rung that it crossed.
    #[schema(required)]
    rung: Option<String>,
}

/// A snooze in a digest.
#[derive(Serialize, ToSchema)]
struct EndingSnooze {
    /// Its id.
    id: String,
    /// Who made it.
    author: String,
    /// Why.
    reason: String,
    /// Its end.
    #[schema(required, format = DateTime)]
    until: Option<String>,
    /// Whether it covers nothing.
    idle: bool,
}

/// A channel with messages that were given up.
#[derive(Serialize, ToSchema)]
struct DeadMessages {
    /// The channel.
    channel: String,
    /// How many.
    count: u64,
}

/// A source that is not proven.
#[derive(Serialize, ToSchema)]
struct UnprovenSource {
    /// Its name.
    source: String,
    /// When its last proven scan ended.
    #[schema(required, format = DateTime)]
    last_proven: Option<String>,
    /// What went wrong.
    #[schema(required)]
    error: Option<String>,
}

/// Answers what the daily digest would say now.
#[utoipa::path(
    get,
    path = "/api/v1/digest",
    responses(
        (status = 200, description = "How everything stands.", body = Digest),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn now(
    State(shared): State<Arc<Shared>>,
    _: NoPairs,
) -> Result<Response, Problem> {
    let (answer, answered) = oneshot::channel();
    let late = "the certificates are being counted; ask again";
    let busy = || Problem::busy(late);
    let asked = async {
        shared.state.digests.send(answer).await.map_err(|_| busy())?;
        answered.await.map_err(|_| busy())
    };
    let (due, digest) = shared.in_time(late, asked).await?;
    Ok(fresh(Digest::of(due, &digest)))
}

impl Digest {
    fn of(due: Option<Timestamp>, digest: &DailyDigest) -> Self {
        let rung = |(rung, count): &(_, u64)| {
            let rung = Message::rung_word(*rung);
            OnRung { rung, count: *count }
        };
        let dead = |(channel, count): &(String, u64)| {
            let channel = channel.clone();
            DeadMessages { channel, count: *count }
        };
        Self {
            scheduled_at: due.and_then(rfc3339),
            since: digest.since.and_then(rfc3339),
            total: digest.total,
            next: digest.next.as_ref().map(|next| certificate(next, None)),
            rungs: digest.rungs.iter().map(rung).collect(),
            long_ended: digest.long_ended,
            undated: digest.undated,
            snoozed: digest.snoozed,
            sources: digest.sources.iter().map(source).collect(),
            news: digest.since.map(|_| news(digest.news)),
            soonest: digest.soonest.iter().map(ending).collect(),
            left_out: digest.left_out(digest.soonest.len()),
            snoozes: digest.snoozes.iter().map(snooze).collect(),
            dead: digest.dead.iter().map(dead).collect(),
            unproven: digest.unproven.iter().map(unproven).collect(),
        }
    }
}

fn ending(one: &Ending) -> DigestCertificate {
    certificate(&one.facts, Some(Message::rung_word(one.rung)))
}

fn certificate(facts: &Facts, rung: Option<String>) -> DigestCertificate {
    DigestCertificate {
        id: facts.id(),
        source: facts.source.clone(),
        scope: facts.scope.clone(),
        place: facts.place.clone(),
        issuer: facts.issuer.clone(),
        serial: facts.serial.clone(),
        common_name: facts.common_name.clone(),
        holder: facts.holder.clone(),
        not_after: facts.not_after.and_then(rfc3339),
        rung,
    }
}

fn source(one: &SourceCount) -> DigestSource {
    DigestSource { source: one.source.clone(), total: one.total, on_a_rung: one.on_a_rung }
}

const fn news(news: News) -> DigestNews {
    let News { inside, renewed, gone, undated } = news;
    DigestNews { inside, renewed, gone, undated }
}

fn snooze(one: &DigestSnooze) -> EndingSnooze {
    EndingSnooze {
        id: one.id.clone(),
        author: one.author.clone(),
        reason: one.reason.clone(),
        until: rfc3339(one.until),
        idle: one.idle,
    }
}

fn unproven(one: &Unproven) -> UnprovenSource {
    UnprovenSource {
        source: one.source.clone(),
        last_proven: one.last_proven.and_then(rfc3339),
        error: one.error.clone(),
    }
}
