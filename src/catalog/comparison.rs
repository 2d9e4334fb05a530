//! What another configuration would change for what is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::routing::general_events;
use super::{Catalog, CatalogError, Moment, off_the_runtime};
use crate::config::{Config, difference};
use crate::expiry::{Event, Facts, Kind, RowId, Rung, ScopeId, Status, Topic, View, severity};
use crate::store::Kept;

/// Certificates of one source that are looked at: those that expire soonest.
const MOST: usize = 5000;

/// Certificates that are read at once.
const STEP: usize = 256;

/// What a reload would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What differs, in words.
    pub differences: Vec<String>,
    /// Certificates of sources that are gone: nothing would be known of them any more.
    pub forgotten: u64,
    /// What would be said to others than now.
    pub rerouted: Vec<Rerouted>,
    /// Certificates that were looked at for that.
    pub looked_at: u64,
    /// Certificates that would stand on another ladder.
    pub other_ladder: u64,
    /// Certificates that are known.
    pub known: u64,
}

/// What would be said to others than now, by who is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rerouted {
    /// The channels that are told now.
    pub now: Vec<String>,
    /// The channels that would be told.
    pub then: Vec<String>,
    /// How many certificates it is, on one of the rungs before them.
    pub certificates: u64,
    /// Events about sources, channels and the daemon.
    pub events: Vec<String>,
}

/// Who is told now, and who would be.
type Ways = (Vec<String>, Vec<String>);

impl Catalog {
    /// Tells what would change with `wanted` in the place of the configuration that is in effect.
    pub async fn compare(&self, wanted: &Arc<Config>) -> Result<Comparison, CatalogError> {
        let moment = self.moment();
        let (view, old, new) =
            (Arc::clone(&moment.view), Arc::clone(&moment.config), Arc::clone(wanted));
        let other_ladder = off_the_runtime(move || other_ladder(&view, &old, &new)).await?;
        let mut rerouted = general(&moment, wanted);
        let looked_at = self.rerouted(&moment, wanted, &mut rerouted).await?;
        Ok(Comparison {
            differences: difference(&moment.config, wanted),
            forgotten: forgotten(&moment, wanted),
            rerouted: rerouted.into_values().collect(),
            looked_at,
            other_ladder,
            known: moment.view.len() as u64,
        })
    }

    /// Adds the certificates that would be told of to others. Answers how many were looked at.
    async fn rerouted(
        &self,
        moment: &Moment,
        wanted: &Config,
        found: &mut BTreeMap<Ways, Rerouted>,
    ) -> Result<u64, CatalogError> {
        let mut looked_at = 0;
        for source in moment.config.sources.iter().filter(|source| has(wanted, &source.name)) {
            let (view, name, now) = (Arc::clone(&moment.view), source.name.clone(), moment.now);
            let rows = off_the_runtime(move || view.soonest(&name, MOST, now)).await?;
            for step in rows.chunks(STEP) {
                let kept = self.store.kept(step).await?;
                let alerting = step.iter().zip(kept).filter_map(|(row, kept)| Some((*row, kept?)));
                for (row, kept) in alerting.filter(|(_, kept)| may_alert(kept)) {
                    looked_at += 1;
                    if let Some(ways) = other_ways(moment, wanted, row, &kept.facts) {
                        turned(found, ways).certificates += 1;
                    }
                }
            }
        }
        Ok(looked_at)
    }
}

fn has(config: &Config, source: &str) -> bool {
    config.sources.iter().any(|one| one.name == source)
}

const fn may_alert(kept: &Kept) -> bool {
    matches!(kept.facts.status, Status::Active | Status::Inactive | Status::Pending)
}

fn turned(found: &mut BTreeMap<Ways, Rerouted>, ways: Ways) -> &mut Rerouted {
    let (now, then) = ways.clone();
    found.entry(ways).or_insert_with(|| Rerouted { now, then, ..Rerouted::default() })
}

/// Returns how many certificates nothing would be known of any more.
fn forgotten(moment: &Moment, wanted: &Config) -> u64 {
    let scopes = moment.view.scopes().filter(|(_, source, _)| !has(wanted, source));
    scopes.map(|(id, ..)| moment.view.count(id)).sum()
}

/// Returns who is told and who would be, on the first of the rungs before a certificate where that differs.
fn other_ways(moment: &Moment, wanted: &Config, row: RowId, facts: &Facts) -> Option<Ways> {
    let ladders = &moment.config.alerts.ladders;
    let ladder = ladders.of(&facts.source, &facts.scope, facts.kind, &facts.issuer);
    let stands = moment.view.rung(row, ladders, moment.now);
    let is_before = |rung: &Rung| stands.is_none_or(|on| *rung == on || rung.is_tighter_than(on));
    let told = |config: &Config, rung| {
        let mut facts = facts.clone();
        config.label(&mut facts);
        ways(config, &expiring(facts, rung, moment))
    };
    let rungs = ladder.rungs().filter(is_before);
    let mut pairs = rungs.map(|rung| (told(&moment.config, rung), told(wanted, rung)));
    pairs.find(|(now, then)| now != then)
}

fn expiring(facts: Facts, rung: Rung, moment: &Moment) -> Event {
    let (leaves, newer, unserved) = (None, None, false);
    let severity = severity(facts.status, rung);
    let topic = Topic::Expiring { facts, rung, leaves, newer, unserved, places: None };
    Event { id: String::new(), at: moment.now, severity, topic }
}

fn ways(config: &Config, event: &Event) -> Vec<String> {
    config.route(event).into_iter().map(str::to_owned).collect()
}

/// Returns which events about sources, channels and the daemon would be said to others.
fn general(moment: &Moment, wanted: &Config) -> BTreeMap<Ways, Rerouted> {
    let mut found = BTreeMap::new();
    let sources = wanted.sources.iter().map(|source| source.name.as_str());
    let channels = wanted.channels.iter().map(|channel| channel.name.as_str());
    for event in general_events(sources, channels, moment.now) {
        let ways = (ways(&moment.config, &event), ways(wanted, &event));
        if ways.0 != ways.1 {
            let about = event.source().unwrap_or_else(|| event.about());
            let of = if about.is_empty() { String::new() } else { format!(" of {about}") };
            turned(&mut found, ways).events.push(format!("{}{of}", event.kind()));
        }
    }
    found
}

/// Counts certificates that would stand on another ladder.
fn other_ladder(view: &View, old: &Config, new: &Config) -> u64 {
    let (now, then) = (&old.alerts.ladders, &new.alerts.ladders);
    if now == then {
        return 0;
    }
    let names: BTreeMap<ScopeId, _> =
        view.scopes().map(|(id, source, scope)| (id, (source, scope))).collect();
    let asks_issuer = now.asks_issuer() || then.asks_issuer();
    let mut differs = BTreeMap::<(ScopeId, Kind, &str), bool>::new();
    let mut count = 0;
    for (row, known) in view.rows() {
        let Some((source, scope)) = names.get(&known.scope) else { continue };
        let issuer = if asks_issuer { view.issuer_name(row).unwrap_or_default() } else { "" };
        let is_other = differs.entry((known.scope, known.kind, issuer)).or_insert_with(|| {
            has(new, source)
                && now.of(source, scope, known.kind, issuer)
                    != then.of(source, scope, known.kind, issuer)
        });
        count += u64::from(*is_other);
    }
    count
}
