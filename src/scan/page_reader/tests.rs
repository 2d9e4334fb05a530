//! Readings of a list that changes and lies, by a script.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use async_trait::async_trait;
use proptest::prelude::*;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::expiry::{Reason, Rejected};
use crate::source::Window;

/// What happens to the list after one of its pages was served.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Nothing,
    /// Rows are added at the end.
    Insert(u64),
    /// A row is taken out at this place, counted round.
    Delete(u64),
    /// As many are added as are taken out, all of them before this place: the total shows nothing.
    Swap(u64, u64),
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    Total(i64),
    Empty,
    /// Always the first page.
    Repeat,
    Rejects,
    Throttles,
    Fails,
}

/// A list that lives by a script.
struct List {
    state: Mutex<State>,
    /// The most rows that the provider gives out at once, whatever is asked for.
    clamp: u64,
    script: Vec<Happening>,
    /// By the number of the request; those that are not in it are answered truly.
    lies: HashMap<usize, Lie>,
    /// A lie in every answer.
    always: Lie,
    /// Times that an answer is put off, by the number of the request, so that answers overtake each other.
    delays: Vec<usize>,
    overlap: u64,
}

#[derive(Default)]
struct State {
    rows: Vec<u64>,
    next: u64,
    served: usize,
    /// Every state that the list was in, by the number of pages served.
    history: Vec<Vec<u64>>,
    /// The state in which the last reading began.
    begun: usize,
}

impl List {
    fn of(rows: u64, clamp: u64, overlap: u64) -> Self {
        let rows: Vec<u64> = (0..rows).collect();
        let (next, history) = (rows.len() as u64, vec![rows.clone()]);
        let state = State { rows, next, served: 0, history, begun: 0 };
        Self {
            state: Mutex::new(state),
            clamp,
            script: Vec::new(),
            lies: HashMap::new(),
            always: Lie::None,
            delays: Vec::new(),
            overlap,
        }
    }

    fn slice(&self) -> Arc<Slice> {
        Arc::new(Slice::whole(&"all".into(), Window::All, 20, self.overlap))
    }

    fn answer(&self, offset: u64) -> Result<Page, SourceError> {
        let mut state = self.state.lock().unwrap();
        let number = state.served;
        state.served += 1;
        if offset == 0 {
            state.begun = state.history.len() - 1;
        }
        let lie = self.lies.get(&number).copied().unwrap_or(self.always);
        let offset = if lie == Lie::Repeat { 0 } else { offset };
        let of = |value: u64| usize::try_from(value).unwrap();
        let rows: Vec<u64> =
            state.rows.iter().copied().skip(of(offset)).take(of(self.clamp.min(20))).collect();
        let mut page = Page { total: state.rows.len() as u64, rows, ..Page::default() };
        match lie {
            Lie::None | Lie::Repeat => {}
            Lie::Total(by) => page.total = page.total.saturating_add_signed(by),
            Lie::Empty => page.rows.clear(),
            Lie::Rejects => {
                page.rejected.push(Rejected { reason: Reason::BadField, what: String::new() });
            }
            Lie::Throttles => {
                return Err(SourceError::Throttled { message: "as scripted".into(), after: None });
            }
            Lie::Fails => return Err(SourceError::Unavailable("as scripted".into())),
        }
        self.happen(&mut state, number);
        Ok(page)
    }

    fn happen(&self, state: &mut State, number: usize) {
        let happening = if self.script.is_empty() {
            Happening::Nothing
        } else {
            self.script[number % self.script.len()]
        };
        let delete = |state: &mut State, place: u64| {
            if !state.rows.is_empty() {
                let place = usize::try_from(place).unwrap() % state.rows.len();
                state.rows.remove(place);
            }
        };
        let insert = |state: &mut State| {
            let next = state.next;
            state.rows.push(next);
            state.next += 1;
        };
        match happening {
            Happening::Nothing => {}
            Happening::Insert(count) => (0..count).for_each(|_| insert(state)),
            Happening::Delete(place) => delete(state, place),
            Happening::Swap(count, place) => {
                for _ in 0..count {
                    delete(state, place);
                    insert(state);
                }
            }
        }
        let now = state.rows.clone();
        state.history.push(now);
    }

    fn history(&self) -> Vec<BTreeSet<u64>> {
        let state = self.state.lock().unwrap();
        state.history.iter().map(|rows| rows.iter().copied().collect()).collect()
    }
}

#[async_trait]
impl Source for List {
    async fn slices(&self, _: Window) -> Result<Vec<Slice>, SourceError> {
        Ok(vec![(*self.slice()).clone()])
    }

    async fn page(&self, _: &Slice, offset: u64) -> Result<Page, SourceError> {
        let turns = if self.delays.is_empty() {
            0
        } else {
            self.delays[usize::try_from(offset).unwrap() % self.delays.len()]
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        self.answer(offset)
    }
}

/// What a reading reported.
struct Outcome {
    reading: Reading,
    failed: bool,
    /// Rows handed on by the last reading, page by page.
    last: Vec<Vec<u64>>,
    /// Pages handed on by all readings together.
    pages: usize,
    readings: u32,
}

impl Outcome {
    fn distinct(&self) -> BTreeSet<u64> {
        self.last.iter().flatten().copied().collect()
    }
}

fn run(script: &List) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (sender, mut incoming) = mpsc::channel(4);
        let feed = Feed::new("list".into(), sender, watch::channel(Arc::default()).1);
        let slice = script.slice();
        let reading = async {
            let outcome = read(&Pages::of(script), &slice, &feed, READINGS).await;
            drop(feed);
            outcome
        };
        let (mut last, mut pages, mut readings) = (Vec::new(), 0, 0);
        let taking = async {
            while let Some((_, event)) = incoming.recv().await {
                match event {
                    ScanEvent::Begin { .. } => {
                        readings += 1;
                        last.clear();
                    }
                    ScanEvent::Page { page, .. } => {
                        pages += 1;
                        last.push(page.rows);
                    }
                    other => panic!("{other:?}"),
                }
            }
        };
        let ((reading, error), ()) = tokio::join!(reading, taking);
        Outcome { reading, failed: error.is_some(), last, pages, readings }
    })
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => Just(Happening::Nothing),
        2 => (0..4_u64).prop_map(Happening::Insert),
        2 => (0..200_u64).prop_map(Happening::Delete),
        2 => (0..15_u64, 0..200_u64).prop_map(|(count, place)| Happening::Swap(count, place)),
        1 => (0..15_u64).prop_map(|count| Happening::Swap(count, 0)),
    ]
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        (-30..30_i64).prop_map(Lie::Total),
        Just(Lie::Empty),
        Just(Lie::Repeat),
        Just(Lie::Rejects),
        Just(Lie::Throttles),
        Just(Lie::Fails),
    ]
}

proptest! {
    #![proptest_config(crate::property::cases(512))]

    /// The heart of the matter: a proof is never wrong, however the list changes and whatever it states.
    #[test]
    fn proven_means_that_nothing_was_skipped(
        rows in 0..160_u64,
        clamp in 1..30_u64,
        script in proptest::collection::vec(happening(), 0..12),
        lies in proptest::collection::hash_map(0..40_usize, lie(), 0..3),
        delays in proptest::collection::vec(0..12_usize, 0..5),
    ) {
        let in_order = delays.is_empty();
        let list = List { script, lies, delays, ..List::of(rows, clamp, 5) };
        let outcome = run(&list);
        prop_assert!(outcome.readings <= READINGS);
        prop_assert!(list.state.lock().unwrap().served >= outcome.pages);
        if outcome.failed || !outcome.reading.proven() {
            return Ok(());
        }
        let seen = outcome.distinct();
        let history = list.history();
        let during = &history[list.state.lock().unwrap().begun..];
        let throughout = during.iter().skip(1).fold(during[0].clone(), |all, now| &all & now);
        let ever: BTreeSet<u64> = during.iter().flatten().copied().collect();
        prop_assert!(throughout.is_subset(&seen), "skipped {:?}", throughout.difference(&seen));
        prop_assert!(seen.is_subset(&ever), "made up {:?}", seen.difference(&ever));
        if in_order {
            prop_assert!(during.contains(&seen), "not a state of the list");
        }
    }

    #[test]
    fn a_list_at_rest_is_proven_at_once_whatever_its_pages_are(
        rows in 0..200_u64,
        clamp in 2..30_u64,
        overlap in prop_oneof![Just(0_u64), Just(5)],
        delays in proptest::collection::vec(0..12_usize, 0..5),
    ) {
        let list = List { delays, ..List::of(rows, clamp, overlap) };
        let outcome = run(&list);
        prop_assert!(outcome.reading.proven() && !outcome.failed, "{:?}", outcome.reading);
        prop_assert_eq!(outcome.readings, 1);
        prop_assert_eq!(outcome.distinct(), (0..rows).collect::<BTreeSet<_>>());
        // Each page once: no two begin alike.
        let begins: BTreeSet<_> = outcome.last.iter().map(|page| page.first()).collect();
        prop_assert_eq!(begins.len(), outcome.last.len());
    }

    #[test]
    fn a_total_that_always_lies_is_never_proven(
        rows in 0..200_u64, by in (-200..200_i64).prop_filter("a lie", |by| *by != 0),
    ) {
        let list = List { always: Lie::Total(by), ..List::of(rows, 20, 5) };
        let outcome = run(&list);
        // Of nothing, nothing can be taken away.
        prop_assert_eq!(outcome.reading.proven(), rows == 0 && by < 0);
    }
}

#[test]
fn lists_that_never_end_are_given_up() {
    for always in [Lie::Repeat, Lie::Empty, Lie::Total(i64::MAX)] {
        let mut list = List { always, ..List::of(100, 20, 5) };
        if always == Lie::Repeat {
            // As if it were endless: the same page for ever, of a list that is too long to be read.
            let lies = (0..1000).map(|number| (number, Lie::Repeat));
            list = List { lies: lies.collect(), ..List::of(10_000, 20, 5) };
        }
        let outcome = run(&list);
        assert!(!outcome.reading.proven(), "{always:?}");
        assert_eq!(outcome.readings, READINGS, "{always:?}");
        assert!(outcome.pages < 200, "{always:?}: {} pages", outcome.pages);
    }
}

#[test]
fn a_row_that_cannot_be_understood_is_no_reason_to_read_everything_again() {
    let list = List { always: Lie::Rejects, ..List::of(100, 20, 5) };
    let outcome = run(&list);
    assert_eq!((outcome.readings, outcome.reading.proven()), (1, false));
    assert_eq!(outcome.reading.distinct, 100);
    assert!(outcome.reading.unknown > 0 && outcome.reading.unreadable > 0);
}

#[test]
fn a_failure_ends_the_reading_and_keeps_what_was_handed_on() {
    let list = List { lies: [(3, Lie::Fails)].into(), ..List::of(100, 20, 5) };
    let outcome = run(&list);
    assert_eq!((outcome.failed, outcome.readings, outcome.last.len()), (true, 1, 3));
}

#[test]
fn deletions_within_the_overlap_are_proven_in_the_first_reading_when_the_list_grows_alike() {
    // Each page loses a row that comes later, and one is added at the end.
    let list = List { script: vec![Happening::Swap(1, 99)], ..List::of(100, 20, 5) };
    let outcome = run(&list);
    assert!(outcome.reading.proven(), "{:?}", outcome.reading);
}

#[test]
fn more_deletions_than_the_overlap_tear_the_reading() {
    let mut list = List::of(200, 20, 5);
    list.script = vec![Happening::Swap(12, 0)];
    let outcome = run(&list);
    assert!(outcome.reading.gap_detected && !outcome.reading.proven(), "{:?}", outcome.reading);
    assert_eq!(outcome.readings, READINGS);
}

#[test]
fn a_list_that_grows_as_fast_as_it_is_read_ends_unproven() {
    let list = List { script: vec![Happening::Insert(40)], ..List::of(40, 20, 5) };
    let outcome = run(&list);
    assert!(!outcome.reading.proven() && !outcome.failed);
    assert_eq!(outcome.readings, READINGS);
}

/// Two hundred rows, of which one page is throttled so many times, each time while others come.
struct Busy {
    throttled: Mutex<usize>,
}

#[async_trait]
impl Source for Busy {
    async fn slices(&self, _: Window) -> Result<Vec<Slice>, SourceError> {
        Ok(Vec::new())
    }

    async fn page(&self, _: &Slice, offset: u64) -> Result<Page, SourceError> {
        for _ in 0..if offset == 30 { 50 } else { 1 } {
            tokio::task::yield_now().await;
        }
        let mut left = self.throttled.lock().unwrap();
        if offset == 30 && *left > 0 {
            *left -= 1;
            return Err(SourceError::Throttled { message: "as scripted".into(), after: None });
        }
        let rows = (offset..200.min(offset + 20)).collect();
        Ok(Page { rows, total: 200, ..Page::default() })
    }
}

#[test]
fn a_page_that_is_throttled_is_asked_for_as_long_as_others_come() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // With eight pages under way and none taken before the one that is missing, others soon come no more.
    for (times, proven) in [(1, true), (usize::MAX, false)] {
        let source = Busy { throttled: Mutex::new(times) };
        let slice = Arc::new(Slice::whole(&"all".into(), Window::All, 20, 5));
        let (sender, mut incoming) = mpsc::channel(100);
        let feed = Feed::new("list".into(), sender, watch::channel(Arc::default()).1);
        let pages = Pages::of(&source);
        let (reading, error) = runtime.block_on(read(&pages, &slice, &feed, 1));
        assert_eq!((reading.proven(), error.is_none()), (proven, proven), "{error:?}");
        incoming.close();
    }
}
