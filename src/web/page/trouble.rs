//! What is wrong with a source, in words that a person can act on.

use std::time::Duration;

use super::reader::Reader;
use super::texts::count;
use crate::expiry::{Language, Timestamp, text};
use crate::scan::{ScanStatus, SourceStatus};
use crate::web::Shared;

/// After so many of its intervals a source that was not proven is stale.
const LATE: f64 = 2.5;

/// How bad something is. Shown as a colour, and always in words as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Colour {
    /// Nothing is wrong.
    Good,
    /// Not known yet.
    Unknown,
    /// Somebody should look soon.
    Soon,
    /// Somebody should look now.
    Bad,
}

impl Colour {
    /// Returns the class of the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Soon => "soon",
            Self::Bad => "bad",
        }
    }
}

/// How a source stands.
pub(super) struct Standing {
    pub(super) colour: Colour,
    pub(super) sentence: String,
    /// When the part of it was last proven that was not for longest; `None` where one never was.
    pub(super) proven: Option<Timestamp>,
}

/// Returns how every source stands.
pub(super) fn standings(
    sources: &[SourceStatus],
    shared: &Shared,
    reader: &Reader,
) -> Vec<Standing> {
    sources.iter().map(|source| standing(source, shared, reader)).collect()
}

/// Returns how a source stands.
pub(super) fn standing(source: &SourceStatus, shared: &Shared, reader: &Reader) -> Standing {
    let proven = source.scans.iter().map(|scan| scan.last_proven).min().flatten();
    let activity = shared.state.exposition.activity(&source.name).unwrap_or_default();
    let (colour, sentence) = stale(source, &activity.intervals, reader)
        .or_else(|| down(source, reader))
        .or_else(|| partial(source, reader))
        .or_else(|| waiting(source, proven, reader))
        .unwrap_or_else(|| (Colour::Good, seen(source, reader)));
    Standing { colour, sentence, proven }
}

/// A source without a proven scan for 2.5 of its intervals.
fn stale(
    source: &SourceStatus,
    intervals: &[(String, f64)],
    reader: &Reader,
) -> Option<(Colour, String)> {
    let age = |scan: &ScanStatus| {
        let (_, interval) = intervals.iter().find(|(window, _)| *window == scan.window)?;
        let age = Duration::from_secs(reader.now.since(scan.last_proven?).try_into().ok()?);
        (age.as_secs_f64() > interval * LATE).then_some(age.as_secs())
    };
    let oldest = source.scans.iter().filter_map(age).max()?;
    let age = reader.span(oldest);
    let what = match reader.language {
        Language::En => format!("Not proven for {age}, more than 2.5 of its intervals"),
        Language::Zh => format!("{age}未核实，超过轮询间隔的 2.5 倍"),
    };
    Some((Colour::Bad, with_error(&what, source, reader)))
}

fn down(source: &SourceStatus, reader: &Reader) -> Option<(Colour, String)> {
    if source.up != Some(false) {
        return None;
    }
    let what = reader.say(
        "Its last poll failed; what it held is kept, and it is tried again by itself",
        "上次轮询失败；已知内容保留，将自动重试",
    );
    Some((Colour::Bad, with_error(what, source, reader)))
}

fn partial(source: &SourceStatus, reader: &Reader) -> Option<(Colour, String)> {
    if source.last_error.is_some() {
        let what = reader.say("Not all of it could be read", "未能完整读取");
        return Some((Colour::Soon, with_error(what, source, reader)));
    }
    if let Some(first) = source.problems.first() {
        let what = reader.say("Places that cannot be read", "有位置无法读取");
        return Some((Colour::Soon, format!("{what}: {}", words(first))));
    }
    let missing: u64 = source.scans.iter().filter_map(|scan| scan.missing).sum();
    let what = reader.say(
        "certificates were counted or known and not listed; they are kept until two scans agree",
        "个证书被计数或已知但未列出；在两次扫描一致之前予以保留",
    );
    (missing > 0).then(|| (Colour::Soon, format!("{} {what}", count(missing))))
}

fn waiting(
    source: &SourceStatus,
    proven: Option<Timestamp>,
    reader: &Reader,
) -> Option<(Colour, String)> {
    let what = match (source.up, proven) {
        (None, None) => reader.say("Its first scan has not ended yet", "首次扫描尚未结束"),
        (_, None) => reader.say("Not all of it is proven yet", "尚未全部核实"),
        _ => return None,
    };
    Some((Colour::Unknown, what.to_owned()))
}

fn seen(source: &SourceStatus, reader: &Reader) -> String {
    let collected = collected(source).unwrap_or_default();
    match reader.language {
        Language::En => {
            format!("{} seen, none missing", reader.counted(collected, "certificate", ""))
        }
        Language::Zh => format!("已看到 {} 个证书，无缺失", count(collected)),
    }
}

/// Returns how many certificates the last whole scans of a source read.
pub(super) fn collected(source: &SourceStatus) -> Option<u64> {
    let whole = source.scans.iter().filter(|scan| scan.window == "all");
    whole.filter_map(|scan| scan.collected).reduce(u64::saturating_add)
}

fn with_error(what: &str, source: &SourceStatus, reader: &Reader) -> String {
    match &source.last_error {
        Some(error) => format!("{what}: {}", words(error)),
        None => format!("{what}{}", reader.say(".", "。")),
    }
}

/// Returns an error for a reader: long enough to act on.
pub(super) fn words(error: &str) -> String {
    text::cut_chars(&text::printable(error), 400)
}
