//! What happened to one certificate: when it was seen, which ends it had, what was decided and said.

use maud::{Markup, html};

use super::reader::Reader;
use super::texts::{cut, moment, shown};
use crate::catalog::Story;
use crate::expiry::{Bound, Timestamp};
use crate::store::{Decided, OutboxEntry, Standing as Progress};

impl Story {
    /// When it was seen, by which scans, and which ends it had.
    pub(super) fn seen(&self, reader: &Reader) -> Markup {
        html! {
            section {
                h2 { (reader.say("When it was seen", "发现情况")) }
                p { (reader.say("first", "首次")) " " (reader.ago(Some(self.entry.first_seen))) " · "
                    (reader.say("last, by a proven scan", "最近一次经核实")) " " (reader.ago(self.last_seen)) }
                @if !self.scans.is_empty() {
                    ul { @for scan in &self.scans { li {
                        (shown(&scan.window)) ": "
                        @if scan.proven { (reader.say("proven", "已核实")) } @else { (reader.say("not proven", "未核实")) }
                        ", " (scan.collected) " / " (scan.reported) " · " (reader.ago(Some(scan.ended)))
                        @if let Some(error) = &scan.error { " · " (cut(error, 120)) }
                    } } }
                }
                @if !self.former_ends.is_empty() {
                    p { (reader.say("Ends that it had:", "曾有的到期时间：")) }
                    ul { @for (end, until) in &self.former_ends {
                        li { (moment(*end)) " " span.dim { (reader.say("until", "直到")) " " (moment(*until)) } }
                    } }
                }
            }
        }
    }

    /// What was decided about it, and why.
    pub(super) fn decided(&self, reader: &Reader) -> Markup {
        html! {
            section {
                h2 { (reader.say("What was decided", "决定")) }
                p { (reader.say("Now:", "当前：")) " " (why(self.reason, reader)) " " code { (self.reason) } }
                @if !self.decisions.is_empty() {
                    table.small { tbody { @for (at, decided) in &self.decisions { (decision(*at, decided)) } } }
                }
            }
        }
    }

    /// What was said of it, to whom, and what became of it.
    pub(super) fn said(&self, reader: &Reader) -> Markup {
        html! {
            section {
                h2 { (reader.say("Messages", "消息")) }
                @if self.messages.is_empty() {
                    p.empty { (reader.say("Nothing was said of it in the last 90 days.", "最近 90 天没有关于它的消息。")) }
                } @else {
                    table.small { tbody { @for message in &self.messages { (one(message, reader)) } } }
                }
            }
        }
    }

    /// Where it is served, and where it should be.
    pub(super) fn served(&self, reader: &Reader) -> Markup {
        html! {
            @if self.standing.served_nowhere {
                p { (reader.say(
                    "It is served nowhere we look, although its names are.",
                    "其域名所在的端点均未使用该证书。",
                )) }
            }
            @if let Some(bound) = &self.standing.bound {
                p { (reader.say("The provider uses it", "云端使用位置")) " " (in_use(bound, reader)) }
            }
            @for served in &self.served_at {
                p { (reader.say("Served at", "部署于")) " "
                    a href={ "/certificates/" (served.facts.id()) } { (cut(&served.facts.place, 80)) } }
            }
            @for older in &self.older {
                p { (reader.say("An older one is served still at", "旧证书仍部署于")) " "
                    a href={ "/certificates/" (older.facts.id()) } { (cut(&older.facts.place, 80)) } }
            }
        }
    }
}

fn in_use(bound: &Bound, reader: &Reader) -> Markup {
    match bound {
        Bound::To(places) if places.is_empty() => html! { (reader.say("somewhere", "某处")) },
        Bound::To(places) => cut(&places.join(", "), 200),
        Bound::Nowhere => html! { (reader.say("nowhere", "无")) },
        Bound::Unknown => {
            html! { (reader.say("perhaps: it could not be asked", "未知：无法查询")) }
        }
    }
}

fn decision(at: Timestamp, decided: &Decided) -> Markup {
    html! {
        tr {
            td { (moment(at)) }
            td { (shown(&decided.event))
                @if let Some(rung) = &decided.rung { " " span.chip { (shown(rung)) } } }
            td { code { (shown(&decided.reason)) } }
            td { @for channel in &decided.channels { span.chip { (shown(channel)) } " " }
                @if decided.count > 1 { span.dim { "×" (decided.count) } } }
        }
    }
}

fn one(message: &OutboxEntry, reader: &Reader) -> Markup {
    let word = match message.standing {
        Progress::Waiting => reader.say("waiting", "等待中"),
        Progress::Dead => reader.say("given up", "已放弃"),
        Progress::Sent => reader.say("delivered", "已送达"),
    };
    html! {
        tr {
            td { (moment(message.ended.unwrap_or(message.decided))) }
            td { b { (cut(&message.channel, 40)) } }
            td { (shown(message.event.kind())) }
            td { (word) @if let Some(code) = &message.code { " " code { (cut(code, 40)) } } }
            td { @if let Some(id) = &message.message { code title=(shown(id)) { (cut(id, 12)) } } }
        }
    }
}

fn why(reason: &str, reader: &Reader) -> &'static str {
    match reason {
        "first_sight" => reader.say("it is about to be said", "即将通知"),
        "tighter_rung" => reader.say("a tighter rung is about to be said", "即将通知更紧的阈值"),
        "already_said" => {
            reader.say("its rung was said; the next one is ahead", "当前阈值已通知，等待下一个")
        }
        "long_ended" => reader.say(
            "it had ended long before it was first seen: one line with others",
            "首次发现前早已过期，仅与其他证书合并提及",
        ),
        "no_rung" => reader.say("it stands on no rung yet", "尚未到达任何阈值"),
        "superseded" => reader.say("a newer one took its place", "已被更新的证书替换"),
        "revoked" => reader.say("it is revoked", "已吊销"),
        "retired" => reader.say("it is retired", "已停用"),
        "undated" => reader.say("its end is not known", "到期时间未知"),
        "snoozed" => reader.say("it is snoozed", "已暂停提醒"),
        "renewing" => reader
            .say("it looks renewed; a second scan has to show it", "似乎已续期，待第二次扫描确认"),
        _ => reader.say(
            "the last scan did not find it; the next has to show it",
            "上次扫描未发现，待下一次确认",
        ),
    }
}
