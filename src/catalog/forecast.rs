//! Who will be told what, and when, if nothing changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Catalog, CatalogError, Moment, off_the_runtime};
use crate::config::Config;
use crate::expiry::{
    Event, Facts, Forecast, Heard, Notified, Prospect, Row, RowId, Rung, Severity, Timestamp,
    Topic, View, has_long_ended, severity,
};

/// Certificates that are looked at for one forecast at most: the soonest in the order of their numbers.
const MOST: usize = 200_000;

/// Certificates that are read at once.
const STEP: usize = 1000;

/// Certificates that are named in one line.
const NAMED: usize = 5;

/// What is asked.
#[derive(Clone, Debug)]
pub struct PlanQuery {
    /// How far to look ahead, in seconds.
    pub ahead: i64,
    /// Only what this channel will be told.
    pub channel: Option<String>,
}

/// Who will be told what.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// The messages, the first first.
    pub messages: Vec<Planned>,
    /// Certificates that were not looked at, because there are too many.
    pub left_out: u64,
}

/// One message to one channel.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When it will be decided, or no longer muted.
    pub at: Timestamp,
    /// The channel.
    pub channel: String,
    /// What it will say.
    pub lines: Vec<Line>,
}

/// What a message will say of some certificates.
#[derive(Clone, Debug)]
pub struct Line {
    /// The kind of event.
    pub kind: &'static str,
    /// The rung.
    pub rung: Rung,
    /// Why.
    pub reason: &'static str,
    /// How much it asks of the reader.
    pub severity: Severity,
    /// Of how many certificates.
    pub count: u64,
    /// The first few of them.
    pub first: Vec<Facts>,
}

type Key = (&'static str, Rung, &'static str, Severity);

/// What was said so far.
#[derive(Default)]
struct Said {
    ledger: BTreeMap<RowId, Notified>,
    /// Those who were told at another time than the others.
    heard: BTreeMap<RowId, Vec<Heard>>,
}

/// What will be said of a certificate.
struct Course {
    row: RowId,
    /// To all.
    common: Vec<Forecast>,
    /// To these it is that instead: they were told at another time.
    own: Vec<(String, Vec<Forecast>)>,
}

impl Catalog {
    /// Returns who will be told what if nothing changes.
    pub async fn outlook(&self, query: &PlanQuery) -> Result<Outlook, CatalogError> {
        let moment = self.moment();
        let (from, until) = (moment.now, moment.now.plus(query.ahead));
        let said = self.said().await?;
        let (view, config) = (Arc::clone(&moment.view), Arc::clone(&moment.config));
        let work = move || courses(&view, &config, &said, (from, until));
        let (found, left_out) = off_the_runtime(work).await?;
        let mut planned = Vec::new();
        for some in found.chunks(STEP) {
            let rows: Vec<RowId> = some.iter().map(|course| course.row).collect();
            let kept = self.read(&moment, &rows).await?;
            for (course, kept) in some.iter().zip(kept) {
                if let Some(kept) = kept {
                    planned.extend(course.addressed(&kept.facts, &moment));
                }
            }
        }
        let wanted = |(_, channel, ..): &(Timestamp, String, Forecast, Event)| {
            query.channel.as_ref().is_none_or(|wanted| wanted == channel)
        };
        planned.retain(wanted);
        let wait = i64::try_from(moment.config.alerts.group_wait.as_secs()).unwrap_or(0);
        Ok(Outlook { from, until, messages: messages(planned, wait), left_out })
    }

    async fn said(&self) -> Result<Said, CatalogError> {
        let mut said = Said::default();
        let mut after = None;
        loop {
            let some = self.store.open_alerts(after, STEP).await?;
            let Some((last, ..)) = some.last() else { break };
            after = Some(*last);
            said.ledger.extend(some.into_iter().map(|(row, said, _)| (row, said)));
        }
        let late: BTreeSet<RowId> =
            self.store.heard_late().await?.into_iter().map(|(row, _)| row).collect();
        let late: Vec<RowId> = late.into_iter().collect();
        for some in late.chunks(STEP) {
            said.heard.extend(some.iter().copied().zip(self.store.heard(some).await?));
        }
        Ok(said)
    }
}

impl Course {
    /// Returns to whom it is said, and when.
    fn addressed(
        &self,
        facts: &Facts,
        moment: &Moment,
    ) -> Vec<(Timestamp, String, Forecast, Event)> {
        let say = |forecast: &Forecast| {
            addressed(&moment.config, *forecast, &event(self.row, facts, *forecast, moment))
        };
        let has_own = |channel: &str| self.own.iter().any(|(one, _)| one == channel);
        let mut all: Vec<_> = self.common.iter().flat_map(say).collect();
        all.retain(|(_, channel, ..)| !has_own(channel));
        for (name, forecasts) in &self.own {
            let to_it = |(_, channel, ..): &(Timestamp, String, Forecast, Event)| channel == name;
            all.extend(forecasts.iter().flat_map(say).filter(to_it));
        }
        all
    }
}

/// Finds the certificates of which something will be said.
fn courses(
    view: &View,
    config: &Config,
    said: &Said,
    (from, until): (Timestamp, Timestamp),
) -> (Vec<Course>, u64) {
    let names: BTreeMap<_, _> =
        view.scopes().map(|(id, source, scope)| (id, (source, scope))).collect();
    let (mut found, mut left_out) = (Vec::new(), 0);
    for (row, known) in view.rows() {
        let Some((not_after, (source, scope))) = known.not_after.zip(names.get(&known.scope))
        else {
            continue;
        };
        let issuer = view.issuer_name(row).unwrap_or_default();
        let prospect = Prospect {
            ladder: config.alerts.ladders.of(source, scope, known.kind, issuer),
            not_after,
            lifetime: lifetime(&known),
            status: known.status,
            notified: said.ledger.get(&row).copied(),
            reminding: config.alerts.reminding,
        };
        let common = prospect.forecast(from, until);
        let own = own(&prospect, said.heard.get(&row), (from, until));
        match common.is_empty() && own.iter().all(|(_, forecasts)| forecasts.is_empty()) {
            true => {}
            false if found.len() >= MOST => left_out += 1,
            false => found.push(Course { row, common, own }),
        }
    }
    (found, left_out)
}

/// Returns what will be said to those who were told at another time than the others.
fn own(
    prospect: &Prospect<'_>,
    heard: Option<&Vec<Heard>>,
    (from, until): (Timestamp, Timestamp),
) -> Vec<(String, Vec<Forecast>)> {
    let forecast = |one: &Heard| {
        let (said, at) = (prospect.notified?, one.at.filter(|at| *at <= from)?);
        // Whoever never heard of this rung hears of it with the others.
        let heard = said.heard_at(at);
        let notified = Some(heard).filter(|_| at >= said.at || said.count > 0)?;
        let own = Prospect { notified: Some(notified), ..*prospect };
        Some((one.channel.clone(), own.forecast(from, until)))
    };
    heard.into_iter().flatten().filter_map(forecast).collect()
}

fn lifetime(known: &Row) -> Option<u32> {
    let seconds = known.not_after?.since(known.not_before?);
    u32::try_from(seconds).ok().filter(|seconds| *seconds > 0)
}

fn event(row: RowId, facts: &Facts, forecast: Forecast, moment: &Moment) -> Event {
    let Forecast { at, rung, .. } = forecast;
    let long = facts.not_after.is_some_and(|end| has_long_ended(end, at));
    let severity = if long { Severity::Info } else { severity(facts.status, rung) };
    let newer = moment.view.undeployed().get(&row).is_some();
    let facts = facts.clone();
    let topic = if newer {
        let newer = crate::expiry::Newer {
            source: String::new(),
            place: String::new(),
            serial: String::new(),
            not_after: None,
            deployment_unknown: false,
        };
        Topic::NotDeployed { facts, rung, newer, since: None, bound: Vec::new() }
    } else {
        Topic::Expiring { facts, rung, leaves: None, newer: None, unserved: false, places: None }
    };
    Event { id: String::new(), at, severity, topic }
}

/// Returns the channels that an event goes to, each with the time from which it does not wait there.
fn addressed(
    config: &Config,
    forecast: Forecast,
    event: &Event,
) -> Vec<(Timestamp, String, Forecast, Event)> {
    let to = |channel: &str| {
        let at = config.muted_until(event, channel, forecast.at).unwrap_or(forecast.at);
        (at, channel.to_owned(), forecast, event.clone())
    };
    config.route(event).into_iter().map(to).collect()
}

/// Puts together what is said to one channel within the time that the first waits for others.
fn messages(mut planned: Vec<(Timestamp, String, Forecast, Event)>, wait: i64) -> Vec<Planned> {
    planned.sort_by(|one, other| (&one.1, one.0).cmp(&(&other.1, other.0)));
    let mut all: Vec<(Timestamp, String, BTreeMap<Key, Line>)> = Vec::new();
    for (at, channel, forecast, event) in planned {
        let joins =
            all.last().is_some_and(|(first, last, _)| *last == channel && at.since(*first) <= wait);
        if !joins {
            all.push((at, channel, BTreeMap::new()));
        }
        if let Some((.., lines)) = all.last_mut() {
            add(lines, forecast, &event);
        }
    }
    let message = |(at, channel, lines): (Timestamp, String, BTreeMap<Key, Line>)| Planned {
        at,
        channel,
        lines: lines.into_values().collect(),
    };
    let mut messages: Vec<Planned> = all.into_iter().map(message).collect();
    messages.sort_by(|one, other| (one.at, &one.channel).cmp(&(other.at, &other.channel)));
    messages
}

fn add(lines: &mut BTreeMap<Key, Line>, forecast: Forecast, event: &Event) {
    let (kind, rung, severity) = (event.kind(), forecast.rung, event.severity);
    let reason = forecast.reason.as_str();
    let line = lines.entry((kind, rung, reason, severity)).or_insert_with(|| Line {
        kind,
        rung,
        reason,
        severity,
        count: 0,
        first: Vec::new(),
    });
    line.count += 1;
    if line.first.len() < NAMED {
        line.first.extend(event.facts().cloned());
    }
}
