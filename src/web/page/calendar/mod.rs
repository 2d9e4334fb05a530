//! `/calendar.ics`: one event for each day and source on which certificates expire.
//!
//! A calendar asks again by itself, so what it shows is as new as its last look. Ids of events follow from day and source: a
//! certificate that is renewed leaves its day, and no day is there twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;

use super::links::Pairs;
use super::reader::Reader;
use super::texts::day;
use crate::catalog::{Catalog, CatalogError, Entry, Mistake, Query};
use crate::expiry::{Rung, Timestamp};
use crate::web::Shared;
use crate::web::problem::Problem;
use crate::web::subscription::{OF_PAGES, TOKEN};

mod event;
mod ics;

/// Days behind and ahead that are shown where nobody says.
const BEHIND: i64 = 31 * 86_400;
const AHEAD: i64 = 731 * 86_400;

/// Certificates that are looked at; where there are more, the calendar says from when on.
const MOST: usize = 100_000;

/// Certificates that are named in one event.
const NAMED: usize = 25;

/// What expires on a day, by the day's first second and the source.
type Days = BTreeMap<(Timestamp, String), Day>;

/// What expires on one day in one source.
#[derive(Default)]
struct Day {
    count: u64,
    /// The soonest of them.
    first: Vec<Entry>,
    /// When the soonest comes to each rung.
    rungs: Vec<(Rung, Timestamp)>,
}

/// Everything that is shown.
#[derive(Default)]
struct Agenda {
    days: Days,
    looked_at: usize,
    /// The day from which on it is not whole.
    broken_off: Option<Timestamp>,
}

/// Answers the calendar.
pub(super) async fn calendar(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    pairs: Result<axum::extract::Query<Pairs>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let axum::extract::Query(pairs) = pairs
        .map_err(|error| Mistake { parameter: "query".to_owned(), detail: error.body_text() })?;
    let query = asked(&pairs, reader.now)?;
    let Ok(_permit) = shared.exports.try_acquire() else {
        return Err(Problem::busy("too many exports at once; wait for one to end"));
    };
    let agenda = shared.stored(read(&shared.state.catalog, &query)).await?;
    let headers = [
        (CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (CONTENT_DISPOSITION, "inline; filename=\"notafter.ics\""),
        (CACHE_CONTROL, "no-cache, private"),
        // Its address may be a secret.
        (REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, event::written(&agenda, &reader)).into_response())
}

/// Returns what a calendar is asked for: active certificates of two years where nobody says.
fn asked(pairs: &Pairs, now: Timestamp) -> Result<Query, Mistake> {
    let is_said = |names: &[&str]| {
        pairs.iter().any(|(name, value)| names.contains(&name.as_str()) && !value.is_empty())
    };
    let (from, to) = (day(now.plus(-BEHIND)), day(now.plus(AHEAD)));
    let mut usual = vec![("sort", "not_after"), ("undated", "false")];
    if !is_said(&["status"]) {
        usual.push(("status", "active"));
    }
    if !is_said(&["ends_from"]) {
        usual.push(("ends_from", &from));
    }
    if !is_said(&["ends_to", "within"]) {
        usual.push(("ends_to", &to));
    }
    let is_left_out = |name: &str, value: &str| {
        let is_usual = usual.iter().any(|(usual, _)| *usual == name);
        OF_PAGES.contains(&name) || name == TOKEN || (value.is_empty() && is_usual)
    };
    let said = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let said = said.filter(|(name, value)| !is_left_out(name, value));
    Query::read(said.chain(usual.iter().copied()))
}

async fn read(catalog: &Catalog, query: &Query) -> Result<Agenda, CatalogError> {
    let (taker, mut given) = mpsc::channel(1);
    let counting = async move {
        let mut agenda = Agenda::default();
        while let Some(entries) = given.recv().await {
            if !agenda.take(catalog, entries) {
                break;
            }
        }
        agenda
    };
    let (read, agenda) = tokio::join!(catalog.export(query, taker), counting);
    read.map(|()| agenda)
}

impl Agenda {
    /// Takes what comes next; answers whether more is wanted.
    fn take(&mut self, catalog: &Catalog, entries: Vec<Entry>) -> bool {
        for entry in entries {
            let Some(end) = entry.facts.not_after.filter(|end| has_a_day(*end)) else { continue };
            if self.looked_at == MOST {
                self.broken_off = Some(first_second(end));
                return false;
            }
            self.looked_at += 1;
            let day = self.days.entry((first_second(end), entry.facts.source.clone())).or_default();
            day.count += 1;
            if day.first.is_empty() {
                day.rungs = catalog.steps(&entry);
            }
            if day.first.len() < NAMED {
                day.first.push(entry);
            }
        }
        true
    }
}

/// Tells whether a time has a day in a calendar, whose years have four digits.
fn has_a_day(at: Timestamp) -> bool {
    (0..=253_402_300_799).contains(&at.seconds())
}

/// Returns the first second of the day in UTC.
fn first_second(at: Timestamp) -> Timestamp {
    at.plus(-at.seconds().rem_euclid(86_400))
}
