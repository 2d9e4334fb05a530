//! Readings by windows of a list that changes and lies, by a script, with a pipeline that keeps what is reported.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use async_trait::async_trait;
use proptest::prelude::*;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::clock::SteadyClock;
use crate::expiry::{
    Inventory, Kind, Reason, Rejected, RowId, ScopeId, Sighting, Sightings, Status, View,
};
use crate::scan::Candidate;
use crate::scan::checkpoint::Unfinished;
use crate::source::{Page, Presence, Window};

mod cases;
mod properties;

/// Small enough that few rows make many windows.
const TINY: Sizes =
    Sizes { window: 12, windows: 64, short: 8, listed: 8, long: 16, few: 4, each: 8, cuts: 64 };
const LIMIT: u64 = 5;
const SCOPE: ScopeId = ScopeId(1);

/// The first end of the lists here, and how far they go.
const FIRST: i64 = 1_800_000_000;
const SPREAD: i64 = 400;

/// What happens after one answer.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Nothing,
    /// A row is added that ends then, or has no end.
    Insert(Option<i64>),
    /// A row is taken out at this place, counted round.
    Delete(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    Total(i64),
    Empty,
    FilterIgnored,
    /// A page of the list as a whole shows a row twice, and another not at all.
    Repeat,
    Fails,
}

/// A row: its name and its end.
type Row = (u32, Option<i64>);

struct List {
    state: Mutex<State>,
    script: Vec<Happening>,
    lies: HashMap<usize, Lie>,
    always: Option<Lie>,
    within: Option<Span>,
    /// Whether the filter takes what has no end to end at 0.
    undated_at_zero: bool,
    /// Rows after which nothing of a list can be asked for.
    reach: u64,
    /// Rows of a list that the scan tries as one first.
    listed: u64,
}

struct State {
    rows: Vec<Row>,
    next: u32,
    served: usize,
    asked: Vec<Slice>,
    history: Vec<BTreeSet<Row>>,
}

impl List {
    fn of(ends: &[Option<i64>]) -> Self {
        let rows: Vec<Row> =
            ends.iter().zip(0..).map(|(end, name)| (name, end.map(|end| FIRST + end))).collect();
        let history = vec![rows.iter().copied().collect()];
        let next = u32::try_from(rows.len()).unwrap();
        let state = Mutex::new(State { rows, next, served: 0, asked: Vec::new(), history });
        Self {
            state,
            script: Vec::new(),
            lies: HashMap::new(),
            always: None,
            within: None,
            undated_at_zero: false,
            reach: u64::MAX,
            listed: TINY.listed,
        }
    }

    fn slice(&self) -> Arc<Slice> {
        let window = match self.within {
            Some((from, to)) => Window::Near { from, to },
            None => Window::All,
        };
        let whole = Slice::whole(&"mqtt-1".into(), window, LIMIT, 2);
        let kind = Some(Kind::Device);
        Arc::new(Slice { kind, cuttable: true, within: self.within, ..whole })
    }

    fn answer(&self, slice: &Slice, offset: u64) -> Result<Page, SourceError> {
        if offset > self.reach {
            return Err(SourceError::BadRequest("the offset is too large".into()));
        }
        let mut state = self.state.lock().unwrap();
        let number = state.served;
        state.served += 1;
        state.asked.push(slice.clone());
        let lie = self.lies.get(&number).copied().or(self.always);
        let is_within = |end| is_within(end, slice.within) || self.finds_at_zero(end, slice.within);
        let asked = |row: &&Row| lie == Some(Lie::FilterIgnored) || is_within(row.1);
        let found: Vec<Row> = state.rows.iter().filter(asked).copied().collect();
        let mut page = Page { total: found.len() as u64, ..Page::default() };
        let offset = usize::try_from(offset).unwrap();
        for row in found.into_iter().skip(offset).take(5) {
            page.rows.push(row.0.into());
            page.undated.extend(row.1.is_none().then_some(u64::from(row.0)));
            if is_within(row.1) {
                page.sightings.push(&sighting(row));
            } else {
                page.rejected.push(Rejected { reason: Reason::OutsideSlice, what: String::new() });
            }
        }
        match lie {
            None | Some(Lie::FilterIgnored) => {}
            Some(Lie::Repeat) => {
                // One that no other page overlaps.
                if let (None, [first, _, middle, ..]) = (slice.within, &mut page.rows[..]) {
                    *middle = *first;
                }
            }
            Some(Lie::Total(by)) => page.total = page.total.saturating_add_signed(by),
            Some(Lie::Empty) => {
                page.rows.clear();
                page.undated.clear();
                page.sightings = Sightings::default();
            }
            Some(Lie::Fails) => return Err(SourceError::Unavailable("as scripted".into())),
        }
        self.happen(&mut state, number);
        Ok(page)
    }

    fn finds_at_zero(&self, end: Option<i64>, within: Option<Span>) -> bool {
        let at_zero = within.is_some_and(|(from, _)| from.seconds() <= 0);
        self.undated_at_zero && end.is_none() && at_zero
    }

    fn happen(&self, state: &mut State, number: usize) {
        match self.script.get(number % self.script.len().max(1)) {
            None | Some(Happening::Nothing) => return,
            Some(Happening::Insert(end)) => {
                state.rows.push((state.next, end.map(|end| FIRST + end)));
                state.next += 1;
            }
            Some(Happening::Delete(place)) => {
                if !state.rows.is_empty() {
                    let place = place % state.rows.len();
                    state.rows.remove(place);
                }
            }
        }
        let now = state.rows.iter().copied().collect();
        state.history.push(now);
    }

    fn truth(&self) -> BTreeMap<u32, Option<i64>> {
        self.state.lock().unwrap().rows.iter().copied().collect()
    }

    /// Rows that were there all the time since a moment of its history.
    fn throughout(&self, since: usize) -> BTreeSet<Row> {
        let state = self.state.lock().unwrap();
        let during = &state.history[since..];
        during.iter().skip(1).fold(during[0].clone(), |all, now| &all & now)
    }
}

fn is_within(end: Option<i64>, within: Option<Span>) -> bool {
    let Some((from, to)) = within else { return true };
    end.is_some_and(|end| (from.seconds()..=to.seconds()).contains(&end))
}

fn sighting((name, end): Row) -> Sighting {
    Sighting {
        issuer: "ca".to_owned(),
        serial: name.to_string(),
        signer: "ca".to_owned(),
        not_after: end.map(Timestamp::from_seconds),
        ..Sighting::bare(Kind::Device, Status::Active)
    }
}

#[async_trait]
impl Source for List {
    async fn slices(&self, _: Window) -> Result<Vec<Slice>, SourceError> {
        Ok(vec![Slice::clone(&self.slice())])
    }

    async fn page(&self, slice: &Slice, offset: u64) -> Result<Page, SourceError> {
        self.answer(slice, offset)
    }

    async fn confirm(&self, _: &str, _: &str, serial: &str) -> Result<Presence, SourceError> {
        let there = self.truth().contains_key(&serial.parse().unwrap());
        Ok(if there { Presence::Present } else { Presence::NotFound })
    }
}

/// What a scan sees of what the pipeline knows.
#[derive(Clone, Copy, Debug, Default)]
enum Published {
    /// All of it, at once.
    #[default]
    Live,
    /// What was known when the scan began.
    AtTheStart,
    Nothing,
}

/// What the pipeline knows.
#[derive(Default)]
struct Known {
    published: Published,
    inventory: Inventory,
    rows: BTreeMap<u32, Option<i64>>,
    seen: BTreeSet<u32>,
    checkpoints: u32,
    begun: u32,
    /// Certificates without an end that the provider was asked for one by one.
    asked: usize,
}

impl Known {
    /// Returns what a scan sees before its first event.
    fn begin(&mut self) -> Arc<View> {
        self.inventory = Inventory::new();
        self.inventory.restore_scope(SCOPE, "iot", "mqtt-1");
        for row in &self.rows {
            self.inventory.apply(SCOPE, &sighting((*row.0, *row.1)));
        }
        match self.published {
            Published::Live | Published::AtTheStart => Arc::new(self.inventory.view()),
            Published::Nothing => Arc::default(),
        }
    }

    fn take_and_publish(&mut self, event: ScanEvent, views: &watch::Sender<Arc<View>>) {
        self.take(event);
        if let Published::Live = self.published {
            views.send_replace(Arc::new(self.inventory.view()));
        }
    }

    fn take(&mut self, event: ScanEvent) {
        match event {
            ScanEvent::Begin { .. } => {
                self.begun += 1;
                self.seen.clear();
            }
            ScanEvent::Page { page, .. } => {
                for seen in page.sightings.iter() {
                    let name = seen.serial.parse().unwrap();
                    self.rows.insert(name, seen.not_after.map(Timestamp::seconds));
                    self.inventory.apply(SCOPE, &seen);
                    self.seen.insert(name);
                }
            }
            ScanEvent::Covered { ends, missing, .. } => {
                let covered = |end: Option<i64>| match ends {
                    Ends::All => true,
                    Ends::Within(span) => is_within(end, Some(span)),
                    Ends::Unknown => end.is_none(),
                };
                let gone = self
                    .rows
                    .iter()
                    .filter(|(name, end)| covered(**end) && !self.seen.contains(name));
                let named = |(name, _): (&u32, &Option<i64>)| Candidate {
                    row: RowId(*name),
                    issuer: String::new(),
                    serial: name.to_string(),
                };
                missing.send(gone.map(named).collect()).unwrap();
            }
            ScanEvent::Asked { absent, present, unasked, .. } => {
                let rows = [&absent, &present, &unasked].into_iter().flatten();
                let undated = rows.filter(|row| self.rows.get(&row.0) == Some(&None));
                self.asked += undated.count();
                for row in absent {
                    self.rows.remove(&row.0);
                    if let Some(row) = self.inventory.find(SCOPE, "ca", &row.0.to_string()) {
                        self.inventory.remove(row);
                    }
                }
            }
            ScanEvent::Checkpoint { .. } => self.checkpoints += 1,
            other => panic!("{other:?}"),
        }
    }
}

fn run(list: &List, known: &mut Known, unfinished: &Unfinished) -> Result<Reading, SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (sender, mut events) = mpsc::channel(4);
        let unfinished = unfinished.clone();
        let (views, view) = watch::channel(known.begin());
        let feed = Feed { source: "iot".into(), events: sender, view, unfinished };
        let (slice, clock) =
            (list.slice(), SteadyClock::starting_at(Timestamp::from_seconds(FIRST)));
        let reading = async {
            let sizes = Sizes { listed: list.listed, ..TINY };
            Ranges { sizes, ..Ranges::new(list, &slice, &feed, &clock) }.read().await
        };
        tokio::pin!(reading);
        loop {
            tokio::select! {
                biased;
                Some((_, event)) = events.recv() => known.take_and_publish(event, &views),
                done = &mut reading => {
                    while let Ok((_, event)) = events.try_recv() {
                        known.take_and_publish(event, &views);
                    }
                    return done;
                }
            }
        }
    })
}

/// Some of what is there is known, and some that is gone.
fn partly_known(list: &List, share: usize, gone: u32) -> Known {
    let rows = list.truth();
    let part = rows.into_iter().filter(|(name, _)| *name as usize % 7 < share);
    let mut rows: BTreeMap<u32, Option<i64>> = part.collect();
    rows.extend((0..gone).map(|name| (10_000 + name, Some(FIRST + i64::from(name) * 9))));
    Known { rows, ..Known::default() }
}
