//! What expires soonest.

use maud::{Markup, html};

use super::{Wish, moment, shown};
use crate::expiry::{Facts, Row, RowId, Status, Timestamp};
use crate::metrics::NamesError;
use crate::scan::SourceStatus;
use crate::web::{State, time_format};

/// Certificates on the page.
const SHOWN: usize = 100;
/// Certificates of each source that a search looks at.
const SEARCHED: usize = 1000;
/// Names that are read from the store at once.
const BATCH: usize = 1000;
const DAY: i64 = 86_400;

/// What the search found.
pub(super) struct Found {
    rows: Vec<Line>,
    more: bool,
    error: Option<NamesError>,
}

/// One certificate.
struct Line {
    row: Row,
    facts: Option<Facts>,
    /// The newer certificate that should be served in its place.
    should: Option<(RowId, Option<Facts>)>,
}

/// Finds what the reader looks for among the certificates that matter most.
pub(super) async fn find(state: &State, wish: &Wish, now: Timestamp) -> Found {
    let view = state.view.borrow().clone();
    let each = if wish.q.trim().is_empty() { SHOWN + 1 } else { SEARCHED };
    let mut sources: Vec<_> = view.scopes().map(|(_, source, _)| source).collect();
    sources.sort_unstable();
    sources.dedup();
    sources.retain(|name| wish.source.is_empty() || ***name == *wish.source);
    let mut rows: Vec<(RowId, Row)> = sources
        .into_iter()
        .flat_map(|source| view.soonest(source, each, now))
        .filter_map(|id| Some((id, view.row(id)?)))
        .collect();
    rows.sort_by_key(|(_, row)| rank(row, now));
    let wanted = wish.q.trim().to_lowercase();
    let mut found = Found { rows: vec![], more: false, error: None };
    for batch in rows.chunks(BATCH) {
        let ids: Vec<_> = batch.iter().map(|(id, _)| *id).collect();
        let facts = state.names.facts(&ids).await.unwrap_or_else(|error| {
            found.error = Some(error);
            vec![None; ids.len()]
        });
        let lines = batch.iter().zip(facts).map(|((id, row), facts)| {
            let should = view.undeployed().get(id).map(|newer| (*newer, None));
            Line { row: *row, facts, should }
        });
        found.rows.extend(lines.filter(|line| matches(line.facts.as_ref(), &wanted)));
        if found.rows.len() > SHOWN {
            break;
        }
    }
    found.more = found.rows.len() > SHOWN;
    found.rows.truncate(SHOWN);
    found.name_what_should_be_served(state).await;
    found
}

impl Found {
    async fn name_what_should_be_served(&mut self, state: &State) {
        let mut lines: Vec<_> =
            self.rows.iter_mut().filter_map(|line| line.should.as_mut()).collect();
        let ids: Vec<RowId> = lines.iter().map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return;
        }
        match state.names.facts(&ids).await {
            Ok(named) => lines.iter_mut().zip(named).for_each(|(line, facts)| line.1 = facts),
            Err(error) => self.error = Some(error),
        }
    }
}

/// Orders certificates of several sources as the inventory orders those of one.
fn rank(row: &Row, now: Timestamp) -> (bool, bool, i64) {
    let end = row.not_after.map_or(i64::MAX, Timestamp::seconds);
    let long_ended = end < now.plus(-30 * DAY).seconds();
    (row.status != Status::Active, long_ended, end)
}

fn matches(facts: Option<&Facts>, wanted: &str) -> bool {
    if wanted.is_empty() {
        return true;
    }
    facts.is_some_and(|facts| {
        [&facts.common_name, &facts.holder, &facts.issuer, &facts.serial, &facts.scope, &facts.unit]
            .into_iter()
            .any(|name| name.to_lowercase().contains(wanted))
    })
}

/// Shows what was found, and the form to look for something else.
pub(super) fn section(
    sources: &[SourceStatus],
    wish: &Wish,
    found: &Found,
    now: Timestamp,
) -> Markup {
    html! {
        section {
            h2 { "Soonest certificates" }
            (form(sources, wish))
            @if let Some(error) = &found.error { p.error { (shown(&error.to_string())) } }
            @if found.rows.is_empty() {
                p { "None is known" @if !wish.q.is_empty() || !wish.source.is_empty() { " by that name" } "." }
            } @else {
                (table(found, now))
            }
            @if found.more { p.dim { "Only the first " (SHOWN) " are shown." } }
            @if !wish.q.trim().is_empty() {
                p.dim { "Searched among the " (SEARCHED) " soonest certificates of each source." }
            }
        }
    }
}

fn form(sources: &[SourceStatus], wish: &Wish) -> Markup {
    html! {
        form method="get" action="/" {
            label { "Name " input type="search" name="q" value=(wish.q); }
            label { "Source "
                select name="source" {
                    option value="" { "all" }
                    @for source in sources {
                        option value=(source.name) selected[source.name == wish.source] {
                            (shown(&source.name))
                        }
                    }
                }
            }
            button { "Show" }
        }
    }
}

fn table(found: &Found, now: Timestamp) -> Markup {
    html! {
        table {
            thead { tr {
                th { "Expires" } th { "Remaining" } th { "Status" } th { "Kind" } th { "Holder" }
                th { "Common name" } th { "Issuer" } th { "Serial" } th { "Source" } th { "Scope" }
            } }
            tbody { @for line in &found.rows { (line.shown(now)) } }
        }
    }
}

impl Line {
    fn shown(&self, now: Timestamp) -> Markup {
        cells(&self.row, self.facts.as_ref(), &self.status(), now)
    }

    /// Shows its status, and what should be served instead.
    fn status(&self) -> Markup {
        let serial = |facts: &Option<Facts>| facts.as_ref().map(|facts| shown(&facts.serial));
        html! {
            (self.row.status.as_str())
            @if let Some((_, newer)) = &self.should {
                " · " span.soon { "not deployed" }
                @if let Some(serial) = serial(newer) { ": " code { (serial) } " should be served" }
            }
        }
    }
}

fn cells(row: &Row, facts: Option<&Facts>, status: &Markup, now: Timestamp) -> Markup {
    let name =
        |read: fn(&Facts) -> &String| facts.map_or_else(|| "–".to_owned(), |f| shown(read(f)));
    html! {
        tr {
            @if let Some(end) = row.not_after {
                td data-label="Expires" { (moment(end)) }
                td data-label="Remaining" {
                    span class=(urgency(row.status, end.since(now))) { (time_format::distance(end, now)) }
                }
            } @else {
                td data-label="Expires" { "unknown" }
                td data-label="Remaining" { "–" }
            }
            td data-label="Status" { (status) }
            td data-label="Kind" { (row.kind.as_str()) }
            td data-label="Holder" { (name(|facts| &facts.holder)) }
            td data-label="Common name" { (name(|facts| &facts.common_name)) }
            td data-label="Issuer" { (name(|facts| &facts.issuer)) }
            td data-label="Serial" { code { (name(|facts| &facts.serial)) } }
            td data-label="Source" { (name(|facts| &facts.source)) }
            td data-label="Scope" { (name(|facts| &facts.scope)) (place(facts)) }
        }
    }
}

/// Shows where it was looked at, if anywhere.
fn place(facts: Option<&Facts>) -> Markup {
    let place = facts.map(|facts| facts.place.as_str()).filter(|place| !place.is_empty());
    html! { @if let Some(place) = place { " · " (shown(place)) } }
}

fn urgency(status: Status, left: i64) -> &'static str {
    match (status, left) {
        (Status::Active, ..=0) => "bad",
        (Status::Active, 1..=604_800) => "soon",
        (Status::Active, _) => "good",
        _ => "dim",
    }
}
