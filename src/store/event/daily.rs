//! The daily digest, as it is written.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::rows::{FactsRow, facts, facts_row};
use crate::expiry::{
    DailyDigest, DigestSnooze, Ending, News, Rung, SourceCount, Timestamp, Unproven,
};
use crate::store::code;

#[derive(Serialize, Deserialize)]
pub(super) struct DailyRow<'a> {
    channel: Cow<'a, str>,
    scheduled: i64,
    since: Option<i64>,
    total: u64,
    next: Option<FactsRow<'a>>,
    rungs: Vec<(u32, u64)>,
    long_ended: u64,
    undated: u64,
    snoozed: u64,
    sources: Vec<(Cow<'a, str>, u64, u64)>,
    news: [u64; 4],
    soonest: Vec<(FactsRow<'a>, u32)>,
    snoozes: Vec<SnoozeRow<'a>>,
    dead: Vec<(Cow<'a, str>, u64)>,
    unproven: Vec<UnprovenRow<'a>>,
}

#[derive(Serialize, Deserialize)]
struct SnoozeRow<'a> {
    id: Cow<'a, str>,
    author: Cow<'a, str>,
    reason: Cow<'a, str>,
    until: i64,
    idle: bool,
}

#[derive(Serialize, Deserialize)]
struct UnprovenRow<'a> {
    source: Cow<'a, str>,
    last_proven: Option<i64>,
    error: Option<Cow<'a, str>>,
}

pub(super) fn daily_row(digest: &DailyDigest) -> DailyRow<'_> {
    let News { inside, renewed, gone, undated } = digest.news;
    let ending = |one: &'_ Ending| code::of_rung(one.rung);
    DailyRow {
        channel: (&digest.channel).into(),
        scheduled: digest.scheduled.seconds(),
        since: digest.since.map(Timestamp::seconds),
        total: digest.total,
        next: digest.next.as_ref().map(facts_row),
        rungs: digest.rungs.iter().map(|(rung, count)| (code::of_rung(*rung), *count)).collect(),
        long_ended: digest.long_ended,
        undated: digest.undated,
        snoozed: digest.snoozed,
        sources: digest
            .sources
            .iter()
            .map(|one| ((&one.source).into(), one.total, one.on_a_rung))
            .collect(),
        news: [inside, renewed, gone, undated],
        soonest: digest.soonest.iter().map(|one| (facts_row(&one.facts), ending(one))).collect(),
        snoozes: digest.snoozes.iter().map(snooze_row).collect(),
        dead: digest.dead.iter().map(|(channel, count)| (channel.into(), *count)).collect(),
        unproven: digest.unproven.iter().map(unproven_row).collect(),
    }
}

fn snooze_row(one: &DigestSnooze) -> SnoozeRow<'_> {
    SnoozeRow {
        id: (&one.id).into(),
        author: (&one.author).into(),
        reason: (&one.reason).into(),
        until: one.until.seconds(),
        idle: one.idle,
    }
}

fn unproven_row(one: &Unproven) -> UnprovenRow<'_> {
    UnprovenRow {
        source: (&one.source).into(),
        last_proven: one.last_proven.map(Timestamp::seconds),
        error: one.error.as_deref().map(Cow::Borrowed),
    }
}

pub(super) fn daily(row: DailyRow<'_>) -> Result<DailyDigest, String> {
    let rung = |code: u32| -> Rung { code::rung(code) };
    let ending = |(row, code): (FactsRow<'_>, u32)| -> Result<Ending, String> {
        Ok(Ending { facts: facts(row)?, rung: rung(code) })
    };
    let [inside, renewed, gone, undated] = row.news;
    Ok(DailyDigest {
        channel: row.channel.into_owned(),
        scheduled: Timestamp::from_seconds(row.scheduled),
        since: row.since.map(Timestamp::from_seconds),
        total: row.total,
        next: row.next.map(facts).transpose()?,
        rungs: row.rungs.into_iter().map(|(code, count)| (rung(code), count)).collect(),
        long_ended: row.long_ended,
        undated: row.undated,
        snoozed: row.snoozed,
        sources: row.sources.into_iter().map(source).collect(),
        news: News { inside, renewed, gone, undated },
        soonest: row.soonest.into_iter().map(ending).collect::<Result<_, _>>()?,
        snoozes: row.snoozes.into_iter().map(snooze).collect(),
        dead: row.dead.into_iter().map(|(channel, n)| (channel.into_owned(), n)).collect(),
        unproven: row.unproven.into_iter().map(unproven).collect(),
    })
}

fn source((source, total, on_a_rung): (Cow<'_, str>, u64, u64)) -> SourceCount {
    SourceCount { source: source.into_owned(), total, on_a_rung }
}

fn snooze(row: SnoozeRow<'_>) -> DigestSnooze {
    DigestSnooze {
        id: row.id.into_owned(),
        author: row.author.into_owned(),
        reason: row.reason.into_owned(),
        until: Timestamp::from_seconds(row.until),
        idle: row.idle,
    }
}

fn unproven(row: UnprovenRow<'_>) -> Unproven {
    Unproven {
        source: row.source.into_owned(),
        last_proven: row.last_proven.map(Timestamp::from_seconds),
        error: row.error.map(Cow::into_owned),
    }
}
