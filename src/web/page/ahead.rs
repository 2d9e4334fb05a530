//! What will hurt later, in lines that lead to it.

use maud::{Markup, html};

use super::links;
use super::reader::Reader;
use super::texts::{count, day, shown};
use crate::catalog::EndingFirst;
use crate::expiry::{Cliff, Language};

/// So many are named.
const NAMED: usize = 8;

/// Lists the authorities that end before what they signed.
pub(super) fn ends_first(found: &[EndingFirst], reader: &Reader) -> Markup {
    html! {
        @if !found.is_empty() {
            ul.lines {
                @for it in found.iter().take(NAMED) {
                    li.soon {
                        a href=(format!("/certificates/{}", it.entry.facts.id())) {
                            (shown(it.entry.facts.name()))
                        }
                        span { (sentence(it, reader)) }
                    }
                }
                @if found.len() > NAMED { li.soon { span { (more(found.len() - NAMED, reader)) } } }
            }
        }
    }
}

/// Lists the months in which far more expire than were ever renewed in one.
pub(super) fn cliffs(found: &[Cliff], reader: &Reader) -> Markup {
    html! {
        @if !found.is_empty() {
            ul.lines {
                @for it in found.iter().take(NAMED) {
                    li.soon {
                        a href=(list(it)) { (shown(&it.source)) " " (it.month.to_string()) }
                        span { (of_cliff(it, reader)) }
                    }
                }
                @if found.len() > NAMED { li.soon { span { (more(found.len() - NAMED, reader)) } } }
            }
        }
    }
}

/// Returns the address of the list of what expires in the month of a cliff.
pub(super) fn list(it: &Cliff) -> String {
    let last = it.month.plus(1).start().map(|next| day(next.plus(-1))).unwrap_or_default();
    let first = it.month.start().map(day).unwrap_or_default();
    links::list(&[
        ("source", &it.source),
        ("status", "active"),
        ("ends_from", &first),
        ("ends_to", &last),
        ("sort", "not_after"),
    ])
}

/// Says of a cliff how many expire, and how many were renewed.
pub(super) fn of_cliff(it: &Cliff, reader: &Reader) -> String {
    match reader.language {
        Language::En => {
            let ending = reader.counted(it.ending, "active certificate", "");
            format!(
                "{ending} expire in this month; the most that were renewed in one so far is {}",
                count(it.renewed)
            )
        }
        Language::Zh => format!(
            "当月有 {} 个有效证书到期，而迄今单月最多续期 {} 个",
            count(it.ending),
            count(it.renewed)
        ),
    }
}

fn sentence(it: &EndingFirst, reader: &Reader) -> String {
    let end = it.entry.facts.not_after.map(day).unwrap_or_default();
    match reader.language {
        Language::En => {
            let leaves = reader.counted(it.leaves, "active certificate", "");
            format!("This CA expires on {end}, before {leaves} that it signed")
        }
        Language::Zh => {
            format!("此 CA 将于 {end} 到期，早于它签发的 {} 个有效证书", count(it.leaves))
        }
    }
}

fn more(number: usize, reader: &Reader) -> String {
    match reader.language {
        Language::En => format!("…and {number} more"),
        Language::Zh => format!("……另有 {number} 个"),
    }
}
