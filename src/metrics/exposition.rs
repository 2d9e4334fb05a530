//! What one scrape says: a view of the inventory at a moment, and the daemon's own counts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::series::{Listed, Series};
use super::writer::{Format, Writer};
use super::{Activity, DaemonMetrics, Names, aggregates, x509};
use crate::expiry::{Foreseen, SumsCache, Timestamp, View};

/// The scopes that were read, of every source that is configured.
pub type ScopesBySource = BTreeMap<String, BTreeSet<String>>;

/// Writes scrapes, and keeps between them what is dear to compute.
pub struct Exposition {
    metrics: Arc<DaemonMetrics>,
    /// What is published beside the view; until then all of it has series.
    scopes: Mutex<Option<Arc<ScopesBySource>>>,
    sums: Mutex<SumsCache>,
    series: tokio::sync::Mutex<Series>,
}

/// One state of the inventory at one moment, ready to be written.
pub struct Moment {
    view: View,
    now: Timestamp,
    listed: Arc<Listed>,
    /// Every source that is configured.
    sources: Vec<String>,
}

impl Exposition {
    /// Returns an exposition of `metrics` and of whatever view a scrape is about.
    pub fn new(metrics: Arc<DaemonMetrics>) -> Self {
        let (scopes, sums) = (Mutex::default(), Mutex::new(SumsCache::new()));
        Self { metrics, scopes, sums, series: tokio::sync::Mutex::default() }
    }

    /// Takes which sources are configured, and which of their scopes were read: those have series even when they are
    /// empty. To be called before readers get a view of them.
    pub fn publish_scopes(&self, scopes: ScopesBySource) {
        *self.scopes.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(scopes));
    }

    /// Returns what a source has done since the start.
    pub fn activity(&self, source: &str) -> Option<Activity> {
        self.metrics.activity(source)
    }

    /// Sums up what is new in `view`, so that the scrape that comes next need not, and answers with what
    /// they show of what is ahead. To be called before readers get it.
    pub fn warm(&self, view: &View, now: Timestamp) -> Foreseen {
        view.foresee(self.locked_sums().refresh(view, now), now)
    }

    /// Reads from the store what a scrape of `view` needs and is not known yet.
    ///
    /// `limit` is the number of certificates of each source that have series of their own.
    pub async fn prepare(
        &self,
        view: &View,
        names: &dyn Names,
        limit: usize,
        now: Timestamp,
    ) -> Moment {
        let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_shown = |source: &str, scope: &str, is_full: bool| match &scopes {
            Some(known) => known.get(source).is_some_and(|read| is_full || read.contains(scope)),
            None => true,
        };
        let view = view.of_scopes(is_shown);
        let listed = self.series.lock().await.refresh(&view, names, limit, now).await;
        let sources = scopes.iter().flat_map(|scopes| scopes.keys().cloned()).collect();
        Moment { view, now, listed, sources }
    }

    /// Writes everything about `moment`. May block for as long as `out` does; holds no lock meanwhile.
    pub fn write<W: Write>(&self, moment: &Moment, format: Format, mut out: W) -> io::Result<W> {
        out.write_all(&self.summary(moment, format)?)?;
        let mut out = Writer::new(out, format);
        moment.listed.write(&moment.sources, moment.now, &mut out)?;
        if moment.listed.shows_x509() {
            x509::write_errors(self.metrics.unread_places(), &mut out)?;
        }
        out.finish()
    }

    /// Writes what does not grow with certificates into memory.
    fn summary(&self, moment: &Moment, format: Format) -> io::Result<Vec<u8>> {
        let mut out = Writer::new(Vec::new(), format);
        {
            let mut sums = self.locked_sums();
            aggregates::write(&moment.view, sums.refresh(&moment.view, moment.now), &mut out)?;
        }
        self.metrics.write_to(&mut out)?;
        out.pause()
    }

    fn locked_sums(&self) -> MutexGuard<'_, SumsCache> {
        // A panic while summing left a cache that the next refresh brings up to date.
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::{parse, samples};
    use super::super::testing::{Known, Memory, NOW, view};
    use super::super::{Setup, SourceSetup};
    use super::*;

    fn read<'a>(scopes: impl IntoIterator<Item = (&'a str, &'a str)>) -> ScopesBySource {
        let of_source =
            |(source, scope): (&str, &str)| (source.to_owned(), BTreeSet::from([scope.to_owned()]));
        scopes.into_iter().map(of_source).collect()
    }

    #[tokio::test]
    async fn a_source_that_is_not_configured_any_more_has_no_series() {
        let known = [Known::new("kept", "s", "a"), Known::new("gone", "s", "b")];
        let source = |name: &str| SourceSetup {
            name: name.to_owned(),
            kind: "files".to_owned(),
            ..SourceSetup::default()
        };
        let setup = |names: &[&str]| Setup {
            sources: names.iter().map(|name| source(name)).collect(),
            ..Setup::default()
        };
        let metrics = Arc::new(DaemonMetrics::new(&setup(&["kept", "gone"])));
        let exposition = Exposition::new(Arc::clone(&metrics));
        for (names, expected) in [(&["kept", "gone"][..], true), (&["kept"], false)] {
            metrics.reconfigure(&setup(names));
            exposition.publish_scopes(read(names.iter().map(|name| (*name, "s"))));
            let version = 1 + u64::from(expected);
            let names = Memory::of(&known);
            exposition.warm(&view(version, &known), NOW);
            let moment = exposition.prepare(&view(version, &known), &names, 9, NOW).await;
            let text = exposition.write(&moment, Format::Text, Vec::new()).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains("source=\"kept\""), "{text}");
            assert_eq!(text.contains("source=\"gone\""), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_scope_that_is_empty_has_series_for_as_long_as_it_is_scanned() {
        let source = "iot".to_owned();
        let kind = "tencent-mqtt".to_owned();
        let sources = vec![SourceSetup { name: source, kind, ..SourceSetup::default() }];
        let metrics = Arc::new(DaemonMetrics::new(&Setup { sources, ..Setup::default() }));
        let mut inventory = crate::expiry::Inventory::new();
        inventory.scope("iot", "mqtt-empty");
        let exposition = Exposition::new(Arc::clone(&metrics));
        let names = Memory::of(&[]);
        let mut shown = async || {
            let moment = exposition.prepare(&inventory.view(), &names, 9, NOW).await;
            let text = exposition.write(&moment, Format::Text, Vec::new()).unwrap();
            let zero = "notafter_certificates{source=\"iot\",scope=\"mqtt-empty\",kind=\"device\",status=\"active\"} 0";
            let text = String::from_utf8(text).unwrap();
            (text.contains(zero), text.contains("mqtt-empty"))
        };
        let none = || ScopesBySource::from([("iot".to_owned(), BTreeSet::new())]);
        exposition.publish_scopes(none());
        assert_eq!(shown().await, (false, false), "never read: unknown is never zero");
        exposition.publish_scopes(read([("iot", "mqtt-empty")]));
        metrics.reported("iot", "mqtt-empty", "all", 0);
        assert_eq!(shown().await, (true, true));
        exposition.publish_scopes(none());
        metrics.retain_scopes("iot", &[]);
        assert_eq!(shown().await, (false, false));
    }

    #[tokio::test]
    async fn everything_is_one_valid_exposition_in_both_formats() {
        let known = [
            Known::new("p1", "23", "a").names("c\"n", "hol\\der", "u\nnit"),
            Known::new("p12", "3", "a").ends_in(-9),
        ];
        let source = |name: &str| SourceSetup {
            name: name.to_owned(),
            kind: "tencent-mqtt".to_owned(),
            intervals: vec![("near".to_owned(), 600.0), ("all".to_owned(), 86_400.0)],
            ..SourceSetup::default()
        };
        let setup = Setup {
            sources: vec![source("p1"), source("p12")],
            channels: vec!["ops".to_owned()],
            heartbeat: None,
        };
        let metrics = Arc::new(DaemonMetrics::new(&setup));
        metrics.added("p1", "23", 1);
        metrics.added("p12", "3", 2);
        let exposition = Exposition::new(metrics);
        let moment = exposition.prepare(&view(1, &known), &Memory::of(&known), 9, NOW).await;
        for format in [Format::Text, Format::OpenMetrics] {
            let text = exposition.write(&moment, format, Vec::new()).unwrap();
            let families = parse(std::str::from_utf8(&text).unwrap(), format).unwrap();
            // The pair that the `prometheus` crate's vectors take for one series.
            for name in ["notafter_certificates_added_total", "notafter_certificate_info"] {
                assert_eq!(samples(&families, name).len(), 2, "{name}");
            }
            let cpu = samples(&families, "process_cpu_seconds_total");
            assert_eq!(cpu.len(), 1);
        }
    }
}
