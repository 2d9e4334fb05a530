//! `/certificates`: every certificate, by what is asked for.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use tokio::time::timeout;

use super::answer::of_rung;
use super::filters;
use super::layout::{self, Failure, Part};
use super::links::{self, Pairs};
use super::reader::Reader;
use super::texts::{cut, day, moment, name, number};
use crate::catalog::{Entry, Page, Query, SORTED_BY_NAME};
use crate::expiry::{Facts, Status, Timestamp};
use crate::web::door::Asker;
use crate::web::{Shared, subscription};

/// How long ago is long ago: 30 days.
const LONG_AGO: i64 = 31 * 86_400;

/// Letters of a name that are shown.
const NAME: usize = 48;

/// Labels that are shown of each, and their letters.
const LABELS: usize = 4;
const LABEL: usize = 32;

/// What sorts by name, of which there are few enough.
const BY_NAME: &str = "name";

/// What stands above a column, and what it is sorted by.
type Column = (&'static str, &'static str, Option<&'static str>);

const COLUMNS: [Column; 5] = [
    ("Name", "名称", Some(BY_NAME)),
    ("Expires", "到期", Some("not_after")),
    ("Status", "状态", Some("status")),
    ("Source", "来源", Some("source")),
    ("Labels", "标签", None),
];

/// Answers a page of the list.
pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    asker: Asker,
    pairs: Result<Parameters<Pairs>, QueryRejection>,
) -> Response {
    let found = match pairs {
        Ok(Parameters(pairs)) => found(&shared, &reader, pairs).await,
        Err(error) => Err(Failure::new(StatusCode::BAD_REQUEST, error.body_text())),
    };
    match found {
        Ok((pairs, page)) => {
            let title = reader.say("Certificates", "证书");
            layout::answer(
                &reader,
                Part::Certificates,
                title,
                &whole(&shared, &pairs, &page, (&reader, &asker)),
            )
        }
        Err(failure) => failure.answer(&reader, Part::Certificates),
    }
}

async fn found(
    shared: &Shared,
    reader: &Reader,
    mut pairs: Pairs,
) -> Result<(Pairs, Page), Failure> {
    pairs.retain(|(_, value)| !value.is_empty());
    let sorted = pairs.iter().any(|(name, _)| name == "sort");
    let usual = (!sorted).then_some(("sort", "urgency"));
    let said = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query = Query::read(said.chain(usual)).map_err(|mistake| {
        let sentence = format!("{}: {}", mistake.parameter, mistake.detail);
        Failure::new(StatusCode::BAD_REQUEST, sentence)
    })?;
    let page = timeout(shared.limits.answer, shared.state.catalog.list(&query)).await;
    let page = page.map_err(|_| Failure::late(reader))?.map_err(Failure::from)?;
    Ok((pairs, page))
}

fn whole(
    shared: &Shared,
    pairs: &Pairs,
    page: &Page,
    (reader, asker): (&Reader, &Asker),
) -> Markup {
    html! {
        h1 { (reader.say("Certificates", "证书")) }
        (kinds_of_lists(pairs, reader))
        (filters::form(shared, pairs, reader))
        section #list data-live aria-label=(reader.say("List", "列表")) {
            p.summary { (summary(page, reader)) (exports(shared, pairs, (reader, asker))) }
            @if page.searched_all == Some(false) { (partly_searched(reader)) }
            @if page.items.is_empty() { (nothing(shared, page, reader)) }
            @else { (table(page.items.iter(), Some(&Sorting::of(pairs, page)), reader)) }
            (pages(pairs, page, reader))
        }
    }
}

/// Lists that would crowd each other out.
fn kinds_of_lists(pairs: &Pairs, reader: &Reader) -> Markup {
    let lists = [
        (links::list(&[]), reader.say("All, by urgency", "全部(按紧急程度)")),
        (soonest(reader), reader.say("Ends soonest", "最早到期")),
        (not_deployed(), reader.say("Renewed, not deployed", "已续期未部署")),
        (undated(), reader.say("Without an end", "无到期日")),
        (long_ended(reader), reader.say("Ended long ago", "早已到期")),
    ];
    let known = pairs.iter().filter(|(name, _)| name != "cursor");
    let here = links::with_query(
        "/certificates",
        known.map(|(name, value)| (name.as_str(), value.as_str())),
    );
    html! {
        nav.tabs aria-label=(reader.say("Lists", "列表")) {
            @for (link, word) in &lists {
                a href=(link) aria-current=[(*link == here).then_some("true")] { (word) }
            }
        }
    }
}

/// Returns the list of active certificates that end next, or did so a short while ago.
pub(super) fn soonest(reader: &Reader) -> String {
    let from = day(reader.now.plus(-LONG_AGO));
    links::list(&[("status", "active"), ("ends_from", &from), ("sort", "not_after")])
}

/// Returns the list of those without a known end.
pub(super) fn undated() -> String {
    links::list(&[("undated", "true")])
}

/// Returns the list of those that are served although a newer one is known.
pub(super) fn not_deployed() -> String {
    links::list(&[("not_deployed", "true")])
}

/// Returns the list of active ones that ended long ago, the last first.
pub(super) fn long_ended(reader: &Reader) -> String {
    let to = day(reader.now.plus(-LONG_AGO));
    links::list(&[("status", "active"), ("ends_to", &to), ("sort", "-not_after")])
}

fn summary(page: &Page, reader: &Reader) -> String {
    let found = reader.counted(page.total_at_least, "certificate", "个证书");
    let least = if page.total.is_some() { "" } else { reader.say("at least ", "至少 ") };
    format!("{least}{found}")
}

fn exports(shared: &Shared, pairs: &Pairs, (reader, asker): (&Reader, &Asker)) -> Markup {
    let kept = pairs.iter().filter(|(name, _)| name != "cursor" && name != "limit");
    let kept: Vec<_> = kept.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let link = |format| {
        links::with_query("/api/v1/certificates", kept.iter().copied().chain([("format", format)]))
    };
    let calendar = subscription::address(shared, asker.name.as_deref(), &kept);
    let is_secret = calendar.contains(subscription::TOKEN);
    html! {
        span.exports {
            (reader.say("this list as ", "导出此列表："))
            a href=(link("csv")) download { "CSV" } " " a href=(link("json")) download { "JSON" } " "
            a href=(calendar) title=[is_secret.then(|| secret(reader))] { (reader.say("calendar", "日历")) }
        }
    }
}

/// What to know of a calendar's address that needs no password.
const fn secret(reader: &Reader) -> &'static str {
    reader.say(
        "For a calendar that cannot sign in: this address needs no password, so keep it to yourself. It ends with your password.",
        "供无法登录的日历程序使用：此地址无需密码，请勿外传；更改密码后失效。",
    )
}

fn partly_searched(reader: &Reader) -> Markup {
    html! {
        p.note { (reader.say(
            "The index of names is still being built, so this search may not find every part of a name yet. \
             Whole serials, ids and their beginnings are found.",
            "名称索引仍在建立，目前可能找不到名称的某些部分；完整的序列号、ID 及其开头可以找到。",
        )) }
    }
}

/// What to do where nothing is shown.
fn nothing(shared: &Shared, page: &Page, reader: &Reader) -> Markup {
    let is_empty = shared.state.view.borrow().is_empty();
    html! {
        p.empty {
            @if page.next.is_some() {
                (reader.say("Nothing was found so far; there is more to look through.", "目前没有找到，还有部分未查找。"))
            } @else if is_empty {
                (reader.say("No certificate is known yet. ", "尚无已知证书。"))
                a href="/sources" { (reader.say("The sources say why.", "查看来源状态。")) }
            } @else {
                (reader.say("No certificate fits all of this. Take a filter away, or ", "没有符合条件的证书。请移除某个条件，或"))
                a href="/certificates" { (reader.say("show all", "显示全部")) } "."
            }
        }
    }
}

fn pages(pairs: &Pairs, page: &Page, reader: &Reader) -> Markup {
    let is_first = !pairs.iter().any(|(name, _)| name == "cursor");
    html! {
        nav.pages aria-label=(reader.say("Pages", "分页")) {
            @if !is_first {
                a href=(links::changed(pairs, "cursor", "")) { (reader.say("First page", "首页")) }
            }
            @if let Some(next) = &page.next {
                a rel="next" href=(links::changed(pairs, "cursor", next)) { (reader.say("Next page", "下一页")) }
            }
        }
    }
}

/// Shows certificates; a list that can be sorted says so above its columns.
pub(super) fn table<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    sorting: Option<&Sorting<'_>>,
    reader: &Reader,
) -> Markup {
    html! {
        table.certificates {
            thead { tr { @for column in COLUMNS { (head(column, sorting, reader)) } } }
            tbody { @for entry in entries { (row(entry, reader)) } }
        }
    }
}

/// By what a list may be sorted.
pub(super) struct Sorting<'a> {
    pairs: &'a Pairs,
    by_name: bool,
}

impl<'a> Sorting<'a> {
    fn of(pairs: &'a Pairs, page: &Page) -> Self {
        let by_name = page.total.is_some_and(|total| total <= SORTED_BY_NAME as u64);
        Self { pairs, by_name }
    }
}

fn head((english, chinese, key): Column, sorting: Option<&Sorting<'_>>, reader: &Reader) -> Markup {
    let word = reader.say(english, chinese);
    let sorting = sorting.filter(|sorting| sorting.by_name || key != Some(BY_NAME));
    let Some((Sorting { pairs, .. }, key)) = sorting.zip(key) else {
        return html! { th scope="col" { (word) } };
    };
    let sort = pairs.iter().find(|(name, _)| name == "sort").map(|(_, value)| value.as_str());
    let turned = format!("-{key}");
    let (state, next) = match sort {
        Some(sort) if sort == key => (Some("ascending"), turned.as_str()),
        Some(sort) if sort == turned => (Some("descending"), key),
        _ => (None, key),
    };
    html! {
        th scope="col" aria-sort=[state] { a href=(links::changed(pairs, "sort", next)) { (word) } }
    }
}

fn row(entry: &Entry, reader: &Reader) -> Markup {
    let facts = &entry.facts;
    let id = facts.id();
    html! {
        tr data-row {
            td.name {
                a href={ "/certificates/" (id) } { (cut(name(facts, &entry.names), NAME)) }
                div.dim { (reader.kind(facts.kind)) " · " (number(&facts.serial)) }
            }
            td.end data-label=(reader.say("Expires", "到期")) { (end(entry, reader)) }
            td.state data-label=(reader.say("Status", "状态")) { (state(entry, reader)) }
            td.source data-label=(reader.say("Source", "来源")) {
                (cut(&facts.source, NAME))
                div.dim { (cut(&facts.scope, NAME)) @if !facts.place.is_empty() { " · " (cut(&facts.place, NAME)) } }
            }
            td.labels.none[is_plain(&entry.facts)] data-label=(reader.say("Labels", "标签")) { (labels(&entry.facts)) }
        }
    }
}

/// Tells whether nothing but its names tells a certificate apart.
fn is_plain(facts: &Facts) -> bool {
    facts.unit.is_empty() && facts.labels.is_empty()
}

/// Shows what certificates are told apart by: the unit and the labels.
pub(super) fn labels(facts: &Facts) -> Markup {
    let known = facts.labels.iter().take(LABELS);
    html! {
        @if is_plain(facts) { span.dim { "–" } }
        @if !facts.unit.is_empty() { span.chip { (cut(&facts.unit, LABEL)) } " " }
        @for (name, value) in known {
            a.chip href=(links::list(&[("label", &format!("{name}:{value}"))])) {
                (cut(&format!("{name}={value}"), LABEL))
            } " "
        }
        @if facts.labels.len() > LABELS { span.dim { "+" (facts.labels.len() - LABELS) } }
    }
}

fn end(entry: &Entry, reader: &Reader) -> Markup {
    let Some(end) = entry.facts.not_after else {
        return html! { span.dim { (reader.say("unknown", "未知")) } };
    };
    html! {
        strong.(urgency(entry, end, reader)) { (reader.distance(end)) }
        div.dim { (moment(end)) }
    }
}

/// Returns the class of a certificate's end.
pub(super) fn urgency(entry: &Entry, end: Timestamp, reader: &Reader) -> &'static str {
    match (entry.facts.status, entry.rung) {
        (Status::Active, _) if end <= reader.now => "bad",
        (Status::Active, Some(rung)) => of_rung(rung).class(),
        (Status::Active, None) => "good",
        _ => "dim",
    }
}

/// Shows the rung and whether a newer one should be served; the status where it says more than the rung.
pub(super) fn state(entry: &Entry, reader: &Reader) -> Markup {
    let status = entry.facts.status;
    html! {
        @if entry.rung.is_none() || status != Status::Active { span.chip { (reader.status(status)) } " " }
        @if let Some(rung) = entry.rung {
            span.chip.(of_rung(rung).class()) { (reader.rung(&rung.as_label())) } " "
        }
        @if let Some(until) = entry.snoozed_until {
            span.chip { (reader.say("snoozed", "已暂停提醒")) " " (reader.distance(until)) } " "
        }
        @if let Some(newer) = &entry.not_deployed {
            a.chip.soon href={ "/certificates/" (newer) } { (reader.say("newer not deployed", "新证书未部署")) }
        }
    }
}
