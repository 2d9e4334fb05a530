//! Sources that look at places: what is kept, removed and said.

use super::*;
use crate::expiry::{Look, PlaceState};
use crate::source::Places;

pub(super) fn files() -> Arc<Slice> {
    Arc::new(Slice::whole(&"all".into(), Window::All, u64::MAX, 0))
}

fn at(place: &str) -> Sighting {
    let fingerprint = Some([7; 32]);
    Sighting { place: place.to_owned(), fingerprint, kind: Kind::Server, ..device(place, 300) }
}

pub(super) fn look(place: &str, state: PlaceState) -> Look {
    let why = if state == PlaceState::Read { String::new() } else { state.as_str().to_owned() };
    Look::of(place.to_owned(), state, why)
}

impl Bench {
    /// Tells of a scan that saw these places, as the source does.
    pub(super) async fn look(&mut self, looked: Vec<Look>) {
        let read = looked.iter().filter(|look| look.state == PlaceState::Read);
        let sightings = read.map(|look| at(&look.place)).collect();
        self.look_and_see(looked, sightings).await;
    }

    pub(super) async fn look_and_see(&mut self, looked: Vec<Look>, sightings: Vec<Sighting>) {
        let slice = files();
        let sightings = sightings.into_iter().collect();
        let places = Some(Places { looked, ..Places::default() });
        let page = Page { sightings, places, ..Page::default() };
        self.scan_page(&slice, page, |_| false).await;
        self.apply(polled(None)).await;
        self.save().await;
    }

    pub(super) async fn proven(&self) -> bool {
        self.store.scans().await.unwrap()[0].proven
    }
}

use PlaceState::{Broken, Missing, Read, Unreadable};

#[tokio::test]
async fn an_unreadable_place_keeps_what_it_held_while_what_was_deleted_goes() {
    let mut bench = Bench::new().await;
    bench.look(vec![look("/a", Read), look("/b", Read), look("/c", Read)]).await;
    for _ in 0..3 {
        bench.look(vec![look("/a", Unreadable), look("/c", Read)]).await;
        assert!(bench.proven().await);
    }
    assert_eq!(bench.serials().await, ["/a", "/c"]);
    assert_eq!(bench.kinds().await, ["place.unreadable"]);
    bench.look(vec![look("/a", Read), look("/c", Read)]).await;
    assert_eq!(bench.kinds().await, ["place.unreadable", "place.readable"]);
}

#[tokio::test]
async fn a_file_that_holds_no_certificate_keeps_no_deleted_one() {
    let mut bench = Bench::new().await;
    bench.look(vec![look("/a", Read), look("/b", Read), look("/text", Broken)]).await;
    for _ in 0..2 {
        bench.look(vec![look("/b", Read), look("/text", Broken)]).await;
    }
    assert_eq!((bench.serials().await, bench.kinds().await), (vec!["/b".to_owned()], vec![]));
}

#[tokio::test]
async fn a_place_that_broke_is_said_until_it_shows_what_is_known() {
    let mut bench = Bench::new().await;
    bench.look(vec![look("/a", Read), look("/b", Read)]).await;
    for _ in 0..3 {
        bench.look(vec![look("/a", Broken), look("/b", Read)]).await;
    }
    assert_eq!(bench.serials().await, ["/a", "/b"]);
    assert_eq!(bench.kinds().await, ["place.unreadable"]);
    // Another entry of the bundle is broken still: what is known of it is there.
    bench.look_and_see(vec![look("/a", Broken), look("/b", Read)], vec![at("/a"), at("/b")]).await;
    bench.look(vec![look("/a", Read), look("/b", Read)]).await;
    assert_eq!(bench.kinds().await, ["place.unreadable", "place.readable"]);
}

#[tokio::test]
async fn a_folder_is_one_place_and_readable_when_something_in_it_is() {
    let mut bench = Bench::new().await;
    let folder = || Look { covers_below: true, ..look("/live", Unreadable) };
    bench.look(vec![look("/live/a", Read), look("/live/b", Read), look("/x", Read)]).await;
    for _ in 0..3 {
        bench.look(vec![folder(), look("/x", Read)]).await;
    }
    assert_eq!(bench.serials().await, ["/live/a", "/live/b", "/x"]);
    assert_eq!(bench.kinds().await, ["place.unreadable"]);
    bench.restart().await;
    bench.look(vec![look("/live/a", Read), look("/live/b", Read), look("/x", Read)]).await;
    assert_eq!(bench.kinds().await, ["place.unreadable", "place.readable"]);
}

#[tokio::test]
async fn a_place_that_is_no_more_there_is_not_said_to_be_readable() {
    let mut bench = Bench::new().await;
    bench.look(vec![look("/a", Unreadable), look("/b", Unreadable), look("/c", Read)]).await;
    assert_eq!(bench.kinds().await, ["place.unreadable", "place.unreadable"]);
    bench.look(vec![look("/a", Missing), look("/c", Read)]).await;
    assert_eq!(bench.kinds().await, ["place.unreadable", "place.unreadable"]);
    assert_eq!(bench.pipeline.checks.of_places("iot"), []);
    bench.restart().await;
    assert_eq!(bench.pipeline.checks.of_places("iot"), []);
}

#[tokio::test]
async fn a_source_that_lost_sight_of_many_places_is_not_proven_and_names_the_first() {
    let mut bench = Bench::new().await;
    let all = |lost: usize| {
        let state = |number| if number < lost { Unreadable } else { Read };
        (0..30).map(|number| look(&format!("/{number:02}"), state(number))).collect::<Vec<_>>()
    };
    for (lost, proven) in [(0, true), (20, true), (21, false), (30, false)] {
        bench.look(all(lost)).await;
        assert_eq!(bench.proven().await, proven, "{lost} of 30");
        assert_eq!(bench.serials().await.len(), 30);
    }
    let status = bench.status("iot").unwrap();
    let error = "all: 30 of 30 places that hold certificates cannot be read";
    assert_eq!(status.last_error.as_deref(), Some(error));
    assert_eq!((status.problems.len(), &*status.problems[9]), (10, "/09: unreadable"));
}
