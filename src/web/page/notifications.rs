//! `/notifications`: whether rooms are reached, and what waits for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use tokio::time::timeout;

use super::layout::{self, Failure, Part};
use super::messages::Messages;
use super::reader::Reader;
use super::texts::{count, cut, shown};
use super::trouble::Colour;
use crate::expiry::{Language, Timestamp};
use crate::store::{ChannelState, StoreError};
use crate::web::Shared;
use crate::web::door::MayWrite;

/// A channel, whether it delivers, and what waits for it.
pub(super) struct Channel {
    pub(super) name: String,
    kind: String,
    state: ChannelState,
    waiting: u64,
    oldest: Option<Timestamp>,
}

/// Answers every channel.
pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    may_write: MayWrite,
) -> Response {
    let (channels, messages) = match timeout(shared.limits.answer, everything(&shared)).await {
        Ok(Ok(everything)) => everything,
        Ok(Err(error)) => {
            let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
            return failure.answer(&reader, Part::Notifications);
        }
        Err(_) => return Failure::late(&reader).answer(&reader, Part::Notifications),
    };
    let title = reader.say("Notifications", "通知");
    let body = html! {
        h1 { (title) }
        p { a href="/snoozes" { (reader.say("What is snoozed", "暂停的提醒")) } }
        section #list data-live aria-label=(title) {
            @if channels.is_empty() { (none(&reader)) } @else { (table(&channels, &reader)) }
        }
        (messages.whole(may_write, &reader))
    };
    layout::answer(&reader, Part::Notifications, title, &body)
}

async fn everything(shared: &Shared) -> Result<(Vec<Channel>, Messages), StoreError> {
    Ok((channels(shared).await?, Messages::read(shared).await?))
}

/// Reads how every channel is.
pub(super) async fn channels(shared: &Shared) -> Result<Vec<Channel>, StoreError> {
    let store = &shared.state.store;
    let backlog = store.backlog().await?.into_iter();
    let waiting: BTreeMap<_, _> =
        backlog.map(|(channel, count, oldest)| (channel, (count, oldest))).collect();
    let outlets = Arc::clone(&shared.state.outlets.borrow());
    let mut channels = Vec::new();
    for outlet in outlets.iter() {
        let waiting = waiting.get(&outlet.name);
        channels.push(Channel {
            name: outlet.name.clone(),
            kind: outlet.kind.clone(),
            state: store.channel_state(&outlet.name).await?,
            waiting: waiting.map_or(0, |(count, _)| *count),
            oldest: waiting.map(|(_, oldest)| *oldest),
        });
    }
    Ok(channels)
}

impl Channel {
    /// Returns how it is, in words that a person can act on.
    pub(super) fn standing(&self, reader: &Reader) -> (Colour, String) {
        let code = self.state.down.as_deref().map(shown).unwrap_or_default();
        let failures = count(u64::from(self.state.failures));
        match (&self.state.down, self.state.failures, reader.language) {
            (Some(_), _, Language::En) => (
                Colour::Bad,
                format!(
                    "Down ({code}): nothing is delivered; it is tried again by itself. Try `notafter channel test`"
                ),
            ),
            (Some(_), _, Language::Zh) => (
                Colour::Bad,
                format!("故障（{code}）：无法送达，将自动重试。可运行 notafter channel test"),
            ),
            (None, 0, _) if self.state.gave_up.is_some() => {
                (Colour::Soon, reader.say("A message was given up", "有消息被放弃").to_owned())
            }
            (None, 0, _) if self.state.last_success.is_none() => (
                Colour::Unknown,
                reader.say("Nothing has been sent to it yet", "尚未发送过消息").to_owned(),
            ),
            (None, 0, _) => (Colour::Good, reader.say("Delivers", "正常").to_owned()),
            (None, _, Language::En) => (
                Colour::Soon,
                format!("The last {failures} attempts failed; it is tried again by itself"),
            ),
            (None, _, Language::Zh) => {
                (Colour::Soon, format!("最近 {failures} 次发送失败，将自动重试"))
            }
        }
    }
}

/// What to do where nobody is told.
pub(super) fn none(reader: &Reader) -> Markup {
    html! {
        p.empty { (reader.say(
            "No channel is configured, so nobody is told. Add a [[channel]] and a [[route]] to the configuration and reload.",
            "尚未配置通道，不会通知任何人。请在配置中添加 [[channel]] 和 [[route]] 并重新加载。",
        )) }
    }
}

fn table(channels: &[Channel], reader: &Reader) -> Markup {
    html! {
        table.channels {
            thead { tr {
                th scope="col" { (reader.say("Channel", "通道")) }
                th scope="col" { (reader.say("How it is", "状态")) }
                th scope="col" { (reader.say("Last delivered", "最近送达")) }
                th scope="col" { (reader.say("Given up", "已放弃")) }
                th.number scope="col" { (reader.say("Waiting", "等待中")) }
            } }
            tbody { @for channel in channels { (line(channel, reader)) } }
        }
    }
}

fn line(channel: &Channel, reader: &Reader) -> Markup {
    let (colour, sentence) = channel.standing(reader);
    let gave_up = channel.state.gave_up.as_ref();
    html! {
        tr {
            td.name { b { (cut(&channel.name, 60)) } div.dim { (shown(&channel.kind)) } }
            td data-label=(reader.say("How it is", "状态")) {
                span.dot.(colour.class()) {} " " (sentence)
                @if let Some(until) = channel.state.gate_until.filter(|until| *until > reader.now) {
                    div.dim { (reader.say("its service asked to wait:", "服务要求等待：")) " " (reader.distance(until)) }
                }
            }
            td data-label=(reader.say("Last delivered", "最近送达")) { (reader.ago(channel.state.last_success)) }
            td data-label=(reader.say("Given up", "已放弃")) {
                @match gave_up {
                    Some((at, code)) => { code { (cut(code, 40)) } " " (reader.ago(Some(*at))) }
                    None => "–",
                }
            }
            td.number data-label=(reader.say("Waiting", "等待中")) {
                (count(channel.waiting))
                @if let Some(oldest) = channel.oldest { div.dim { (reader.say("since", "最早")) " " (reader.distance(oldest)) } }
            }
        }
    }
}
