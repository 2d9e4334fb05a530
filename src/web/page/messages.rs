//! The messages of `/notifications`: what waits, what was given up, what was sent.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::layout::{Failure, Part};
use super::reader::Reader;
use super::texts::{count, cut, shown};
use crate::expiry::Language;
use crate::store::{EntryQuery, OutboxAnswer, OutboxEntry, OutboxOrder, Standing, StoreError};
use crate::web::door::MayWrite;
use crate::web::{Shared, wish};

/// Messages of each kind that are shown.
const SHOWN: usize = 200;

/// Every message that is shown.
pub(super) struct Messages {
    lists: [Vec<OutboxEntry>; 3],
}

impl Messages {
    pub(super) async fn read(shared: &Shared) -> Result<Self, StoreError> {
        let mut lists = [Vec::new(), Vec::new(), Vec::new()];
        for (list, standing) in lists.iter_mut().zip(Standing::ALL) {
            let query = EntryQuery { standing, channel: None, limit: SHOWN };
            *list = shared.state.store.entries(&query).await?;
        }
        Ok(Self { lists })
    }

    pub(super) fn whole(&self, may_write: MayWrite, reader: &Reader) -> Markup {
        let [waiting, dead, sent] = &self.lists;
        html! {
            section #waiting data-live {
                h2 { (reader.say("Waiting", "等待中")) }
                (list(waiting, reader, reader.say("Nothing waits.", "没有等待发送的消息。"), |_| html! {}))
            }
            section #given-up data-live {
                h2 { (reader.say("Given up", "已放弃")) }
                (list(dead, reader, reader.say("No message was given up.", "没有被放弃的消息。"), |entry| {
                    what_to_do(entry, may_write, reader)
                }))
            }
            section #sent data-live {
                h2 { (reader.say("Last sent", "最近发送")) }
                (list(sent, reader, reader.say("Nothing was sent in the last 90 days.", "最近 90 天没有发送消息。"), |_| html! {}))
            }
        }
    }
}

fn list(
    entries: &[OutboxEntry],
    reader: &Reader,
    empty: &str,
    more: impl Fn(&OutboxEntry) -> Markup,
) -> Markup {
    if entries.is_empty() {
        return html! { p.empty { (empty) } };
    }
    html! {
        table.messages {
            thead { tr {
                th.number scope="col" { (reader.say("Number", "编号")) }
                th scope="col" { (reader.say("Channel", "通道")) }
                th scope="col" { (reader.say("Says", "内容")) }
                th scope="col" { (reader.say("When", "时间")) }
            } }
            tbody { @for entry in entries { (line(entry, reader, &more(entry))) } }
        }
        @if entries.len() == SHOWN {
            p.dim { (reader.say("There may be more; `notafter outbox list` shows them.", "可能还有更多，可运行 notafter outbox list 查看。")) }
        }
    }
}

fn line(entry: &OutboxEntry, reader: &Reader, more: &Markup) -> Markup {
    html! {
        tr {
            td.number data-label=(reader.say("Number", "编号")) { (entry.id) }
            td.name { b { (cut(&entry.channel, 60)) } }
            td data-label=(reader.say("Says", "内容")) {
                (says(entry, reader))
                @if let Some(code) = &entry.code { div { code { (cut(code, 60)) } } }
                @if let Some(id) = &entry.message { div.dim { code title=(shown(id)) { (cut(id, 16)) } } }
                (more)
            }
            td data-label=(reader.say("When", "时间")) { (reader.ago(Some(entry.ended.unwrap_or(entry.decided)))) }
        }
    }
}

/// What it says, in a few words.
fn says(entry: &OutboxEntry, reader: &Reader) -> Markup {
    let (kind, about) = (entry.event.kind(), entry.event.about());
    let others = match (entry.events, reader.language) {
        (0 | 1, _) => String::new(),
        (events, Language::En) => format!(" and {} more", count(events - 1)),
        (events, Language::Zh) => format!(" 等 {} 条", count(events)),
    };
    html! {
        span.tag { (kind) } " "
        @match entry.event.facts().filter(|_| !entry.event.is_canary()) {
            Some(facts) => { a href=(format!("/certificates/{}", facts.id())) { (cut(about, 80)) } }
            None => { (cut(about, 80)) }
        }
        (others)
    }
}

/// What may be done about a message that was given up; the command where this request may not.
fn what_to_do(entry: &OutboxEntry, MayWrite(may_write): MayWrite, reader: &Reader) -> Markup {
    if entry.replaced {
        let words = reader.say(
            "Said again since, or true no more: nothing is left to do.",
            "已重新发送或已不再成立，无需处理。",
        );
        return html! { div.dim { (words) } };
    }
    let id = entry.id;
    html! {
        @if may_write {
            div.row {
                form method="post" action=(format!("/notifications/{id}/retry")) {
                    button { (reader.say("Send again", "重新发送")) }
                }
                form method="post" action=(format!("/notifications/{id}/drop")) {
                    button { (reader.say("Drop", "丢弃")) }
                }
            }
        } @else {
            div.dim { code { "notafter outbox retry " (id) } " · " code { "notafter outbox drop " (id) } }
        }
    }
}

/// Sends a message once more, and shows the list again.
pub(super) async fn retry(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    id: Result<Path<i64>, PathRejection>,
) -> Response {
    act(&shared, &reader, id, OutboxOrder::Retry).await
}

/// Drops a message, and shows the list again.
pub(super) async fn drop_one(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    id: Result<Path<i64>, PathRejection>,
) -> Response {
    act(&shared, &reader, id, OutboxOrder::Drop).await
}

async fn act(
    shared: &Shared,
    reader: &Reader,
    id: Result<Path<i64>, PathRejection>,
    order: OutboxOrder,
) -> Response {
    let id = id.map_or(0, |Path(id)| id);
    let (status, sentence) = match wish::order(shared, id, order).await {
        Ok(OutboxAnswer::Done { .. }) => return Redirect::to("/notifications").into_response(),
        Ok(refused) => (StatusCode::CONFLICT, wish::why_not(&refused)),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, problem.detail().to_owned()),
    };
    Failure::new(status, sentence).answer(reader, Part::Notifications)
}
