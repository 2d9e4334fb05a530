//! A small strict reader of both text formats, for tests: it refuses what Prometheus or a strict scraper would.

use std::collections::{BTreeMap, BTreeSet};

use super::writer::Format;

/// A family as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    /// The name in its TYPE line.
    pub(crate) name: String,
    /// The word in its TYPE line.
    pub(crate) kind: String,
    /// Its samples, in order.
    pub(crate) samples: Vec<Sample>,
}

/// A sample as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The whole name.
    pub(crate) name: String,
    /// The labels, in order.
    pub(crate) labels: Vec<(String, String)>,
    /// The number as written.
    pub(crate) value: String,
}

impl Sample {
    /// Returns the value of a label.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    fn number(&self) -> f64 {
        self.value.parse().unwrap()
    }

    fn without_bound(&self) -> Vec<(String, String)> {
        self.labels.iter().filter(|(name, _)| name != "le").cloned().collect()
    }
}

/// Reads a whole exposition.
pub(crate) fn parse(text: &str, format: Format) -> Result<Vec<Family>, String> {
    let body = match format {
        Format::Text => text,
        Format::OpenMetrics => text.strip_suffix("# EOF\n").ok_or("no # EOF at the end")?,
    };
    let mut families: Vec<Family> = Vec::new();
    let mut help: Option<String> = None;
    for line in body.split_terminator('\n') {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, _) = rest.split_once(' ').ok_or("HELP without text")?;
            help = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or("TYPE without a word")?;
            if help.take().as_deref() != Some(name) {
                return Err(format!("no HELP before TYPE of {name}"));
            }
            if families.iter().any(|family| family.name == name) {
                return Err(format!("{name} comes twice"));
            }
            families.push(Family { name: name.to_owned(), kind: kind.to_owned(), samples: vec![] });
        } else {
            let family = families.last_mut().ok_or("a sample before any family")?;
            family.samples.push(sample(line)?);
        }
    }
    if !body.is_empty() && !body.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    families.iter().try_for_each(|family| check(family, format))?;
    Ok(families)
}

/// Finds every sample with this name, as its labels and its number.
pub(crate) fn samples<'a>(families: &'a [Family], name: &str) -> Vec<&'a Sample> {
    families.iter().flat_map(|family| &family.samples).filter(|s| s.name == name).collect()
}

/// Finds the number of the one sample that has this name and these labels, among others.
pub(crate) fn value(families: &[Family], name: &str, labels: &[(&str, &str)]) -> Option<String> {
    let matching: Vec<_> = samples(families, name)
        .into_iter()
        .filter(|s| labels.iter().all(|(name, value)| s.label(name) == Some(*value)))
        .collect();
    assert!(matching.len() < 2, "{name}{labels:?} names {} samples", matching.len());
    matching.first().map(|sample| sample.value.clone())
}

fn sample(line: &str) -> Result<Sample, String> {
    let end = line.find(['{', ' ']).ok_or_else(|| format!("no value: {line}"))?;
    let (name, rest) = line.split_at(end);
    if !is_name(name) {
        return Err(format!("bad name: {line}"));
    }
    let (labels, value) = match rest.strip_prefix('{') {
        Some(block) => labels(block).ok_or_else(|| format!("bad labels: {line}"))?,
        None => (vec![], rest),
    };
    let value = value.strip_prefix(' ').ok_or_else(|| format!("no space: {line}"))?;
    let known = value.parse::<f64>().is_ok() && !value.contains(' ');
    if !known {
        return Err(format!("bad number: {line}"));
    }
    Ok(Sample { name: name.to_owned(), labels, value: value.to_owned() })
}

type Labels = Vec<(String, String)>;

fn labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        if !is_name(name) || name.contains(':') || labels.iter().any(|(known, _)| known == name) {
            return None;
        }
        let (value, after) = quoted(after)?;
        labels.push((name.to_owned(), value));
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some((labels, after.strip_prefix('}')?)),
        }
    }
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

fn check(family: &Family, format: Format) -> Result<(), String> {
    let name = &family.name;
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        labels.sort();
        if !seen.insert((sample.name.clone(), labels)) {
            return Err(format!("duplicate series {sample:?}"));
        }
        let suffix = sample.name.strip_prefix(name.as_str());
        if !suffix.is_some_and(|suffix| suffixes(&family.kind, format).contains(&suffix)) {
            return Err(format!("{} does not belong to {} {name}", sample.name, family.kind));
        }
        if family.kind == "info" && sample.value != "1" {
            return Err(format!("info is not 1: {sample:?}"));
        }
        if family.kind == "counter" && sample.number() < 0.0 {
            return Err(format!("negative counter: {sample:?}"));
        }
    }
    if family.kind.ends_with("histogram") { check_histogram(family) } else { Ok(()) }
}

fn suffixes(kind: &str, format: Format) -> &'static [&'static str] {
    match (kind, format) {
        ("gauge", _) | ("counter" | "untyped", Format::Text) => &[""],
        ("counter", Format::OpenMetrics) => &["_total"],
        ("info", Format::OpenMetrics) => &["_info"],
        ("histogram", _) => &["_bucket", "_sum", "_count"],
        ("gaugehistogram", Format::OpenMetrics) => &["_bucket", "_gsum", "_gcount"],
        _ => &[],
    }
}

fn check_histogram(family: &Family) -> Result<(), String> {
    let mut groups: BTreeMap<Labels, Vec<&Sample>> = BTreeMap::new();
    let mut last = None;
    for sample in &family.samples {
        let group = sample.without_bound();
        if last.as_ref() != Some(&group) && groups.contains_key(&group) {
            return Err(format!("{} is interleaved", family.name));
        }
        groups.entry(group.clone()).or_default().push(sample);
        last = Some(group);
    }
    for group in groups.values() {
        let part = |suffix: &str| group.iter().find(|s| s.name.ends_with(suffix));
        let buckets: Vec<(f64, f64)> = group
            .iter()
            .filter(|s| s.name.ends_with("_bucket"))
            .map(|s| (s.label("le").unwrap().parse().unwrap(), s.number()))
            .collect();
        let rising = buckets.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1);
        let total = buckets.last().filter(|(bound, _)| *bound == f64::INFINITY).map(|b| b.1);
        let count = part("count").map(|s| s.number());
        let sum = part("sum").map(|s| s.number());
        if !rising || total.is_none() || count.is_some() != sum.is_some() {
            return Err(format!("bad buckets: {group:?}"));
        }
        // A sum may be negative where a bound is (OpenMetrics 1.0, "GaugeHistogram").
        let may_be_negative = buckets.first().is_some_and(|(bound, _)| *bound < 0.0);
        if count.is_some() && count != total || sum.is_some_and(|sum| sum < 0.0 && !may_be_negative)
        {
            return Err(format!("bad count or sum: {group:?}"));
        }
    }
    Ok(())
}
