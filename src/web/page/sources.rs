//! `/sources`: what is looked at, and how whole it was seen.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::layout::{self, Failure, Part};
use super::links;
use super::reader::Reader;
use super::texts::{count, cut, shown};
use super::trouble::{self, Standing};
use crate::client::Outcome;
use crate::metrics::Activity;
use crate::scan::{ScanStatus, SourceStatus};
use crate::web::Shared;

/// Scopes that are shown at once; a source may have hundreds.
const OPEN: usize = 20;

/// Answers every source, one line each.
pub(super) async fn all(State(shared): State<Arc<Shared>>, reader: Reader) -> Response {
    let sources = Arc::clone(&shared.state.sources.borrow());
    let title = reader.say("Sources", "来源");
    let body = html! {
        h1 { (title) }
        section #list data-live aria-label=(title) {
            @if sources.is_empty() {
                p.empty { (reader.say(
                    "No source is configured. Add a [[source]] to the configuration and reload.",
                    "尚未配置来源。请在配置中添加 [[source]] 并重新加载。",
                )) }
            } @else {
                (table(&sources, &shared, &reader))
            }
        }
    };
    layout::answer(&reader, Part::Sources, title, &body)
}

fn table(sources: &[SourceStatus], shared: &Shared, reader: &Reader) -> Markup {
    html! {
        table.sources {
            thead { tr {
                th scope="col" { (reader.say("Source", "来源")) }
                th scope="col" { (reader.say("How it is", "状态")) }
                th scope="col" { (reader.say("Last proven", "最近核实")) }
                th scope="col" { (reader.say("Last poll", "最近轮询")) }
                th.number scope="col" { (reader.say("Certificates", "证书")) }
            } }
            tbody { @for source in sources { (line(source, shared, reader)) } }
        }
    }
}

fn line(source: &SourceStatus, shared: &Shared, reader: &Reader) -> Markup {
    let Standing { colour, sentence, proven } = trouble::standing(source, shared, reader);
    html! {
        tr data-row {
            td.name {
                a href=(links::source(&source.name)) { (cut(&source.name, 60)) }
                div.dim { (shown(&source.kind)) }
            }
            td data-label=(reader.say("How it is", "状态")) { span.dot.(colour.class()) {} " " (sentence) }
            td data-label=(reader.say("Last proven", "最近核实")) { (reader.ago(proven)) }
            td data-label=(reader.say("Last poll", "最近轮询")) { (reader.ago(source.last_attempt)) }
            td.number data-label=(reader.say("Certificates", "证书")) {
                a href=(links::list(&[("source", &source.name)])) { (known(trouble::collected(source))) }
            }
        }
    }
}

/// Answers one source with its scopes and windows.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    name: Result<Path<String>, PathRejection>,
) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let sources = Arc::clone(&shared.state.sources.borrow());
    let Some(source) = sources.iter().find(|source| source.name == name) else {
        let sentence =
            reader.say("No source of this name is configured.", "没有配置此名称的来源。");
        let failure = Failure::new(StatusCode::NOT_FOUND, sentence);
        return failure.answer(&reader, Part::Sources);
    };
    let body = html! {
        p.crumbs { a href="/sources" { (reader.say("Sources", "来源")) } " › " (shown(&source.kind)) }
        h1 { (shown(&source.name)) }
        (first(source, &shared, &reader))
        (places(source, &reader))
        (scopes(source, &reader))
        (activity(&shared.state.exposition.activity(&name).unwrap_or_default(), source, &reader))
    };
    layout::answer(&reader, Part::Sources, &shown(&source.name), &body)
}

fn first(source: &SourceStatus, shared: &Shared, reader: &Reader) -> Markup {
    let Standing { colour, sentence, proven } = trouble::standing(source, shared, reader);
    html! {
        section.answer.(colour.class()) #answer data-live {
            p.sentence { (sentence) }
            ul.figures {
                li { (reader.say("last poll", "最近轮询")) " " (reader.ago(source.last_attempt)) }
                li { (reader.say("oldest proof", "最早的核实")) " " (reader.ago(proven)) }
                li { a href=(links::list(&[("source", &source.name)])) { (reader.say("its certificates", "它的证书")) } }
            }
        }
    }
}

fn places(source: &SourceStatus, reader: &Reader) -> Markup {
    let lists = [
        ("problems", reader.say("Places with something wrong", "有问题的位置"), &source.problems),
        (
            "differing",
            reader.say(
                "Places whose addresses show different certificates",
                "各地址证书不一致的位置",
            ),
            &source.differing,
        ),
    ];
    html! {
        @for (id, title, places) in lists.iter().filter(|(_, _, places)| !places.is_empty()) {
            section id=(id) data-live {
                h2 { (title) }
                ul { @for place in *places { li { (trouble::words(place)) } } }
            }
        }
    }
}

fn scopes(source: &SourceStatus, reader: &Reader) -> Markup {
    let (shown, folded) = source.scans.split_at(source.scans.len().min(OPEN));
    html! {
        section #scopes data-live {
            h2 { (reader.say("Scopes and windows", "范围与窗口")) }
            @if source.scans.is_empty() {
                p.empty { (reader.say("Nothing of it has been read yet.", "尚未读取任何内容。")) }
            } @else {
                (scans(shown, reader))
            }
            @if !folded.is_empty() {
                details {
                    summary { (folded.len()) " " (reader.say("more", "个更多")) }
                    (scans(folded, reader))
                }
            }
        }
    }
}

fn scans(scans: &[ScanStatus], reader: &Reader) -> Markup {
    html! {
        table.scans {
            thead { tr {
                th scope="col" { (reader.say("Scope", "范围")) }
                th scope="col" { (reader.say("Window", "窗口")) }
                th scope="col" { (reader.say("Last proven", "最近核实")) }
                th.number scope="col" { (reader.say("Reported", "提供方计数")) }
                th.number scope="col" { (reader.say("Collected", "已读取")) }
                th.number scope="col" { (reader.say("Missing", "缺失")) }
            } }
            tbody { @for scan in scans { (scan_line(scan, reader)) } }
        }
    }
}

fn scan_line(scan: &ScanStatus, reader: &Reader) -> Markup {
    let is_missing = scan.missing.is_some_and(|missing| missing > 0);
    html! {
        tr {
            td.name { (cut(&scan.scope, 60)) }
            td data-label=(reader.say("Window", "窗口")) { (window(&scan.window, reader)) }
            td data-label=(reader.say("Last proven", "最近核实")) { (reader.ago(scan.last_proven)) }
            td.number data-label=(reader.say("Reported", "提供方计数")) { (known(scan.reported)) }
            td.number data-label=(reader.say("Collected", "已读取")) { (known(scan.collected)) }
            td.number data-label=(reader.say("Missing", "缺失")) { span.bad[is_missing] { (known(scan.missing)) } }
        }
    }
}

fn window(window: &str, reader: &Reader) -> String {
    match window {
        "near" => reader.say("near its end", "临近到期").to_owned(),
        "all" => reader.say("everything", "全部").to_owned(),
        other => shown(other),
    }
}

/// What it asked of its provider, and when it asks again.
fn activity(activity: &Activity, source: &SourceStatus, reader: &Reader) -> Markup {
    let Activity { rejected, clock_offset, skipped, .. } = activity;
    html! {
        section #activity data-live {
            h2 { (reader.say("Polls and requests since the start", "启动以来的轮询与请求")) }
            ul.plain {
                @for (name, seconds) in &activity.intervals { li { (poll(name, *seconds, source, reader)) } }
                @if let Some(offset) = clock_offset.filter(|offset| offset.unsigned_abs() > 60) {
                    li.soon { (reader.say("Its clock differs from ours by", "与提供方时钟相差")) " "
                        (reader.span(offset.unsigned_abs())) }
                }
                @if *skipped > 0 {
                    li { (reader.say("Polls left out because one was still running:", "因上次未结束而跳过的轮询：")) " " (count(*skipped)) }
                }
                @for (reason, number) in rejected {
                    li.soon { (reader.say("Rows that could not be understood:", "无法理解的行：")) " "
                        (count(*number)) " " code { (reason.as_str()) } }
                }
            }
            (requests(activity, reader))
        }
    }
}

/// How often a window is read, and when it is next.
fn poll(name: &str, seconds: f64, source: &SourceStatus, reader: &Reader) -> Markup {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let next = source.last_attempt.map(|at| at.plus(i64::try_from(seconds).unwrap_or(i64::MAX)));
    let is_first = source.scans.iter().all(|scan| scan.window == name) || name == "near";
    html! {
        (window(name, reader)) ": " (reader.say("every", "每")) " " (reader.span(seconds))
        @if let Some(next) = next.filter(|next| is_first && *next > reader.now) {
            ", " (reader.say("next about", "下次约")) " " (reader.distance(next))
        }
    }
}

fn requests(activity: &Activity, reader: &Reader) -> Markup {
    html! {
        @if !activity.requests.is_empty() {
            table.small {
                thead { tr {
                    th scope="col" { (reader.say("Action", "操作")) }
                    th scope="col" { (reader.say("How they ended", "结果")) }
                } }
                tbody { @for (action, ended) in &activity.requests {
                    tr {
                        th scope="row" { code { (action) } }
                        td { @for (outcome, number) in ended {
                            span.chip.(outcome_colour(*outcome)) { (outcome.as_str()) " " b { (count(*number)) } } " "
                        } }
                    }
                } }
            }
        }
    }
}

const fn outcome_colour(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "good",
        Outcome::NotFound => "plain",
        Outcome::Refused | Outcome::Malformed | Outcome::BadRequest => "bad",
        Outcome::Throttled | Outcome::Unavailable | Outcome::Timeout | Outcome::Clock => "soon",
    }
}

/// Unknown is never zero.
fn known(number: Option<u64>) -> String {
    number.map_or_else(|| "–".to_owned(), count)
}
