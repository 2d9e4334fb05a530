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

/// Small enough that few rows make many windows.
const TINY: Sizes = Sizes { window: 12, windows: 64, short: 8, long: 16, few: 4, cuts: 64 };
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
            Ranges { sizes: TINY, ..Ranges::new(list, &slice, &feed, &clock) }.read().await
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

fn end() -> impl Strategy<Value = Option<i64>> {
    // Batches share ends; few rows have no end.
    prop_oneof![
        6 => (0..SPREAD).prop_map(Some),
        3 => (0..4_i64).prop_map(|same_second| Some(same_second * 100)),
        1 => Just(None),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => Just(Happening::Nothing),
        1 => end().prop_map(Happening::Insert),
        1 => (0..200_usize).prop_map(Happening::Delete),
    ]
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        (-9..9_i64).prop_map(Lie::Total),
        Just(Lie::Empty),
        Just(Lie::FilterIgnored),
        Just(Lie::Fails),
    ]
}

fn published() -> impl Strategy<Value = Published> {
    prop_oneof![Just(Published::Live), Just(Published::AtTheStart), Just(Published::Nothing)]
}

/// Some of what is there is known, and some that is gone.
fn partly_known(list: &List, share: usize, gone: u32) -> Known {
    let rows = list.truth();
    let part = rows.into_iter().filter(|(name, _)| *name as usize % 7 < share);
    let mut rows: BTreeMap<u32, Option<i64>> = part.collect();
    rows.extend((0..gone).map(|name| (10_000 + name, Some(FIRST + i64::from(name) * 9))));
    Known { rows, ..Known::default() }
}

/// Returns what a reading that calls itself proven did not show, though it was there all the time.
fn skipped(list: &List, mut known: Known, is_at_rest: bool) -> Vec<(u32, Option<i64>)> {
    let reading = run(list, &mut known, &Unfinished::default());
    if !reading.is_ok_and(|reading| reading.proven()) {
        return Vec::new();
    }
    // Those without an end are proven by counts, which a list that comes and goes in step with them deceives.
    let counted = |end: Option<i64>| end.is_some() || is_at_rest;
    let asked = |end| is_within(end, list.within) && counted(end);
    let throughout = list.throughout(0).into_iter();
    throughout.filter(|(name, end)| asked(*end) && !known.rows.contains_key(name)).collect()
}

#[test]
fn rows_that_come_and_go_within_a_second_do_not_hide_others() {
    let hours: [i64; 17] = [0, 9, 0, 9, 9, 9, 0, 0, 9, -1, 9, 9, 82, -1, 10, 11, 11];
    let ends = hours.map(|hour| (hour >= 0).then_some(hour));
    let mut script = vec![Happening::Nothing; 8];
    (script[0], script[4], script[5]) =
        (Happening::Insert(Some(0)), Happening::Insert(Some(0)), Happening::Delete(8));
    let list = List { script, ..List::of(&ends) };
    assert_eq!(skipped(&list, partly_known(&list, 3, 3), false), []);
}

proptest! {
    #![proptest_config(crate::property::cases(1024))]

    #[test]
    fn proven_means_that_nothing_was_skipped(
        ends in proptest::collection::vec(end(), 0..90),
        script in proptest::collection::vec(happening(), 0..12),
        lies in proptest::collection::hash_map(0..60_usize, lie(), 0..3),
        share in 0..8_usize,
        near in proptest::option::of((0..SPREAD, 0..SPREAD)),
        published in published(),
        undated_at_zero in any::<bool>(),
    ) {
        let within = near.map(|(from, length)| {
            let from = Timestamp::from_seconds(FIRST + from);
            (from, from.plus(length))
        });
        let is_at_rest = script.is_empty();
        let list = List { script, lies, within, undated_at_zero, ..List::of(&ends) };
        let known = Known { published, ..partly_known(&list, share, 3) };
        let skipped = skipped(&list, known, is_at_rest);
        prop_assert!(skipped.is_empty(), "skipped {skipped:?}");
    }

    #[test]
    fn a_list_at_rest_is_proven_at_once_and_what_is_gone_is_found_gone(
        ends in proptest::collection::vec(end(), 0..120),
        share in 0..8_usize,
        gone in 0..20_u32,
        published in published(),
        undated_at_zero in any::<bool>(),
    ) {
        let list = List { undated_at_zero, ..List::of(&ends) };
        let mut known = Known { published, ..partly_known(&list, share, gone) };
        let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
        prop_assert!(reading.proven(), "{reading:?}");
        prop_assert_eq!(reading.last_total, ends.len() as u64);
        prop_assert_eq!(reading.distinct, ends.len() as u64);
        prop_assert_eq!(known.rows, list.truth());
    }

    #[test]
    fn a_reading_that_was_cut_off_goes_on_and_ends_with_the_truth(
        ends in proptest::collection::vec(end(), 30..120),
        cut_at in 0..60_usize,
        share in 0..8_usize,
        published in published(),
        undated_at_zero in any::<bool>(),
    ) {
        let lies = [(cut_at, Lie::Fails)].into();
        let list = List { lies, undated_at_zero, ..List::of(&ends) };
        let mut known = Known { published, ..partly_known(&list, share, 5) };
        let unfinished = Unfinished::default();
        if run(&list, &mut known, &unfinished).is_err() {
            let reading = run(&list, &mut known, &unfinished).unwrap();
            prop_assert!(reading.proven(), "{reading:?}");
        }
        prop_assert!(!unfinished.is_waiting());
        prop_assert_eq!(known.rows, list.truth());
    }

    #[test]
    fn a_provider_that_always_lies_comes_to_an_end_and_is_not_believed(
        ends in proptest::collection::vec((0..SPREAD).prop_map(Some), 30..90),
        always in prop_oneof![
            Just(Lie::Empty), Just(Lie::FilterIgnored), (1..99_i64).prop_map(Lie::Total), Just(Lie::Total(-3)),
        ],
        share in 0..8_usize,
        published in published(),
    ) {
        let list = List { always: Some(always), ..List::of(&ends) };
        let mut known = Known { published, ..partly_known(&list, share, 0) };
        let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
        let whole = known.rows.keys().len() == ends.len();
        prop_assert!(!reading.proven() || whole && always == Lie::FilterIgnored, "{reading:?}");
    }
}

/// Hours of rows, as a fleet has them that grew steadily.
fn fleet(rows: i64) -> Vec<Option<i64>> {
    (0..rows).map(|row| Some(row * 7 % rows * 3)).collect()
}

#[test]
fn what_is_known_is_read_with_one_answer_for_each_part() {
    let list = List::of(&fleet(240));
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    // 240 rows are 60 answers of four. Counting before and after, and at the last window, is eleven more.
    assert_eq!(list.state.lock().unwrap().served, 60 + 11);
    assert_eq!((known.begun, known.checkpoints), (1, 240 / 12 + 1));
}

/// Four times nine that end in the same second.
fn same_seconds() -> Vec<Option<i64>> {
    (0..36).map(|row| Some(row / 9 * 100)).collect()
}

#[test]
fn certificates_that_end_in_the_same_second_are_read_page_by_page() {
    let list = List::of(&same_seconds());
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    // Nine rows are three pages that overlap by two, and nothing lies between them and the next nine. Eleven more answers
    // count the fleet.
    assert_eq!(list.state.lock().unwrap().served, 4 * (3 + 1) + 11);
}

#[test]
fn finished_windows_are_not_read_again() {
    let list = List { lies: [(30, Lie::Fails)].into(), ..List::of(&fleet(240)) };
    let mut known = partly_known(&list, 7, 0);
    let unfinished = Unfinished::default();
    run(&list, &mut known, &unfinished).unwrap_err();
    let windows = known.checkpoints;
    assert!(windows > 5, "{windows}");
    let before = list.state.lock().unwrap().served;
    run(&list, &mut known, &unfinished).unwrap();
    let after = list.state.lock().unwrap().served - before;
    assert!(after < 60 - 12, "{after} answers");
    assert_eq!(known.begun, 1);
}

#[test]
fn certificates_without_an_end_are_proven_by_asking_for_them() {
    let mut ends = fleet(240);
    ends.extend([None, None, None]);
    let list = List::of(&ends);
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    assert_eq!(reading.distinct, 243);
    // One that nobody knows of is not proven away: the list as a whole shows it.
    let mut unaware = partly_known(&list, 7, 0);
    unaware.rows.remove(&241);
    let reading = run(&list, &mut unaware, &Unfinished::default()).unwrap();
    assert!(reading.proven() && !reading.by_windows, "{reading:?}");
    assert_eq!(unaware.rows, list.truth());
}

#[test]
fn certificates_without_an_end_are_read_as_a_window_where_the_filter_finds_them() {
    let mut ends = fleet(240);
    ends.extend([None; 30]);
    let list = List { undated_at_zero: true, ..List::of(&ends) };
    let mut known = partly_known(&list, 7, 0);
    // One of them is gone, and found out by one question.
    known.rows.insert(9_999, None);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    assert_eq!((reading.distinct, reading.undated, known.asked), (270, 30, 1));
    assert_eq!(known.rows, list.truth());
    // Thirty are ten pages that overlap, and the others one answer for each part. Ten more count.
    assert_eq!(list.state.lock().unwrap().served, 10 + 60 + 10);
}

#[test]
fn many_certificates_without_an_end_are_proven_by_the_list_though_the_fleet_changes() {
    let mut script = vec![Happening::Nothing; 9];
    script.extend([Happening::Insert(Some(350)), Happening::Nothing, Happening::Delete(40)]);
    let mut ends = fleet(400);
    ends.extend([None; 30]);
    for share in [0, 7] {
        let list = List { script: script.clone(), ..List::of(&ends) };
        let mut known = partly_known(&list, share, 0);
        // One of them is gone, and found out by one question.
        known.rows.insert(9_999, None);
        let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
        assert!(reading.proven() && reading.by_windows, "{share}: {reading:?}");
        assert_eq!((reading.undated, known.asked), (30, 1), "{share}");
        assert!(!known.rows.contains_key(&9_999));
        let throughout = list.throughout(0);
        assert!(throughout.iter().all(|(name, _)| known.rows.contains_key(name)), "{share}");
    }
}

#[test]
fn many_certificates_without_an_end_are_not_missing_after_a_first_list_that_did_not_add_up() {
    let mut ends = fleet(240);
    ends.extend([None; 30]);
    // The first list shows too few rows, though its total stays the same and it comes to its end.
    let lies = (7..40).map(|number| (number, Lie::Repeat)).collect();
    let list = List { lies, ..List::of(&ends) };
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven(), "{reading:?}");
    assert_eq!((known.asked, known.begun), (0, 2));
    assert_eq!(known.rows, list.truth());
}

#[test]
fn a_fleet_that_changes_all_the_time_is_proven_all_the_same() {
    // Each answer is followed by a new row, and every third by a deletion.
    let script = vec![
        Happening::Insert(Some(350)),
        Happening::Nothing,
        Happening::Delete(40),
        Happening::Nothing,
        Happening::Nothing,
        Happening::Nothing,
        Happening::Nothing,
    ];
    let list = List { script, ..List::of(&fleet(400)) };
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    let throughout = list.throughout(0);
    assert!(throughout.iter().all(|(name, _)| known.rows.contains_key(name)));
}

#[test]
fn a_first_reading_is_proven_though_the_fleet_changes_and_some_do_not_say_when_they_end() {
    let mut script = vec![Happening::Nothing; 9];
    script.extend([Happening::Insert(Some(350)), Happening::Nothing, Happening::Delete(40)]);
    let mut ends = fleet(400);
    ends.extend([None, None]);
    for share in [0, 1] {
        let list = List { script: script.clone(), ..List::of(&ends) };
        let mut known = partly_known(&list, share, 0);
        known.rows.retain(|_, end| end.is_some());
        let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
        assert!(reading.proven() && reading.by_windows, "{share}: {reading:?}");
        assert_eq!(reading.undated, 2);
        let throughout = list.throughout(0);
        assert!(throughout.iter().all(|(name, _)| known.rows.contains_key(name)), "{share}");
    }
}
