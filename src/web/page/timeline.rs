//! How many active certificates expire when, drawn.

use maud::{Markup, html};

use super::ahead;
use super::links;
use super::reader::Reader;
use super::texts::{count, day, shown};
use crate::catalog::Count;
use crate::expiry::{Ahead, Cliff, Language, Month};

/// The drawing's own units.
const HEIGHT: u64 = 100;
const WIDTH: u64 = 1000;

/// The least height of a bar for one.
const LEAST: u64 = 3;

/// Cliffs that are named.
const NAMED: usize = 3;

/// Letters of a month in `2026-11-22`.
const MONTH: usize = 7;

/// What a drawing shows.
pub(super) struct Drawing<'a> {
    pub(super) title: &'a str,
    pub(super) counts: &'a [Count],
    /// Where each bar is a month: what is ahead.
    pub(super) months: Option<&'a Ahead>,
}

impl Drawing<'_> {
    /// Draws the bars, each a link to its list, with what they say in words beneath.
    pub(super) fn drawn(&self, reader: &Reader) -> Markup {
        let most = self.counts.iter().map(|it| it.certificates).max().unwrap_or(0);
        html! {
            figure.timeline {
                figcaption { (self.title) span.dim { " · " (self.sum(reader)) } }
                @if most == 0 {
                    p.empty { (reader.say("Nothing expires in this time.", "此期间没有证书到期。")) }
                } @else {
                    (self.bars(most, reader))
                    (self.axis())
                    @if let Some(ahead) = self.months { (named(ahead, reader)) }
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

    fn bars(&self, most: u64, reader: &Reader) -> Markup {
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
                        rect.bar.cliff[self.is_cliff(it)] x=(left + 1) y=(HEIGHT - high)
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
        if self.months.is_some() { day.chars().take(MONTH).collect() } else { day }
    }

    fn axis(&self) -> Markup {
        let places = [0, self.counts.len() / 2, self.counts.len().saturating_sub(1)];
        let ends = places.into_iter().filter_map(|place| self.counts.get(place));
        html! { p.axis aria-hidden="true" { @for it in ends { span { (self.when(it)) } } } }
    }

    /// Returns whether a bar is a month in which far more expire than were ever renewed in one, of some source.
    fn is_cliff(&self, it: &Count) -> bool {
        let month = Month::of(it.from);
        let cliffs = self.months.into_iter().flat_map(|ahead| &ahead.cliffs);
        cliffs.into_iter().any(|cliff| Some(cliff.month) == month)
    }
}

/// Names the months that stand out, and the sources of which that is not known yet.
fn named(ahead: &Ahead, reader: &Reader) -> Markup {
    let mut cliffs: Vec<&Cliff> = ahead.cliffs.iter().collect();
    cliffs.sort_by_key(|it| std::cmp::Reverse(it.ending));
    html! {
        ul.cliffs {
            @for it in cliffs.into_iter().take(NAMED) {
                li { span.mark aria-hidden="true" { "▲" } " "
                    a href=(ahead::list(it)) { (it.month.to_string()) ", " (shown(&it.source)) } ": "
                    (ahead::of_cliff(it, reader)) }
            }
        }
        @if !ahead.unwatched.is_empty() { p.dim { (unwatched(ahead, reader)) } }
    }
}

fn unwatched(ahead: &Ahead, reader: &Reader) -> String {
    let names: Vec<String> = ahead.unwatched.iter().take(NAMED).map(|name| shown(name)).collect();
    let more = if ahead.unwatched.len() > NAMED { ", …" } else { "" };
    let names = names.join(", ") + more;
    match reader.language {
        Language::En => format!(
            "Whether more expire in a month than are renewed in one is said after three whole months; not watched for so long yet: \
             {names}"
        ),
        Language::Zh => format!(
            "完整观察三个月后才能判断某月到期数是否远超续期能力；观察时间尚不足的来源：{names}"
        ),
    }
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
    fn a_month_that_stands_out_is_marked_and_named_and_who_is_not_watched_is_said() {
        // 2027-02-01T00:00:00Z and 28 days.
        let from = Timestamp::from_seconds(1_801_440_000);
        let month = Count { from, to: from.plus(28 * 86_400 - 1), certificates: 900 };
        let cliff = |source: &str, ending| Cliff {
            source: source.into(),
            month: Month::new(2027, 2),
            ending,
            renewed: 20,
        };
        for (cliffs, unwatched, marks) in [
            (vec![cliff("io<t", 700), cliff("web", 150)], vec![], 1),
            (vec![], vec!["a", "b", "c", "d"], 0),
        ] {
            let unwatched = unwatched.into_iter().map(std::sync::Arc::from).collect();
            let ahead = Ahead { cliffs, unwatched, ..Ahead::default() };
            for language in Language::ALL {
                let reader = Reader { language, here: "/".to_owned(), now: from };
                let drawing = Drawing { title: "T", counts: &[month], months: Some(&ahead) };
                let drawn = drawing.drawn(&reader).into_string();
                assert_eq!(drawn.matches("bar cliff").count(), marks, "{drawn}");
                assert_eq!(drawn.matches("▲").count(), 2 * marks, "{drawn}");
                assert_eq!(drawn.contains("a, b, c, …"), marks == 0, "{drawn}");
                let link = "source=io%3Ct&amp;status=active&amp;ends_from=2027-02-01&amp;ends_to=2027-02-28";
                assert_eq!(drawn.contains(link), marks == 1, "{drawn}");
            }
            let days = Drawing { title: "T", counts: &[month], months: None };
            let reader = Reader { language: Language::En, here: "/".to_owned(), now: from };
            assert!(!days.drawn(&reader).into_string().contains("cliff"));
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
        let drawing = Drawing { title: "T", counts: &numbers, months: None };
        let drawn = drawing.drawn(&reader).into_string();
        let link = "/certificates?status=active&amp;ends_from=2026-11-23&amp;ends_to=2026-11-23&amp;sort=not_after";
        assert!(drawn.contains(link), "{drawn}");
        assert!(
            drawn.contains("2026-11-24: 300 certificates")
                && drawn.contains("301 certificates expire")
        );
        assert_eq!(drawn.matches("<rect class=\"bar").count(), 2);
        let none = Drawing { title: "T", counts: &counts(&[0]), months: None }.drawn(&reader);
        assert!(none.into_string().contains("Nothing expires"));
    }
}
