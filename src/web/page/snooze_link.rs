//! `/snooze`: the form behind the link of a message. A look changes nothing: previews of links look.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{self, Failure, Part};
use super::reader::Reader;
use super::snoozes::{fields, refused};
use super::texts::{cut, moment, name};
use crate::catalog::Entry;
use crate::channel::{BadTicket, Ticket, token_hash};
use crate::expiry::{Language, Snooze, Wish, WishCover};
use crate::web::Shared;
use crate::web::api::grant;

/// What the form offers, in days, and the most that it takes.
const DAYS: [u32; 5] = [1, 3, 7, 14, 30];
const MOST_DAYS: i64 = 30;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    token: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    token: String,
    days: i64,
    reason: String,
    author: String,
}

/// Shows the form, or who has used the link.
pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    link: Result<Query<Link>, QueryRejection>,
) -> Response {
    let token = link.map(|Query(link)| link.token).unwrap_or_default();
    let shown = async {
        let ticket = read(&shared, &reader, &token)?;
        if let Some(snooze) = used(&shared, &ticket).await? {
            return Ok(told(&snooze, &reader));
        }
        let entry = shared.state.catalog.one(&ticket.certificate).await.map_err(Failure::from)?;
        Ok(form(&entry.ok_or_else(|| gone(&reader))?, &token, &reader))
    };
    answer(shown.await, &reader)
}

/// Makes the snooze.
pub(super) async fn act(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    form: Result<Form<Asked>, FormRejection>,
) -> Response {
    let done = async {
        let Form(asked) =
            form.map_err(|error| Failure::new(StatusCode::BAD_REQUEST, error.body_text()))?;
        let ticket = read(&shared, &reader, &asked.token)?;
        if let Some(snooze) = used(&shared, &ticket).await? {
            return Ok(told(&snooze, &reader));
        }
        let wish = Wish {
            cover: WishCover::Certificate(ticket.certificate),
            seconds: asked.days.clamp(1, MOST_DAYS).saturating_mul(86_400),
            hold: false,
            author: asked.author,
            reason: asked.reason,
            link: Some(ticket.event),
        };
        let snooze = grant(&shared, wish).await.map_err(|problem| refused(&problem))?;
        tracing::info!(link = token_hash(&asked.token), snooze = snooze.id, "a link was used");
        Ok(told(&snooze, &reader))
    };
    answer(done.await, &reader)
}

fn answer(shown: Result<Markup, Failure>, reader: &Reader) -> Response {
    match shown {
        Ok(body) => {
            let title = reader.say("Snooze", "暂停提醒");
            layout::answer(reader, Part::Certificates, title, &body)
        }
        Err(failure) => failure.answer(reader, Part::Certificates),
    }
}

fn read(shared: &Shared, reader: &Reader, token: &str) -> Result<Ticket, Failure> {
    let key = *shared.state.link_key.borrow();
    let key = key.ok_or_else(|| Failure::late(reader))?;
    Ticket::read(token, &key, reader.now).map_err(|bad| match bad {
        BadTicket::Wrong => Failure::new(
            StatusCode::NOT_FOUND,
            reader.say(
                "This link is none of ours. Open the one in the message.",
                "此链接无效，请打开消息中的链接。",
            ),
        ),
        BadTicket::Expired => Failure::new(
            StatusCode::GONE,
            reader.say(
                "This link is older than 7 days. Use the one in a newer message, or `notafter snooze add`.",
                "此链接已超过 7 天。请使用较新消息中的链接，或运行 notafter snooze add。",
            ),
        ),
    })
}

/// Returns the snooze that a link was used for.
async fn used(shared: &Shared, ticket: &Ticket) -> Result<Option<Snooze>, Failure> {
    let all = shared.state.store.snoozes().await;
    let all =
        all.map_err(|error| Failure::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    Ok(all.into_iter().find(|snooze| snooze.link.as_ref() == Some(&ticket.event)))
}

fn gone(reader: &Reader) -> Failure {
    let sentence = reader.say(
        "This certificate is not known any more: nothing will be said of it.",
        "此证书已不存在，不会再提醒。",
    );
    Failure::new(StatusCode::NOT_FOUND, sentence)
}

fn form(entry: &Entry, token: &str, reader: &Reader) -> Markup {
    let facts = &entry.facts;
    html! {
        h1 { (reader.say("Snooze", "暂停提醒")) " " (cut(name(facts, &entry.names), 80)) }
        @if let Some(end) = facts.not_after {
            p { (reader.say("It expires ", "到期：")) (reader.distance(end)) " · " (moment(end)) }
        }
        p.dim { (reader.say(
            "Nothing is said of this certificate until the next tighter rung. This link works once.",
            "在进入更紧的阈值之前不再提醒此证书。此链接只能使用一次。",
        )) }
        form.snooze method="post" action="/snooze" {
            input type="hidden" name="token" value=(token);
            (fields(None, &DAYS, reader))
            button { (reader.say("Snooze", "暂停提醒")) }
        }
    }
}

fn told(snooze: &Snooze, reader: &Reader) -> Markup {
    let is_over = !snooze.is_active(reader.now);
    html! {
        h1 { (reader.say("Snoozed", "已暂停提醒")) }
        p { b { (cut(&snooze.author, 100)) }
            @match reader.language {
                Language::En => { " snoozed it until " (moment(snooze.until)) }
                Language::Zh => { " 已暂停提醒，至 " (moment(snooze.until)) }
            }
            ": " (cut(&snooze.reason, 500)) }
        @if is_over { p.dim { (reader.say("That is over.", "该暂停已结束。")) } }
    }
}
