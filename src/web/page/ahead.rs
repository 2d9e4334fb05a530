//! What will hurt later, in lines that lead to it.

use maud::{Markup, html};

use super::reader::Reader;
use super::texts::{count, day, shown};
use crate::catalog::EndingFirst;
use crate::expiry::Language;

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
