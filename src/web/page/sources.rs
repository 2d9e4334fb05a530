//! How the sources are.

use maud::{Markup, html};

use super::{ago, shown};
use crate::expiry::Timestamp;
use crate::expiry::text;
use crate::scan::{ScanStatus, SourceStatus};

/// Scans of one source that are shown; a source may have hundreds of scopes.
const SCANS: usize = 20;

/// Shows every source with its scans.
pub(super) fn section(sources: &[SourceStatus], now: Timestamp) -> Markup {
    html! {
        section {
            h2 { "Sources" }
            @if sources.is_empty() {
                p { "No source is configured." }
            } @else {
                table {
                    thead { tr {
                        th { "Source" } th { "Kind" } th { "State" } th { "Last poll" }
                        th { "Scope" } th { "Window" } th { "Last proven" }
                        th.number { "Reported" } th.number { "Collected" } th.number { "Missing" }
                    } }
                    @for source in sources { (rows(source, now)) }
                }
            }
        }
    }
}

fn rows(source: &SourceStatus, now: Timestamp) -> Markup {
    let none = [ScanStatus { scope: "–".into(), window: "–".into(), ..ScanStatus::default() }];
    let scans = if source.scans.is_empty() { &none[..] } else { &source.scans };
    let hidden = scans.len().saturating_sub(SCANS);
    html! {
        tbody {
            @for (index, scan) in scans.iter().take(SCANS).enumerate() {
                tr {
                    @if index == 0 { (source_cells(source, now)) } @else { td.again colspan="4" {} }
                    (scan_cells(scan, now))
                }
            }
            @if hidden > 0 {
                tr { td colspan="10" { "and " (hidden) " more; the metrics have all of them" } }
            }
            @if let Some(error) = &source.last_error {
                tr { td.error colspan="10" { (shown_error(error)) } }
            }
            @for place in &source.differing {
                tr { td.dim colspan="10" { (shown_error(place)) } }
            }
        }
    }
}

fn source_cells(source: &SourceStatus, now: Timestamp) -> Markup {
    let (class, word) = match source.up {
        Some(true) => ("good", "up"),
        Some(false) => ("bad", "down"),
        None => ("dim", "not polled yet"),
    };
    html! {
        td data-label="Source" { b { (shown(&source.name)) } }
        td data-label="Kind" { (shown(&source.kind)) }
        td data-label="State" { span class=(class) { (word) } }
        td data-label="Last poll" { (ago(source.last_attempt, now)) }
    }
}

fn scan_cells(scan: &ScanStatus, now: Timestamp) -> Markup {
    let missing = scan.missing.is_some_and(|missing| missing > 0);
    html! {
        td data-label="Scope" { (shown(&scan.scope)) }
        td data-label="Window" { (shown(&scan.window)) }
        td data-label="Last proven" { (ago(scan.last_proven, now)) }
        td.number data-label="Reported" { (count(scan.reported)) }
        td.number data-label="Collected" { (count(scan.collected)) }
        td.number data-label="Missing" { span.bad[missing] { (count(scan.missing)) } }
    }
}

fn count(count: Option<u64>) -> String {
    count.map_or_else(|| "–".to_owned(), |count| count.to_string())
}

fn shown_error(error: &str) -> String {
    text::cut_chars(&text::printable(error), 500)
}
