//! `/certificates/{id}`: the story of one certificate.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use tokio::time::timeout;

use super::answer::of_rung;
use super::layout::{self, Failure, Part};
use super::links;
use super::list::{state, urgency};
use super::reader::Reader;
use super::snoozes;
use super::texts::{cut, moment, name, shown};
use crate::catalog::Story;
use crate::expiry::{Language, Status, Timestamp, text};
use crate::web::Shared;
use crate::web::door::Asker;

/// Names that are shown of one that covers hundreds.
const NAMES: usize = 50;

/// Letters of a raw fact that are shown.
const RAW: usize = 300;

/// Answers the story of one certificate.
pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    asker: Asker,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let told = shared.state.catalog.story(&id, Some(&shared.state.standings));
    match timeout(shared.limits.answer, told).await {
        Ok(Ok(Some(story))) => {
            let facts = &story.entry.facts;
            let title = shown(name(facts, &story.entry.names));
            layout::answer(&reader, Part::Certificates, &title, &story.whole(&asker, &reader))
        }
        Ok(Ok(None)) => unknown(&reader).answer(&reader, Part::Certificates),
        Ok(Err(error)) => Failure::from(error).answer(&reader, Part::Certificates),
        Err(_) => Failure::late(&reader).answer(&reader, Part::Certificates),
    }
}

fn unknown(reader: &Reader) -> Failure {
    let sentence = reader.say(
        "No certificate with this id is known. It may have gone from its provider; search by its name or serial.",
        "没有此 ID 的证书。它可能已从提供方移除；请按名称或序列号搜索。",
    );
    Failure::new(StatusCode::NOT_FOUND, sentence)
}

impl Story {
    fn whole(&self, asker: &Asker, reader: &Reader) -> Markup {
        let facts = &self.entry.facts;
        html! {
            p.crumbs { a href="/certificates" { (reader.say("Certificates", "证书")) } " › " (reader.kind(facts.kind)) }
            h1 { (cut(name(facts, &self.entry.names), RAW)) }
            (self.first(reader))
            div.columns {
                div { (self.ladder(reader)) (self.decided(reader)) (self.told(reader)) (self.said(reader))
                    (snoozes::section(&self.entry, &self.snoozes, asker, reader)) }
                div { (self.succession(reader)) (self.others(reader)) (self.seen(reader)) (self.names(reader)) }
            }
            (self.raw(reader))
        }
    }

    /// When it ends, in a sentence and a colour.
    fn first(&self, reader: &Reader) -> Markup {
        let sentence = match self.entry.facts.not_after {
            None => reader.say("When it expires is not known", "到期时间未知").to_owned(),
            Some(end) => match (end <= reader.now, reader.language) {
                (true, Language::En) => format!("Expired {}", reader.distance(end)),
                (false, Language::En) => format!("Expires {}", reader.distance(end)),
                (_, Language::Zh) => format!("{}到期", reader.distance(end)),
            },
        };
        let class =
            self.entry.facts.not_after.map_or("unknown", |end| urgency(&self.entry, end, reader));
        html! {
            section.answer.(class) #answer data-live {
                p.sentence { (sentence)
                    @if let Some(end) = self.entry.facts.not_after { " · " (moment(end)) } }
                p { (state(&self.entry, reader)) " " (self.meaning(reader)) }
            }
        }
    }

    /// What its status means for who is told.
    fn meaning(&self, reader: &Reader) -> &'static str {
        match self.entry.facts.status {
            Status::Active if self.entry.rung.is_some() => {
                reader.say("It has crossed a rung: its rooms are told.", "已进入提醒阈值，会通知相应的群。")
            }
            Status::Active => reader.say("Nothing is due yet.", "尚无需处理。"),
            Status::Inactive | Status::Pending => reader.say(
                "It is not in use: it is mentioned in the digest only.",
                "未在使用，仅在摘要中提及。",
            ),
            Status::Superseded => reader.say(
                "A newer one has taken its place: it is not alerted.",
                "已有更新的证书替换它，不再告警。",
            ),
            Status::Revoked | Status::Retired => reader.say("It is never alerted.", "不会告警。"),
            Status::Undated => reader.say(
                "Its provider gives no end, so nothing can be said in time. Look at the provider's console.",
                "提供方未给出到期时间，无法及时提醒。请在提供方控制台查看。",
            ),
        }
    }

    fn ladder(&self, reader: &Reader) -> Markup {
        let state = |at: Timestamp| {
            if at <= reader.now {
                reader.say("crossed", "已到")
            } else {
                reader.say("ahead", "未到")
            }
        };
        html! {
            section {
                h2 { (reader.say("Its ladder", "提醒阈值")) }
                @if self.steps.is_empty() {
                    p.empty { (reader.say("Without a known end there is no ladder.", "没有到期时间，因此没有阈值。")) }
                } @else {
                    table.small { tbody { @for (rung, at) in &self.steps {
                        tr.now[self.entry.rung == Some(*rung)] {
                            th scope="row" { span.chip.(of_rung(*rung).class()) { (reader.rung(&rung.as_label())) } }
                            td { (moment(*at)) }
                            td.dim { (state(*at)) ", " (reader.distance(*at)) }
                        }
                    } } }
                }
            }
        }
    }

    fn told(&self, reader: &Reader) -> Markup {
        html! {
            section {
                h2 { (reader.say("Who was told", "已通知")) }
                @if self.told.is_empty() {
                    p.empty { (reader.say("No channel has been told of an open alert about it.", "尚未就它的告警通知任何通道。")) }
                } @else {
                    p { (reader.say("Of the open alert: ", "当前告警已通知："))
                        @for channel in &self.told { span.chip { (shown(channel)) } " " } }
                }
            }
        }
    }

    fn succession(&self, reader: &Reader) -> Markup {
        let words = [
            reader.say("It was replaced by", "已被替换为"),
            reader.say(
                "It is served still, although there is a newer one",
                "仍在使用旧证书，已有更新的证书",
            ),
        ];
        let newer = [self.successor.as_ref().map(|(entry, _)| entry), self.newer.as_ref()];
        let known = newer.into_iter().zip(words).filter_map(|(newer, word)| Some((newer?, word)));
        html! {
            section {
                h2 { (reader.say("What follows it", "后继证书")) }
                @if self.successor.is_none() && self.newer.is_none() {
                    p.empty { (reader.say("No newer certificate for its names or holder is known.", "没有已知的更新证书。")) }
                }
                @for (newer, word) in known {
                    p { (word) " "
                        a href={ "/certificates/" (newer.facts.id()) } { (cut(name(&newer.facts, &newer.names), 60)) }
                        @if let Some(end) = newer.facts.not_after { " · " (moment(end)) } }
                }
            }
        }
    }

    /// Where else to look.
    fn others(&self, reader: &Reader) -> Markup {
        let facts = &self.entry.facts;
        let named = name(facts, &self.entry.names);
        html! {
            section {
                h2 { (reader.say("Where it is", "所在位置")) }
                p { a href=(links::source(&facts.source)) { (shown(&facts.source)) }
                    " › " (cut(&facts.scope, 60))
                    @if !facts.place.is_empty() { " › " (cut(&facts.place, RAW)) } }
                (self.served(reader))
                ul {
                    li { a href=(links::list(&[("serial", &facts.serial), ("issuer", &facts.issuer)])) {
                        (reader.say("Every place with this serial of this issuer", "同一签发者、同一序列号的所有位置")) } }
                    li { a href=(links::list(&[("q", named)])) {
                        (reader.say("Every certificate with this name", "同名的所有证书")) } }
                }
            }
        }
    }

    fn names(&self, reader: &Reader) -> Markup {
        let names = &self.entry.names;
        html! {
            @if !names.is_empty() {
                section {
                    h2 { (reader.say("Names that it covers", "覆盖的名称")) }
                    ul.names { @for name in names.iter().take(NAMES) { li { (cut(name, RAW)) } } }
                    @if names.len() > NAMES { p.dim { "… " (names.len() - NAMES) } }
                }
            }
        }
    }

    fn raw(&self, reader: &Reader) -> Markup {
        html! {
            section {
                h2 { (reader.say("Raw facts", "原始信息")) }
                dl.facts {
                    @for (word, value) in self.facts(reader) {
                        @if !value.is_empty() { dt { (word) } dd { code { (text::cut_chars(&text::printable(&value), 1000)) } } }
                    }
                    @for (name, value) in &self.entry.facts.labels {
                        dt { (reader.say("Label", "标签")) " " (shown(name)) } dd { code { (cut(value, RAW)) } }
                    }
                    @for (word, at) in self.times(reader) {
                        dt { (word) } dd { @match at { Some(at) => (moment(at)), None => "–" } }
                    }
                }
                p { a href={ "/api/v1/certificates/" (self.entry.facts.id()) "/explain" } { "JSON" } }
            }
        }
    }

    fn facts(&self, reader: &Reader) -> [(&'static str, String); 10] {
        let facts = &self.entry.facts;
        let fingerprint = facts.fingerprint.as_ref().map(hex::encode).unwrap_or_default();
        [
            ("id", facts.id()),
            (reader.say("Common name", "通用名称"), facts.common_name.clone()),
            (reader.say("Holder", "持有者"), facts.holder.clone()),
            (reader.say("Unit", "部门"), facts.unit.clone()),
            (reader.say("Issuer", "签发者"), facts.issuer.clone()),
            (reader.say("Serial", "序列号"), facts.serial.clone()),
            (reader.say("SHA-256", "SHA-256"), fingerprint),
            (reader.say("Source", "来源"), facts.source.clone()),
            (reader.say("Scope", "范围"), facts.scope.clone()),
            (reader.say("Place", "位置"), facts.place.clone()),
        ]
    }

    fn times(&self, reader: &Reader) -> [(&'static str, Option<Timestamp>); 3] {
        let facts = &self.entry.facts;
        [
            (reader.say("Valid from", "生效时间"), facts.not_before),
            (reader.say("Valid to", "到期时间"), facts.not_after),
            (reader.say("First seen", "首次发现"), Some(self.entry.first_seen)),
        ]
    }
}
