//! Sums over scopes. Their number grows with scopes, never with certificates.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use super::families as f;
use super::writer::{Format, Value, Writer, bound};
use crate::expiry::{BUCKETS, Kind, KindSums, ScopeId, Status, Sums, Timestamp, View};

/// One scope with everything that is written about it.
struct Scope<'a> {
    source: &'a str,
    name: &'a str,
    // None where the scope is known and holds nothing.
    sums: Option<&'a Sums>,
    cas: BTreeMap<Arc<str>, Authority>,
}

/// What is written about the authorities with one serial.
#[derive(Default)]
struct Authority {
    end: Option<Timestamp>,
    outliving: u64,
}

/// Writes the sums of every scope of `view`.
pub(super) fn write<W: Write>(
    view: &View,
    sums: &BTreeMap<ScopeId, Sums>,
    out: &mut Writer<W>,
) -> io::Result<()> {
    let mut scopes: Vec<_> = view
        .scopes()
        .map(|(id, source, name)| Scope {
            source,
            name,
            sums: sums.get(&id),
            cas: authorities(view, id, sums.get(&id)),
        })
        .collect();
    scopes.sort_by_key(|scope| (scope.source, scope.name));
    statuses(&scopes, out)?;
    remaining(&scopes, out)?;
    months(&scopes, out)?;
    earliest(&scopes, out)?;
    cas(&scopes, out)
}

impl Scope<'_> {
    fn labels(&self) -> [(&str, &str); 2] {
        [("source", self.source), ("scope", self.name)]
    }

    fn labels_and<'a>(&'a self, name: &'a str, value: &'a str) -> [(&'a str, &'a str); 3] {
        let [source, scope] = self.labels();
        [source, scope, (name, value)]
    }
}

/// Returns the authorities of a scope by serial; several that share one serial are one series.
fn authorities(view: &View, scope: ScopeId, sums: Option<&Sums>) -> BTreeMap<Arc<str>, Authority> {
    let mut authorities: BTreeMap<Arc<str>, Authority> = BTreeMap::new();
    for ca in view.cas(scope) {
        let known = authorities.entry(ca.serial).or_default();
        known.end = [known.end, ca.not_after].into_iter().flatten().min();
        known.outliving += sums.and_then(|sums| sums.outliving.get(&ca.row)).copied().unwrap_or(0);
    }
    authorities
}

fn statuses<W: Write>(scopes: &[Scope<'_>], out: &mut Writer<W>) -> io::Result<()> {
    out.family(f::CERTIFICATES);
    for (scope, kind, sums) in kinds(scopes) {
        let [source, name, kind] = scope.labels_and("kind", kind);
        for (status, count) in Status::ALL.into_iter().zip(sums.by_status) {
            let labels = [source, name, kind, ("status", status.as_str())];
            out.sample(&labels, Value::Count(count))?;
        }
    }
    Ok(())
}

/// Returns every scope with every kind: where a scope is known, that it holds none of a kind is known as well.
fn kinds<'a>(
    scopes: &'a [Scope<'a>],
) -> impl Iterator<Item = (&'a Scope<'a>, &'static str, KindSums)> {
    scopes.iter().flat_map(|scope| {
        let sums = scope.sums.map_or([KindSums::default(); Kind::ALL.len()], |sums| sums.kinds);
        let kinds = Kind::ALL.into_iter().map(Kind::as_str).zip(sums);
        kinds.map(move |(kind, sums)| (scope, kind, sums))
    })
}

/// Writes the gauge histogram: one family where the format knows it, three where it does not.
fn remaining<W: Write>(scopes: &[Scope<'_>], out: &mut Writer<W>) -> io::Result<()> {
    let bounds = bounds();
    if out.format() == Format::OpenMetrics {
        out.family(f::REMAINING);
        for (scope, kind, sums) in kinds(scopes) {
            let labels = scope.labels_and("kind", kind);
            buckets(&labels, &sums, &bounds, "_bucket", out)?;
            out.part("_gcount", &labels, None, Value::Count(sums.count))?;
            out.part("_gsum", &labels, None, Value::Wide(sums.sum_remaining))?;
        }
        return Ok(());
    }
    out.family(f::REMAINING_BUCKET);
    for (scope, kind, sums) in kinds(scopes) {
        buckets(&scope.labels_and("kind", kind), &sums, &bounds, "", out)?;
    }
    out.family(f::REMAINING_COUNT);
    for (scope, kind, sums) in kinds(scopes) {
        out.sample(&scope.labels_and("kind", kind), Value::Count(sums.count))?;
    }
    out.family(f::REMAINING_SUM);
    for (scope, kind, sums) in kinds(scopes) {
        out.sample(&scope.labels_and("kind", kind), Value::Wide(sums.sum_remaining))?;
    }
    Ok(())
}

/// Returns the bounds of the buckets, as labels.
fn bounds() -> [String; BUCKETS.len()] {
    // Every one is a whole number of days that a float holds exactly.
    BUCKETS.map(|seconds| {
        bound(f64::from(i32::try_from(seconds / 86_400).unwrap_or(i32::MAX)) * 86_400.0)
    })
}

fn buckets<W: Write>(
    labels: &[(&str, &str)],
    sums: &KindSums,
    bounds: &[String],
    suffix: &str,
    out: &mut Writer<W>,
) -> io::Result<()> {
    for (le, count) in bounds.iter().zip(sums.buckets) {
        out.part(suffix, labels, Some(le), Value::Count(count))?;
    }
    out.part(suffix, labels, Some("+Inf"), Value::Count(sums.count))
}

fn months<W: Write>(scopes: &[Scope<'_>], out: &mut Writer<W>) -> io::Result<()> {
    out.family(f::EXPIRING_IN_MONTH);
    for scope in scopes {
        for ((year, month), count) in scope.sums.iter().flat_map(|sums| &sums.months) {
            let month = format!("{year:04}-{month:02}");
            out.sample(&scope.labels_and("expiry_month", &month), Value::Count(*count))?;
        }
    }
    Ok(())
}

fn earliest<W: Write>(scopes: &[Scope<'_>], out: &mut Writer<W>) -> io::Result<()> {
    out.family(f::EARLIEST);
    for (scope, kind, sums) in kinds(scopes) {
        if let Some(earliest) = sums.earliest {
            out.sample(&scope.labels_and("kind", kind), Value::Int(earliest.seconds()))?;
        }
    }
    Ok(())
}

fn cas<W: Write>(scopes: &[Scope<'_>], out: &mut Writer<W>) -> io::Result<()> {
    out.family(f::CA_NOT_AFTER);
    for scope in scopes {
        for (serial, authority) in &scope.cas {
            if let Some(end) = authority.end {
                out.sample(&scope.labels_and("ca", serial), Value::Int(end.seconds()))?;
            }
        }
    }
    out.family(f::OUTLIVING);
    for scope in scopes {
        for (serial, authority) in &scope.cas {
            out.sample(&scope.labels_and("ca", serial), Value::Count(authority.outliving))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse::{parse, value};
    use super::super::testing::{Known, NOW, view};
    use super::*;
    use crate::expiry::SumsCache;

    fn written(known: &[Known], format: Format) -> (String, View, BTreeMap<ScopeId, Sums>) {
        let view = view(1, known);
        let sums = SumsCache::new().refresh(&view, NOW).clone();
        let mut out = Writer::new(Vec::new(), format);
        write(&view, &sums, &mut out).unwrap();
        (String::from_utf8(out.finish().unwrap()).unwrap(), view, sums)
    }

    #[test]
    fn a_gauge_histogram_is_three_plain_families_in_the_old_format() {
        let known = [Known::new("s", "all", "1").ends_in(86_400)];
        let (text, ..) = written(&known, Format::Text);
        for line in [
            "# TYPE notafter_certificate_remaining_seconds_bucket untyped",
            "notafter_certificate_remaining_seconds_bucket{source=\"s\",scope=\"all\",kind=\"device\",le=\"0.0\"} 0",
            "notafter_certificate_remaining_seconds_bucket{source=\"s\",scope=\"all\",kind=\"device\",le=\"86400.0\"} 1",
            "notafter_certificate_remaining_seconds_bucket{source=\"s\",scope=\"all\",kind=\"device\",le=\"+Inf\"} 1",
            "# TYPE notafter_certificate_remaining_seconds_gcount gauge",
            "notafter_certificate_remaining_seconds_gcount{source=\"s\",scope=\"all\",kind=\"device\"} 1",
            "# TYPE notafter_certificate_remaining_seconds_gsum gauge",
            "notafter_certificate_remaining_seconds_gsum{source=\"s\",scope=\"all\",kind=\"device\"} 86400",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        parse(&text, Format::Text).unwrap();
    }

    #[test]
    fn a_negative_sum_is_written_in_both_formats() {
        let known = [Known::new("s", "all", "1").ends_in(-5)];
        for format in [Format::OpenMetrics, Format::Text] {
            let (text, ..) = written(&known, format);
            let families = parse(&text, format).unwrap();
            let name = "notafter_certificate_remaining_seconds";
            let sum = value(&families, &format!("{name}_gsum"), &[("kind", "device")]);
            assert_eq!(sum.as_deref(), Some("-5"));
        }
    }

    #[test]
    fn what_ended_long_ago_is_told_apart_and_kinds_are() {
        let known = [
            Known::new("s", "all", "1").ends_in(-31 * 86_400),
            Known::new("s", "all", "2").ends_in(-86_400),
            Known::new("s", "all", "3").kind(Kind::Ca).ends_in(3 * 86_400),
        ];
        let (text, ..) = written(&known, Format::Text);
        let families = parse(&text, Format::Text).unwrap();
        for (kind, le, expected) in [
            ("device", "-2592000.0", "1"),
            ("device", "0.0", "2"),
            ("ca", "-2592000.0", "0"),
            ("ca", "604800.0", "1"),
            ("server", "+Inf", "0"),
        ] {
            let name = "notafter_certificate_remaining_seconds_bucket";
            let found = value(&families, name, &[("kind", kind), ("le", le)]);
            assert_eq!(found.as_deref(), Some(expected), "{kind} {le}");
        }
        for (kind, expected) in [("device", Some(-86_400)), ("ca", Some(259_200)), ("server", None)]
        {
            let name = "notafter_earliest_not_after_timestamp_seconds";
            let found = value(&families, name, &[("kind", kind)]);
            let expected = expected.map(|seconds| NOW.plus(seconds).seconds().to_string());
            assert_eq!(found, expected, "{kind}");
        }
    }

    #[test]
    fn authorities_that_share_a_serial_are_one_series() {
        let ca = |issuer: &str, seconds| {
            Known::new("f", "all", "00").kind(Kind::Ca).issuer(issuer).ends_in(seconds)
        };
        let (text, ..) = written(&[ca("CN=a", 90), ca("CN=b", 60)], Format::Text);
        let families = parse(&text, Format::Text).unwrap();
        let labels = [("source", "f"), ("scope", "all"), ("ca", "00")];
        let end = value(&families, "notafter_ca_not_after_timestamp_seconds", &labels);
        assert_eq!(end, Some(NOW.plus(60).seconds().to_string()));
        let outliving = value(&families, "notafter_certificates_outliving_issuer", &labels);
        assert_eq!(outliving.as_deref(), Some("0"));
    }

    #[test]
    fn an_unknown_end_has_no_sample() {
        let (text, ..) = written(&[Known::new("s", "all", "1").undated()], Format::Text);
        assert!(!text.contains("earliest_not_after"), "{text}");
        let families = parse(&text, Format::Text).unwrap();
        let undated =
            value(&families, "notafter_certificates", &[("kind", "device"), ("status", "undated")]);
        assert_eq!(undated.as_deref(), Some("1"));
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn what_is_written_equals_the_sums(
            rows in proptest::collection::vec(
                (0_usize..3, -100_000_000_i64..300_000_000, 0_usize..7, 0_usize..4), 0..40),
            open_metrics in any::<bool>(),
        ) {
            let format = if open_metrics { Format::OpenMetrics } else { Format::Text };
            let scopes = [("p1", "23"), ("p12", "3"), ("p\"\\", "\n")];
            let known: Vec<_> = rows
                .iter()
                .enumerate()
                .map(|(index, (scope, seconds, status, kind))| {
                    let (source, scope) = scopes[*scope];
                    let known = Known::new(source, scope, &index.to_string()).kind(Kind::ALL[*kind]);
                    match Status::ALL[*status] {
                        Status::Undated => known.undated(),
                        status => known.status(status).ends_in(*seconds),
                    }
                })
                .collect();
            let (text, view, sums) = written(&known, format);
            let families = parse(&text, format).map_err(TestCaseError::fail)?;
            for (id, source, scope) in view.scopes() {
                let sums = &sums[&id];
                let labels = [("source", &**source), ("scope", &**scope)];
                let find = |name: &str, label: (&str, &str)| {
                    value(&families, name, &[labels[0], labels[1], label])
                };
                for (kind, sums) in Kind::ALL.into_iter().zip(&sums.kinds) {
                    let kind = ("kind", kind.as_str());
                    let find = |name: &str, label: (&str, &str)| {
                        value(&families, name, &[labels[0], labels[1], kind, label])
                    };
                    for (status, count) in Status::ALL.iter().zip(sums.by_status) {
                        let found = find("notafter_certificates", ("status", status.as_str()));
                        prop_assert_eq!(found, Some(count.to_string()));
                    }
                    for (seconds, count) in BUCKETS.iter().zip(sums.buckets) {
                        let le = format!("{seconds}.0");
                        let name = "notafter_certificate_remaining_seconds_bucket";
                        prop_assert_eq!(find(name, ("le", &le)), Some(count.to_string()));
                    }
                    let name = "notafter_certificate_remaining_seconds_gsum";
                    prop_assert_eq!(find(name, kind), Some(sums.sum_remaining.to_string()));
                    let name = "notafter_earliest_not_after_timestamp_seconds";
                    prop_assert_eq!(find(name, kind), sums.earliest.map(|at| at.seconds().to_string()));
                }
                for ((year, month), count) in &sums.months {
                    let month = format!("{year:04}-{month:02}");
                    let found = find("notafter_certificates_expiring_in_month", ("expiry_month", &month));
                    prop_assert_eq!(found, Some(count.to_string()));
                }
            }
        }
    }
}
