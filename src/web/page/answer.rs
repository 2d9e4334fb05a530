//! The answer to what everybody asks first, in one sentence and a colour.

use super::reader::Reader;
use super::texts::{count, day};
use super::trouble::{Colour, Standing};
use crate::expiry::{Language, Overview, Rung};

/// Rungs of at most this length are critical, in seconds.
const CRITICAL: u32 = 3 * 86_400;

/// The answer.
pub(super) struct Answer {
    pub(super) colour: Colour,
    pub(super) sentence: String,
}

/// What the answer is made from.
pub(super) struct Facts<'a> {
    pub(super) overview: &'a Overview,
    /// Served certificates that should be replaced.
    pub(super) not_deployed: u64,
    /// Authorities that end before what they signed.
    pub(super) ends_first: u64,
    pub(super) sources: &'a [Standing],
    /// How each channel is.
    pub(super) channels: &'a [Colour],
}

/// Returns the answer.
pub(super) fn answer(facts: &Facts<'_>, reader: &Reader) -> Answer {
    let Facts { overview, not_deployed, ends_first, sources, channels } = *facts;
    let needing = overview.on_a_rung().max(not_deployed).max(ends_first);
    let troubled = sources.iter().filter(|source| source.colour >= Colour::Soon);
    let troubled: Vec<&Standing> = troubled.collect();
    let silent = channels.iter().filter(|colour| **colour >= Colour::Soon).count();
    let worst = sources.iter().map(|source| source.colour).max().unwrap_or(Colour::Unknown);
    let sentence = if sources.is_empty() {
        none_configured(reader)
    } else if overview.total == 0 && troubled.is_empty() && silent == 0 {
        nothing_known(worst, reader)
    } else if needing == 0 && troubled.is_empty() && silent == 0 {
        all_good(overview, worst, reader)
    } else {
        let parts =
            [need(needing, reader), unproven(&troubled, reader), undelivered(silent, reader)];
        let end = reader.say("", "。");
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.join(reader.say("; ", "；")) + end
    };
    let loudest = channels.iter().copied().filter(|colour| *colour >= Colour::Soon).max();
    let colour = worst.max(urgency(overview, needing)).max(loudest.unwrap_or(Colour::Good));
    Answer { colour, sentence }
}

fn urgency(overview: &Overview, needing: u64) -> Colour {
    let critical = overview.rungs.keys().any(|rung| rung.seconds() <= CRITICAL);
    match (critical, needing) {
        (true, _) => Colour::Bad,
        (false, 0) => Colour::Good,
        (false, _) => Colour::Soon,
    }
}

fn none_configured(reader: &Reader) -> String {
    let text = "No source is configured, so nothing is watched";
    reader.say(text, "尚未配置来源，没有监控任何证书。").to_owned()
}

fn nothing_known(worst: Colour, reader: &Reader) -> String {
    let text = if worst == Colour::Good {
        reader.say(
            "No certificate is there: every source was read and is empty",
            "没有证书:所有来源均已读取且为空。",
        )
    } else {
        reader
            .say("The first scan is under way; nothing is known yet", "首次扫描进行中，暂无结果。")
    };
    text.to_owned()
}

fn all_good(overview: &Overview, worst: Colour, reader: &Reader) -> String {
    let total = count(overview.total);
    let seen = match (worst, reader.language) {
        (Colour::Good, Language::En) => format!("All {total} certificates seen"),
        (Colour::Good, Language::Zh) => format!("已看到全部 {total} 个证书"),
        (_, Language::En) => format!("{total} certificates seen so far"),
        (_, Language::Zh) => format!("目前已看到 {total} 个证书"),
    };
    let next = match (overview.next_end.map(day), reader.language) {
        (Some(day), Language::En) => format!("nothing expires before {day}"),
        (Some(day), Language::Zh) => format!("{day} 之前没有证书到期"),
        (None, Language::En) => "no active one will expire".to_owned(),
        (None, Language::Zh) => "没有使用中的证书会到期".to_owned(),
    };
    format!("{seen}{}{next}{}", reader.say(", ", "，"), reader.say("", "。"))
}

fn need(needing: u64, reader: &Reader) -> Option<String> {
    let text = match (needing, reader.language) {
        (0, _) => return None,
        (1, Language::En) => "1 certificate needs you".to_owned(),
        (_, Language::En) => format!("{} certificates need you", count(needing)),
        (_, Language::Zh) => format!("{} 个证书需要处理", count(needing)),
    };
    Some(text)
}

fn unproven(troubled: &[&Standing], reader: &Reader) -> Option<String> {
    let number = u64::try_from(troubled.len()).ok().filter(|number| *number > 0)?;
    let oldest = troubled.iter().map(|source| source.proven).min().flatten();
    let ages = oldest.map(|at| reader.span(reader.now.since(at).unsigned_abs()));
    Some(match (ages, number, reader.language) {
        (Some(age), 1, Language::En) => format!("1 source was last proven {age} ago"),
        (None, 1, Language::En) => "1 source is not proven".to_owned(),
        (Some(age), _, Language::En) => {
            format!("{number} sources are in trouble, one last proven {age} ago")
        }
        (None, _, Language::En) => format!("{number} sources are not proven"),
        (Some(age), _, Language::Zh) => format!("{number} 个来源异常，最早的核实在 {age}前"),
        (None, _, Language::Zh) => format!("{number} 个来源尚未核实"),
    })
}

fn undelivered(silent: usize, reader: &Reader) -> Option<String> {
    let number = u64::try_from(silent).ok().filter(|number| *number > 0)?;
    Some(match (number, reader.language) {
        (1, Language::En) => "1 channel does not deliver".to_owned(),
        (_, Language::En) => format!("{number} channels do not deliver"),
        (_, Language::Zh) => format!("{number} 个通道无法送达"),
    })
}

/// Returns the colour of a certificate on a rung.
pub(super) const fn of_rung(rung: Rung) -> Colour {
    if rung.seconds() <= CRITICAL { Colour::Bad } else { Colour::Soon }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::Timestamp;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_305_600);

    fn said(
        overview: &Overview,
        sources: &[Standing],
        channels: &[Colour],
    ) -> [(Colour, String); 2] {
        Language::ALL.map(|language| {
            let reader = Reader { language, here: "/".to_owned(), now: NOW };
            let facts = Facts { overview, not_deployed: 0, ends_first: 0, sources, channels };
            let Answer { colour, sentence } = answer(&facts, &reader);
            (colour, sentence.replace('\u{a0}', " "))
        })
    }

    fn source(colour: Colour, proven: Option<i64>) -> Standing {
        Standing { colour, sentence: String::new(), proven: proven.map(|ago| NOW.plus(-ago)) }
    }

    #[test]
    fn the_first_sentence_is_the_answer() {
        let good = Overview {
            total: 12_003,
            next_end: Some(NOW.plus(47 * 86_400)),
            ..Overview::default()
        };
        let soon = Overview { rungs: [(Rung::Before(1_209_600), 3)].into(), ..good.clone() };
        let bad = Overview { rungs: [(Rung::Expired, 1)].into(), ..good.clone() };
        let none = Overview::default();
        for (overview, sources, colour, english, chinese) in [
            (
                &good,
                &[source(Colour::Good, Some(60))][..],
                Colour::Good,
                "All 12 003 certificates seen, nothing expires before 2027-01-08",
                "已看到全部 12 003 个证书，2027-01-08 之前没有证书到期。",
            ),
            (
                &soon,
                &[source(Colour::Bad, Some(7200)), source(Colour::Good, Some(9))],
                Colour::Bad,
                "3 certificates need you; 1 source was last proven 2 hours ago",
                "3 个证书需要处理；1 个来源异常，最早的核实在 2 小时前。",
            ),
            (
                &bad,
                &[source(Colour::Good, Some(60))],
                Colour::Bad,
                "1 certificate needs you",
                "1 个证书需要处理。",
            ),
            (
                &good,
                &[source(Colour::Bad, Some(7200)), source(Colour::Soon, None)],
                Colour::Bad,
                "2 sources are not proven",
                "2 个来源尚未核实。",
            ),
            (
                &none,
                &[],
                Colour::Unknown,
                "No source is configured, so nothing is watched",
                "尚未配置来源，没有监控任何证书。",
            ),
            (
                &none,
                &[source(Colour::Unknown, None)],
                Colour::Unknown,
                "The first scan is under way; nothing is known yet",
                "首次扫描进行中，暂无结果。",
            ),
        ] {
            let expected = [english, chinese].map(|sentence| (colour, sentence.to_owned()));
            assert_eq!(said(overview, sources, &[Colour::Good, Colour::Unknown]), expected);
        }
    }

    #[test]
    fn a_room_that_is_not_reached_is_part_of_the_answer() {
        let overview = Overview { total: 1, ..Overview::default() };
        let proven = [source(Colour::Good, Some(60))];
        let [english, chinese] = said(&overview, &proven, &[Colour::Bad, Colour::Good]);
        assert_eq!(english, (Colour::Bad, "1 channel does not deliver".to_owned()));
        assert_eq!(chinese, (Colour::Bad, "1 个通道无法送达。".to_owned()));
    }
}
