//! Builds and registers the `prometheus` crate's counters.

use std::collections::HashMap;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

/// Covers a quick answer on the same continent and a request that ran into its timeout.
const SECONDS: [f64; 12] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];

const SOUND: &str = "names are constants, and each is registered once in a registry of its own";

/// Returns a registry whose series all carry `label="value"`.
pub(super) fn registry(label: &str, value: &str) -> Registry {
    let labels = HashMap::from([(label.to_owned(), value.to_owned())]);
    Registry::new_custom(Some("notafter".to_owned()), Some(labels)).expect(SOUND)
}

/// Returns a registry with what Linux reports about the process.
pub(super) fn process() -> Registry {
    let registry = Registry::new();
    add(&registry, prometheus::process_collector::ProcessCollector::for_self());
    registry
}

/// Adds a counter.
pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    let counter = IntCounter::new(name, help).expect(SOUND);
    add(registry, counter.clone());
    counter
}

/// Adds counters that differ in one label, whose values are known.
pub(super) fn counters<'a>(
    registry: &Registry,
    opts: Opts,
    label: &str,
    values: impl IntoIterator<Item = &'a str>,
) -> IntCounterVec {
    let counters = IntCounterVec::new(opts, &[label]).expect(SOUND);
    add(registry, counters.clone());
    for value in values {
        counters.with_label_values(&[value]).reset();
    }
    counters
}

/// Adds a histogram of seconds.
pub(super) fn histogram(registry: &Registry, name: &str, help: &str) -> Histogram {
    let opts = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
    let histogram = Histogram::with_opts(opts).expect(SOUND);
    add(registry, histogram.clone());
    histogram
}

fn add(registry: &Registry, collector: impl Collector + 'static) {
    registry.register(Box::new(collector)).expect(SOUND);
}
