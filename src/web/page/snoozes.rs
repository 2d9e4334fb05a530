//! `/snoozes`: of what nothing is said, until when, by whose word. And the forms that make and end snoozes.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::timeout;

use super::layout::{self, Failure, Part};
use super::reader::Reader;
use super::texts::{cut, moment, name};
use crate::catalog::{CatalogError, Entry};
use crate::expiry::{Cover, Snooze, SnoozeEnd, Wish, WishCover};
use crate::web::Shared;
use crate::web::api::{end_snooze, grant};
use crate::web::door::Asker;
use crate::web::problem::Problem;

/// Snoozes that ended and are shown.
const ENDED: usize = 50;

/// What a form offers, in days.
const DAYS: [u32; 6] = [1, 3, 7, 14, 30, 90];

/// Letters of a reason that are shown.
const REASON: usize = 200;

/// A snooze, with the certificate that it covers.
struct Shown {
    snooze: Snooze,
    certificate: Option<Entry>,
}

/// Answers the snoozes.
pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    asker: Asker,
) -> Response {
    match timeout(shared.limits.answer, read(&shared, &reader)).await {
        Ok(Ok((holding, ended))) => {
            let title = reader.say("Snoozes", "暂停提醒");
            let body = html! {
                h1 { (title) }
                section #list data-live aria-label=(title) {
                    (list(&holding, &asker, &reader, reader.say("Nothing is snoozed.", "没有暂停的提醒。")))
                    p.dim { (reader.say("What matches is snoozed by ", "按条件暂停：")) code { "notafter snooze add --match …" } }
                }
                @if !ended.is_empty() {
                    section { h2 { (reader.say("Ended", "已结束")) } (list(&ended, &asker, &reader, "")) }
                }
            };
            layout::answer(&reader, Part::Notifications, title, &body)
        }
        Ok(Err(error)) => Failure::from(error).answer(&reader, Part::Notifications),
        Err(_) => Failure::late(&reader).answer(&reader, Part::Notifications),
    }
}

async fn read(shared: &Shared, reader: &Reader) -> Result<(Vec<Shown>, Vec<Shown>), CatalogError> {
    let all = shared.state.store.snoozes().await?;
    let (holding, mut ended): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|snooze| snooze.is_active(reader.now));
    ended.truncate(ENDED);
    Ok((dressed(shared, holding).await?, dressed(shared, ended).await?))
}

async fn dressed(shared: &Shared, snoozes: Vec<Snooze>) -> Result<Vec<Shown>, CatalogError> {
    let mut shown = Vec::new();
    for snooze in snoozes {
        let certificate = match &snooze.cover {
            Cover::Certificate(one) => shared.state.catalog.one(&one.id).await?,
            Cover::Match(_) => None,
        };
        shown.push(Shown { snooze, certificate });
    }
    Ok(shown)
}

fn list(snoozes: &[Shown], asker: &Asker, reader: &Reader, empty: &str) -> Markup {
    if snoozes.is_empty() {
        return html! { p.empty { (empty) } };
    }
    html! {
        table.messages {
            thead { tr {
                th scope="col" { (reader.say("Covers", "范围")) }
                th scope="col" { (reader.say("Until", "截止")) }
                th scope="col" { (reader.say("By", "操作人")) }
                th scope="col" { (reader.say("Reason", "原因")) }
            } }
            tbody { @for one in snoozes { (line(one, asker, reader)) } }
        }
    }
}

fn line(Shown { snooze, certificate }: &Shown, asker: &Asker, reader: &Reader) -> Markup {
    html! {
        tr {
            td.name { (covers(snooze, certificate.as_ref())) }
            td data-label=(reader.say("Until", "截止")) {
                @match snooze.ended {
                    Some((at, end)) => { (why(end, reader)) div.dim { (moment(at)) } }
                    None => { (reader.distance(snooze.until)) div.dim { (moment(snooze.until)) } }
                }
                @if snooze.hold { span.chip { (reader.say("holds", "保持到期")) } }
            }
            td data-label=(reader.say("By", "操作人")) { (cut(&snooze.author, 60)) }
            td data-label=(reader.say("Reason", "原因")) {
                (cut(&snooze.reason, REASON))
                @if snooze.ended.is_none() { (to_end(snooze, asker, reader)) }
            }
        }
    }
}

fn covers(snooze: &Snooze, certificate: Option<&Entry>) -> Markup {
    html! {
        @match (&snooze.cover, certificate) {
            (Cover::Certificate(one), Some(entry)) => {
                a href={ "/certificates/" (one.id) } { (cut(name(&entry.facts, &entry.names), 60)) }
            }
            (Cover::Certificate(one), None) => { code { (one.id) } }
            (Cover::Match(wanted), _) => { code { (cut(&wanted.text(), 200)) } }
        }
    }
}

/// The button that ends a snooze, or the command where writing cannot be had.
fn to_end(snooze: &Snooze, asker: &Asker, reader: &Reader) -> Markup {
    html! {
        @if asker.is_known {
            form method="post" action={ "/snoozes/" (snooze.id) "/end" } {
                button { (reader.say("End it", "结束暂停")) }
            }
        } @else {
            div.dim { code { "notafter snooze end " (snooze.id) } }
        }
    }
}

const fn why(end: SnoozeEnd, reader: &Reader) -> &'static str {
    match end {
        SnoozeEnd::Time => reader.say("Its time was over", "时间已到"),
        SnoozeEnd::TighterRung => reader.say("A tighter rung was crossed", "进入更紧的阈值"),
        SnoozeEnd::Renewed => reader.say("The certificate was renewed", "证书已续期"),
        SnoozeEnd::EndChanged => {
            reader.say("The end of the certificate changed", "证书到期时间已变")
        }
        SnoozeEnd::ByHand => reader.say("Somebody ended it", "已手动结束"),
    }
}

/// Shows the snoozes of one certificate, and the form that makes one, or the command where writing cannot be had.
pub(super) fn section(entry: &Entry, snoozes: &[Snooze], asker: &Asker, reader: &Reader) -> Markup {
    let holding: Vec<_> = snoozes.iter().filter(|it| it.is_active(reader.now)).collect();
    html! {
        section #snoozes {
            h2 { (reader.say("Snoozes", "暂停提醒")) }
            @for snooze in &holding {
                p { (reader.say("Quiet until ", "暂停至 ")) (moment(snooze.until)) ", "
                    b { (cut(&snooze.author, 60)) } ": " (cut(&snooze.reason, REASON)) }
                (to_end(snooze, asker, reader))
            }
            @if holding.is_empty() { (make(entry, asker, reader)) }
        }
    }
}

fn make(entry: &Entry, asker: &Asker, reader: &Reader) -> Markup {
    let id = entry.facts.id();
    html! {
        @if asker.is_known {
            form.snooze method="post" action="/snoozes" {
                input type="hidden" name="certificate" value=(id);
                (fields(asker.name.as_deref(), &DAYS, reader))
                label.check { input type="checkbox" name="hold" value="true"; " "
                    (reader.say("Also through tighter rungs and its end", "更紧的阈值和到期也不提醒")) }
                button { (reader.say("Snooze", "暂停提醒")) }
            }
        } @else {
            p.dim { (reader.say("Quiet for a while: ", "暂停提醒：")) }
            p { code { "notafter snooze add " (id) " --for 7d --reason '…'" } }
        }
    }
}

/// For how long, why, and who where that is not known.
pub(super) fn fields(user: Option<&str>, days: &[u32], reader: &Reader) -> Markup {
    html! {
        label { (reader.say("For", "时长"))
            select name="days" { @for days in days {
                option value=(days) selected[*days == 7] { (reader.counted(u64::from(*days), "day", "天")) }
            } } }
        label { (reader.say("Reason", "原因")) input type="text" name="reason" required maxlength="500"; }
        @if let Some(user) = user {
            input type="hidden" name="author" value=(user);
        } @else {
            label { (reader.say("Your name", "您的姓名")) input type="text" name="author" required maxlength="100"; }
        }
    }
}

/// What a form sends.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    certificate: String,
    days: i64,
    reason: String,
    author: String,
    #[serde(default)]
    hold: bool,
}

/// Makes a snooze, and shows the certificate again.
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Asker { name, .. }: Asker,
    form: Result<Form<Asked>, FormRejection>,
) -> Response {
    let Form(asked) = match form {
        Ok(form) => form,
        Err(error) => {
            let failure = Failure::new(StatusCode::BAD_REQUEST, error.body_text());
            return failure.answer(&reader, Part::Certificates);
        }
    };
    let back = format!("/certificates/{}", asked.certificate);
    let wish = Wish {
        cover: WishCover::Certificate(asked.certificate),
        seconds: asked.days.saturating_mul(86_400),
        hold: asked.hold,
        author: name.unwrap_or(asked.author),
        reason: asked.reason,
        link: None,
    };
    match grant(&shared, wish).await {
        Ok(_) => Redirect::to(&back).into_response(),
        Err(problem) => refused(&problem).answer(&reader, Part::Certificates),
    }
}

/// Ends a snooze, and shows the others.
pub(super) async fn end(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    match end_snooze(&shared, &id).await {
        Ok(_) => Redirect::to("/snoozes").into_response(),
        Err(problem) => refused(&problem).answer(&reader, Part::Notifications),
    }
}

pub(super) fn refused(problem: &Problem) -> Failure {
    Failure::new(problem.status(), problem.detail())
}
