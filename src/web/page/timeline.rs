//! How many active certificates expire when, drawn.

use maud::{Markup, html};

use super::links;
use super::reader::Reader;
use super::texts::{count, day};
use crate::catalog::Count;
use crate::expiry::Language;

/// The drawing's own units.
const HEIGHT: u64 = 100;
const WIDTH: u64 = 1000;

/// The least height of a bar for one.
const LEAST: u64 = 3;

/// In how many times the usual, and how many, a day or month is a cliff.
const CLIFF_TIMES: u64 = 3;
const CLIFF_LEAST: u64 = 100;

/// Cliffs that are named.
const NAMED: usize = 3;

/// Letters of a month in `2026-11-22`.
const MONTH: usize = 7;

/// What a drawing shows.
pub(super) struct Drawing<'a> {
    pub(super) title: &'a str,
    pub(super) counts: &'a [Count],
    /// Whether each bar is a month.
    pub(super) months: bool,
}

impl Drawing<'_> {
    /// Draws the bars, each a link to its list, with what they say in words beneath.
    pub(super) fn drawn(&self, reader: &Reader) -> Markup {
        let most = self.counts.iter().map(|it| it.certificates).max().unwrap_or(0);
        let cliffs = cliffs(self.counts);
        html! {
            figure.timeline {
                figcaption { (self.title) span.dim { " · " (self.sum(reader)) } }
                @if most == 0 {
                    p.empty { (reader.say("Nothing expires in this time.", "此期间没有证书到期。")) }
                } @else {
                    (self.bars(most, &cliffs, reader))
                    (self.axis())
                    (self.named(&cliffs, reader))
                }
            }
        }
    }

    fn sum(&self, reader: &Reader) -> String {
        let sum = self.counts.iter().map(|it| it.certificates).sum();
        match reader.language {
            Language::En => format!("{} expire", reader.counted(sum, "certificate", "")),
            Language::Zh => format!("{} 个证书到期", count(sum)),
        }
    }

    fn bars(&self, most: u64, cliffs: &[usize], reader: &Reader) -> Markup {
        let step = WIDTH / u64::try_from(self.counts.len()).unwrap_or(1).max(1);
        let view = format!("0 0 {} {HEIGHT}", step * self.counts.len() as u64);
        html! {
            svg viewBox=(view) preserveAspectRatio="none" role="group" aria-label=(self.title) {
                @for (place, it) in self.counts.iter().enumerate().filter(|(_, it)| it.certificates > 0) {
                    @let left = step * place as u64;
                    @let high = (it.certificates.saturating_mul(HEIGHT) / most).max(LEAST);
                    @let label = self.label(it, reader);
                    a href=(list(it)) aria-label=(label) {
                        title { (label) }
                        rect.reach x=(left) y="0" width=(step) height=(HEIGHT) {}
                        rect.bar.cliff[cliffs.contains(&place)] x=(left + 1) y=(HEIGHT - high)
                            width=(step - 2) height=(high) {}
                    }
                }
            }
        }
    }

    fn label(&self, it: &Count, reader: &Reader) -> String {
        let certificates = reader.counted(it.certificates, "certificate", "个证书");
        format!("{}: {certificates}", self.when(it))
    }

    /// Returns the name of a day or month.
    fn when(&self, it: &Count) -> String {
        let day = day(it.from);
        if self.months { day.chars().take(MONTH).collect() } else { day }
    }

    fn axis(&self) -> Markup {
        let places = [0, self.counts.len() / 2, self.counts.len().saturating_sub(1)];
        let ends = places.into_iter().filter_map(|place| self.counts.get(place));
        html! { p.axis aria-hidden="true" { @for it in ends { span { (self.when(it)) } } } }
    }

    fn named(&self, cliffs: &[usize], reader: &Reader) -> Markup {
        let cliffs = cliffs.iter().take(NAMED).filter_map(|place| self.counts.get(*place));
        html! {
            ul.cliffs {
                @for it in cliffs {
                    li { span.mark aria-hidden="true" { "▲" } " "
                        (reader.say("Many at once: ", "集中到期："))
                        a href=(list(it)) { (self.label(it, reader)) } }
                }
            }
        }
    }
}

/// Returns where far more expire than usual, the most first.
fn cliffs(counts: &[Count]) -> Vec<usize> {
    let mut usual: Vec<u64> =
        counts.iter().map(|it| it.certificates).filter(|count| *count > 0).collect();
    usual.sort_unstable();
    let median = usual.get(usual.len().saturating_sub(1) / 2).copied().unwrap_or(0);
    let is_cliff = |count: u64| {
        count > CLIFF_LEAST && (usual.len() == 1 || count > median.saturating_mul(CLIFF_TIMES))
    };
    let mut cliffs: Vec<usize> = (0..counts.len())
        .filter(|place| counts.get(*place).is_some_and(|it| is_cliff(it.certificates)))
        .collect();
    cliffs.sort_by_key(|place| std::cmp::Reverse(counts.get(*place).map(|it| it.certificates)));
    cliffs
}

fn list(it: &Count) -> String {
    let (from, to) = (day(it.from), day(it.to));
    links::list(&[
        ("status", "active"),
        ("ends_from", &from),
        ("ends_to", &to),
        ("sort", "not_after"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::Timestamp;

    fn counts(numbers: &[u64]) -> Vec<Count> {
        let start = Timestamp::from_seconds(1_795_305_600);
        let span = |(place, count): (i64, &u64)| Count {
            from: start.plus(place * 86_400),
            to: start.plus(place * 86_400 + 86_399),
            certificates: *count,
        };
        (0..).zip(numbers).map(span).collect()
    }

    #[test]
    fn cliffs_are_what_is_far_more_than_usual_and_many() {
        for (numbers, expected) in [
            (&[][..], &[][..]),
            (&[0, 0], &[]),
            (&[5, 90, 5], &[]),
            (&[50, 151, 50, 0, 400], &[4, 1]),
            (&[0, 40_000, 0], &[1]),
            (&[200, 200, 200], &[]),
        ] {
            assert_eq!(cliffs(&counts(numbers)), expected, "{numbers:?}");
        }
    }

    #[test]
    fn each_bar_leads_to_its_list() {
        let reader = Reader {
            language: Language::En,
            here: "/".to_owned(),
            now: Timestamp::from_seconds(0),
        };
        let numbers = counts(&[0, 1, 300]);
        let drawing = Drawing { title: "T", counts: &numbers, months: false };
        let drawn = drawing.drawn(&reader).into_string();
        let link = "/certificates?status=active&amp;ends_from=2026-11-23&amp;ends_to=2026-11-23&amp;sort=not_after";
        assert!(drawn.contains(link), "{drawn}");
        assert!(
            drawn.contains("2026-11-24: 300 certificates")
                && drawn.contains("301 certificates expire")
        );
        assert_eq!(drawn.matches("<rect class=\"bar").count(), 2);
        let none = Drawing { title: "T", counts: &counts(&[0]), months: true }.drawn(&reader);
        assert!(none.into_string().contains("Nothing expires"));
    }
}
