//! What will be said of certificates: the planner, played forward for each.

use std::collections::BTreeMap;

use super::super::Moment;
use super::super::topic::alert;
use super::messages::Saying;
use crate::config::Config;
use crate::expiry::{
    Event, Facts, Forecast, Heard, Notified, Prospect, Row, RowId, Severity, Timestamp, View,
    has_long_ended, severity,
};

/// Certificates that are looked at for one forecast at most: the soonest in the order of their numbers.
const MOST: usize = 200_000;

/// What was said so far.
#[derive(Default)]
pub(super) struct Said {
    pub(super) ledger: BTreeMap<RowId, Notified>,
    /// Those who were told at another time than the others.
    pub(super) heard: BTreeMap<RowId, Vec<Heard>>,
}

/// What will be said of a certificate.
pub(super) struct Course {
    pub(super) row: RowId,
    /// To all.
    common: Vec<Forecast>,
    /// To these it is that instead: they were told at another time.
    own: Vec<(String, Vec<Forecast>)>,
}

impl Course {
    /// Returns to whom it is said, and when.
    pub(super) fn said(&self, facts: &Facts, moment: &Moment) -> Vec<Saying> {
        let say = |forecast: &Forecast| {
            let event = event(self.row, facts, *forecast, moment);
            let why = (Some(forecast.rung), forecast.reason.as_str());
            Saying::to_all(&moment.config, why, &event)
        };
        let has_own = |channel: &str| self.own.iter().any(|(one, _)| one == channel);
        let mut all: Vec<Saying> = self.common.iter().flat_map(say).collect();
        all.retain(|one| !has_own(&one.channel));
        for (name, forecasts) in &self.own {
            let to_it = |one: &Saying| one.channel == *name;
            all.extend(forecasts.iter().flat_map(say).filter(to_it));
        }
        all
    }
}

/// Finds the certificates of which something will be said.
pub(super) fn courses(
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
    let topic = alert(facts.clone(), rung, newer);
    Event { id: String::new(), at, severity, topic }
}
