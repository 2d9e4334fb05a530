//! What looks renewed is said when two readings in a row show it, and nothing before.

use super::*;

/// A certificate of one device.
fn pump(serial: &str, days: i64) -> Sighting {
    Sighting { holder: "pump".into(), ..device(serial, days) }
}

fn devices() -> Arc<Slice> {
    slice("mqtt-1", Window::All)
}

impl Bench {
    /// Reads these whole, has the provider asked for what is missing, and decides.
    async fn reads(&mut self, sightings: Vec<Sighting>) {
        let slice = devices();
        let page = Page { sightings: sightings.into_iter().collect(), ..Page::default() };
        self.scan_page(&slice, page, |_| false).await;
        self.pipeline.decide().await.unwrap();
        self.save().await;
    }

    /// What `ops` has heard since the last time, all that waits included.
    async fn hears(&self) -> Vec<&'static str> {
        deliver(&*self.store, "ops").await.iter().map(Event::kind).collect()
    }
}

#[tokio::test]
async fn a_successor_is_said_when_two_readings_show_it() {
    let mut bench = Bench::new().await;
    bench.reads(vec![pump("1", 5)]).await;
    assert_eq!(bench.hears().await, ["certificate.expiring"]);
    bench.reads(vec![pump("1", 5), pump("2", 300)]).await;
    assert_eq!(bench.hears().await, [""; 0]);
    // What the same reading shows again counts once.
    bench.pipeline.decide().await.unwrap();
    bench.reads(vec![pump("1", 5)]).await;
    assert_eq!(bench.hears().await, [""; 0], "it is not shown");
    bench.reads(vec![pump("1", 5), pump("2", 300)]).await;
    assert_eq!(bench.hears().await, ["certificate.renewed"]);
    bench.reads(vec![pump("1", 5), pump("2", 300)]).await;
    assert_eq!(bench.hears().await, [""; 0]);
}

#[tokio::test]
async fn one_that_goes_when_its_successor_comes_is_renewed_and_not_gone() {
    let mut bench = Bench::new().await;
    bench.reads(vec![pump("1", 5), device("x", 300)]).await;
    assert_eq!(bench.hears().await, ["certificate.expiring"]);
    for heard in [&[][..], &["certificate.renewed"], &[]] {
        bench.reads(vec![pump("2", 300), device("x", 300)]).await;
        assert_eq!(bench.hears().await, heard);
    }
    assert_eq!(bench.serials().await, ["x", "2"]);
}

#[tokio::test]
async fn a_place_whose_new_certificate_only_the_confirming_reading_shows_waits_for_the_next() {
    let mut bench = Bench::new().await;
    let at = |serial: &str, days| Sighting {
        kind: Kind::Server,
        place: "/a".into(),
        names: vec!["a.test".into()],
        ..device(serial, days)
    };
    let slice = Arc::new(Slice { kind: Some(Kind::Server), ..Slice::clone(&devices()) });
    let read = async |bench: &mut Bench, sightings: Vec<Sighting>| {
        let missing = bench.scan(&slice, sightings).await;
        let absent = missing.into_iter().map(|one| one.row).collect();
        let (present, unasked) = (Vec::new(), Vec::new());
        let asked = Arc::clone(&slice);
        bench.apply(ScanEvent::Asked { slice: asked, absent, present, unasked }).await;
        bench.pipeline.decide().await.unwrap();
        bench.save().await;
        bench.hears().await
    };
    let other = || Sighting { place: "/b".into(), names: vec!["b.test".into()], ..at("x", 300) };
    assert_eq!(read(&mut bench, vec![at("1", 5), other()]).await, ["certificate.expiring"]);
    assert_eq!(read(&mut bench, vec![other()]).await, [""; 0]);
    assert_eq!(read(&mut bench, vec![other(), at("2", 300)]).await, [""; 0]);
    assert_eq!(read(&mut bench, vec![other(), at("2", 300)]).await, ["certificate.renewed"]);
    assert_eq!(bench.serials().await, ["x", "2"]);
}

#[tokio::test]
async fn what_swings_between_two_ends_is_said_when_it_stays() {
    let mut bench = Bench::new().await;
    bench.reads(vec![device("1", 5)]).await;
    assert_eq!(bench.hears().await, ["certificate.expiring"]);
    for _ in 0..3 {
        // The later end is on a rung as well: nothing is said of it yet.
        bench.reads(vec![device("1", 20)]).await;
        assert_eq!(bench.hears().await, [""; 0]);
        bench.reads(vec![device("1", 5)]).await;
        assert_eq!(bench.hears().await, [""; 0]);
    }
    bench.reads(vec![device("1", 20)]).await;
    bench.reads(vec![device("1", 20)]).await;
    assert_eq!(bench.hears().await, ["certificate.renewed", "certificate.expiring"]);
    bench.reads(vec![device("1", 10)]).await;
    assert_eq!(bench.hears().await, ["certificate.expiring"], "a sooner end is no renewal");
}

#[tokio::test]
async fn what_looks_renewed_outlives_a_restart_and_a_clock_that_is_not_trusted() {
    let mut bench = Bench::new().await;
    bench.reads(vec![pump("1", 5), device("2", 5)]).await;
    assert_eq!(bench.hears().await.len(), 2);
    bench.pipeline.checks.distrust();
    let renewed = || vec![pump("1", 5), pump("3", 300), device("2", 400)];
    let page = Page { sightings: renewed().into_iter().collect(), ..Page::default() };
    bench.apply(ScanEvent::Page { slice: devices(), page, offset: None }).await;
    bench.restart().await;
    assert_eq!(bench.hears().await, [""; 0]);
    bench.reads(renewed()).await;
    assert_eq!(bench.hears().await, ["certificate.renewed", "certificate.renewed"]);
    bench.restart().await;
    bench.reads(renewed()).await;
    assert_eq!(bench.hears().await, [""; 0]);
}

#[tokio::test]
async fn what_waits_is_not_sent_while_it_looks_renewed_and_is_said_when_it_is_not() {
    let mut bench = Bench::new().await;
    bench.reads(vec![pump("1", 5), device("2", 5)]).await;
    bench.reads(vec![pump("1", 5), pump("3", 300), device("2", 400)]).await;
    assert_eq!(bench.store.pending("ops", 9).await.unwrap(), []);
    let revoked = Sighting { status: Status::Revoked, ..pump("3", 300) };
    bench.reads(vec![pump("1", 5), revoked, device("2", 5)]).await;
    assert_eq!(bench.hears().await, ["certificate.expiring", "certificate.expiring"]);
    // Nobody heard of it before it is renewed.
    bench.reads(vec![pump("1", 5), device("2", 5), device("4", 5)]).await;
    for _ in 0..2 {
        bench.reads(vec![pump("1", 5), device("2", 5), device("4", 400)]).await;
    }
    assert_eq!(bench.hears().await, [""; 0]);
}
