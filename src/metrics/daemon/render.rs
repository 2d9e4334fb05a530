//! Writes the counts.

use std::collections::BTreeMap;
use std::io::{self, Write};

use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::source::{Known, Scope};
use super::{Counts, DaemonMetrics, channel};
use crate::expiry::Timestamp;
use crate::metrics::families as f;
use crate::metrics::writer::{Family, Shape, Value, Writer, bound};

impl DaemonMetrics {
    /// Writes every family of the daemon's own.
    pub(in crate::metrics) fn write_to<W: Write>(&self, out: &mut Writer<W>) -> io::Result<()> {
        let mut gathered = self.process.gather();
        let counts = self.read();
        source_gauges(&counts, out)?;
        places(&counts, out)?;
        scopes(&counts, out)?;
        windows(&counts, out)?;
        alerts(&counts, out)?;
        channels(&counts, out)?;
        config(&counts, out)?;
        gathered.extend(counts.sources.values().flat_map(|source| source.registry.gather()));
        gathered.extend(counts.channels.values().flat_map(|channel| channel.registry.gather()));
        counted(gathered, out)
    }
}

type Gauge<T> = (Family<'static>, fn(&T) -> Option<Value>);
type GaugeByWindow = (Family<'static>, fn(&Known) -> &BTreeMap<String, f64>);

fn source_gauges<W: Write>(counts: &Counts, out: &mut Writer<W>) -> io::Result<()> {
    let gauges: [Gauge<Known>; 5] = [
        (f::SOURCE_UP, |known| known.up.map(flag)),
        (f::SOURCE_ATTEMPT, |known| known.attempt.map(time)),
        (f::SOURCE_SUCCESS, |known| known.success.map(time)),
        (f::SOURCE_CLOCK_OFFSET, |known| known.clock_offset.map(Value::Int)),
        (f::GLOBS_WITHOUT_MATCH, |known| known.globs_without_match.map(Value::Count)),
    ];
    for (family, read) in gauges {
        out.family(family);
        for (name, source) in &counts.sources {
            if let Some(value) = read(&source.lock()) {
                out.sample(&[("source", name)], value)?;
            }
        }
    }
    let timed: [GaugeByWindow; 2] = [
        (f::SOURCE_INTERVAL, |known| &known.intervals),
        (f::SOURCE_DURATION, |known| &known.durations),
    ];
    for (family, read) in timed {
        out.family(family);
        for (name, source) in &counts.sources {
            for (window, seconds) in read(&source.lock()) {
                let labels = [("source", name.as_str()), ("window", window)];
                out.sample(&labels, Value::Float(*seconds))?;
            }
        }
    }
    Ok(())
}

fn places<W: Write>(counts: &Counts, out: &mut Writer<W>) -> io::Result<()> {
    out.family(f::SOURCE_PLACES);
    for (name, source) in &counts.sources {
        for (state, count) in source.lock().places.iter().flatten() {
            let labels = [("source", name.as_str()), ("state", state.as_str())];
            out.sample(&labels, Value::Count(*count))?;
        }
    }
    Ok(())
}

fn scopes<W: Write>(counts: &Counts, out: &mut Writer<W>) -> io::Result<()> {
    let families: [Gauge<Scope>; 7] = [
        (f::ADDED, |scope| Some(Value::Count(scope.added))),
        (f::GONE, |scope| Some(Value::Count(scope.gone))),
        (f::RENEWED, |scope| Some(Value::Count(scope.renewed))),
        (f::NOT_DEPLOYED, |scope| scope.not_deployed.map(Value::Count)),
        (f::SOURCE_REPORTED, |scope| scope.total(|w| w.reported).map(Value::Count)),
        (f::SOURCE_COLLECTED, |scope| scope.total(|w| w.collected).map(Value::Count)),
        (f::SOURCE_MISSING, |scope| scope.missing().map(Value::Count)),
    ];
    for (family, read) in families {
        out.family(family);
        for (name, source) in &counts.sources {
            for (scope, known) in &source.lock().scopes {
                if let Some(value) = read(known) {
                    out.sample(&[("source", name), ("scope", scope)], value)?;
                }
            }
        }
    }
    Ok(())
}

fn windows<W: Write>(counts: &Counts, out: &mut Writer<W>) -> io::Result<()> {
    out.family(f::SOURCE_PROVEN);
    for (name, source) in &counts.sources {
        let source = source.lock();
        for (scope, windows) in proven(&source) {
            for (window, at) in windows {
                let labels = [("source", name.as_str()), ("scope", scope), ("window", window)];
                // Without the scope until one is known.
                let labels = labels.iter().filter(|(_, value)| !value.is_empty());
                out.sample(&labels.copied().collect::<Vec<_>>(), time(at))?;
            }
        }
    }
    Ok(())
}

/// Returns when each window of each scope was last proven: 1970 when it never was, so that an alert needs no second rule
/// for a source that never worked. Such a source may have no scope yet.
fn proven(source: &Known) -> BTreeMap<&str, BTreeMap<&str, Timestamp>> {
    let never = Timestamp::from_seconds(0);
    let unproven = || source.intervals.keys().map(|window| (window.as_str(), never));
    if source.scopes.is_empty() {
        return BTreeMap::from([("", unproven().collect())]);
    }
    let scopes = source.scopes.iter().map(|(scope, known)| {
        let proven = known.windows.iter();
        let proven = proven.filter_map(|(window, last)| Some((window.as_str(), last.proven?)));
        (scope.as_str(), unproven().chain(proven).collect())
    });
    scopes.collect()
}

fn alerts<W: Write>(counts: &Counts, out: &mut Writer<W>) -> io::Result<()> {
    out.family(f::EVENTS);
    for ((kind, reason), count) in &counts.events {
        out.sample(&[("kind", *kind), ("reason", *reason)], Value::Count(*count))?;
    }
    out.family(f::DEFAULT_ROUTE);
    out.sample(&[], Value::Count(counts.default_route))?;
    out.family(f::SNOOZES);
    for (state, count) in [("active", counts.snoozed.active), ("idle", counts.snoozed.idle)] {
        out.sample(&[("state", state)], Value::Count(count))?;
    }
    out.family(f::SNOOZED);
    out.sample(&[], Value::Count(counts.snoozed.certificates))?;
    out.family(f::ALERTS_ACTIVE);
    for ((source, scope, rung), count) in &counts.alerts {
        let labels = [("source", &**source), ("scope", &**scope), ("rung", rung)];
        out.sample(&labels, Value::Count(*count))?;
    }
    Ok(())
}

fn channels<W: Write>(counts: &Counts, out: &mut Writer<W>) -> io::Result<()> {
    let gauges: [Gauge<channel::Known>; 6] = [
        (f::CHANNEL_UP, |known| known.up.map(flag)),
        (f::PENDING, |known| known.pending.map(Value::Count)),
        (f::OLDEST_PENDING, |known| known.oldest.map(time)),
        (f::GIVEN_UP, |known| known.given_up.map(Value::Count)),
        (f::DELIVERED, |known| known.delivered.map(time)),
        (f::DAILY, |known| known.daily.map(time)),
    ];
    for (family, read) in gauges {
        out.family(family);
        for (name, channel) in &counts.channels {
            if let Some(value) = read(&channel.lock()) {
                out.sample(&[("channel", name)], value)?;
            }
        }
    }
    Ok(())
}

fn config<W: Write>(counts: &Counts, out: &mut Writer<W>) -> io::Result<()> {
    out.family(f::BUILD);
    out.sample(&[("version", env!("CARGO_PKG_VERSION"))], Value::Count(1))?;
    out.family(f::HEARTBEAT);
    if let Some(at) = counts.heartbeat {
        out.sample(&[], time(at))?;
    }
    out.family(f::HEARTBEAT_INTERVAL);
    if let Some(seconds) = counts.heartbeat_interval {
        out.sample(&[], Value::Float(seconds))?;
    }
    out.family(f::STORE_UP);
    if let Some(up) = counts.store_up {
        out.sample(&[], flag(up))?;
    }
    out.family(f::AUDIT_BYTES);
    if let Some((bytes, _)) = counts.audit {
        out.sample(&[], Value::Count(bytes))?;
    }
    out.family(f::AUDIT_DROPPED);
    if let Some((_, dropped)) = counts.audit {
        out.sample(&[], Value::Count(dropped))?;
    }
    out.family(f::RELOAD_OK);
    if let Some(successful) = counts.reload {
        out.sample(&[], flag(successful))?;
    }
    out.family(f::RELOAD_AT);
    if let Some(at) = counts.reloaded_at {
        out.sample(&[], time(at))?;
    }
    Ok(())
}

/// Writes what the crate counted, one family from all registries together.
fn counted<W: Write>(gathered: Vec<MetricFamily>, out: &mut Writer<W>) -> io::Result<()> {
    let mut families: BTreeMap<String, Vec<MetricFamily>> = BTreeMap::new();
    for family in gathered {
        families.entry(family.name().to_owned()).or_default().push(family);
    }
    for (name, parts) in &families {
        let Some(first) = parts.first() else { continue };
        let shape = match first.get_field_type() {
            MetricType::COUNTER => Shape::Counter,
            MetricType::HISTOGRAM => Shape::Histogram,
            MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED => Shape::Gauge,
        };
        out.family(Family { name, shape, help: first.help() });
        for metric in parts.iter().flat_map(MetricFamily::get_metric) {
            write_metric(shape, metric, out)?;
        }
    }
    Ok(())
}

fn write_metric<W: Write>(shape: Shape, metric: &Metric, out: &mut Writer<W>) -> io::Result<()> {
    let labels: Vec<_> =
        metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
    match shape {
        Shape::Counter => out.sample(&labels, Value::Float(metric.get_counter().get_value())),
        Shape::Histogram => {
            let histogram = metric.get_histogram();
            for bucket in histogram.get_bucket() {
                let le = bound(bucket.upper_bound());
                out.part("_bucket", &labels, Some(&le), Value::Count(bucket.cumulative_count()))?;
            }
            let count = Value::Count(histogram.get_sample_count());
            out.part("_bucket", &labels, Some("+Inf"), count)?;
            out.part("_count", &labels, None, count)?;
            out.part("_sum", &labels, None, Value::Float(histogram.get_sample_sum()))
        }
        _ => out.sample(&labels, Value::Float(metric.get_gauge().get_value())),
    }
}

fn flag(set: bool) -> Value {
    Value::Count(u64::from(set))
}

fn time(at: Timestamp) -> Value {
    Value::Int(at.seconds())
}
