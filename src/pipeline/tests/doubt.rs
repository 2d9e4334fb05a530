//! Lists that leave out what is there, and removals that are held.

use super::*;

/// Who answers a point read.
type Has = fn(&str) -> bool;

impl Bench {
    /// Tells of a whole scan, in which the provider is asked for what is missing and has those that `has` tells.
    async fn scan_and_ask(&mut self, slice: &Arc<Slice>, sightings: Vec<Sighting>, has: Has) {
        let page = Page { sightings: sightings.into_iter().collect(), ..Page::default() };
        self.scan_page(slice, page, has).await;
        self.save().await;
    }

    async fn unlisted(&self) -> Vec<u64> {
        let said = self.said().await;
        let unlisted = said.iter().filter_map(|event| match event.topic {
            Topic::InventoryContradicts { unlisted, .. } => Some(unlisted),
            _ => None,
        });
        unlisted.collect()
    }
}

fn devices(serials: &[&str]) -> Vec<Sighting> {
    serials.iter().map(|serial| device(serial, 300)).collect()
}

#[tokio::test]
async fn a_list_that_omits_what_point_reads_find_is_reported_once_until_it_shows_it() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    let everything = ["a", "b", "c", "d"];
    bench.scan_and_ask(&all, devices(&everything), |_| true).await;
    for said in [vec![], vec!["inventory.contradicts"], vec!["inventory.contradicts"]] {
        bench.scan_and_ask(&all, devices(&["c", "d"]), |_| true).await;
        assert_eq!(bench.kinds().await, said);
    }
    // One of them is shown again, the other is not.
    bench.scan_and_ask(&all, devices(&["b", "c", "d"]), |_| true).await;
    bench.restart().await;
    for _ in 0..2 {
        bench.scan_and_ask(&all, devices(&["b", "c", "d"]), |_| true).await;
    }
    assert_eq!(
        bench.kinds().await,
        ["inventory.contradicts"],
        "a restart neither repeats nor ends it"
    );
    bench.scan_and_ask(&all, devices(&everything), |_| true).await;
    assert_eq!(bench.kinds().await, ["inventory.contradicts", "inventory.consistent"]);
    assert_eq!((bench.unlisted().await, bench.serials().await.len()), (vec![2], 4));
}

#[tokio::test]
async fn a_list_that_omits_all_that_point_reads_find_never_alternates() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan_and_ask(&all, devices(&["a", "b"]), |_| true).await;
    let expected = ["inventory.shrunk", "inventory.contradicts"];
    for round in 0..6 {
        bench.scan_and_ask(&all, vec![], |_| true).await;
        if round == 3 {
            bench.restart().await;
        }
        assert_eq!(bench.kinds().await, expected[..2.min(round + 1)], "round {round}");
    }
    bench.scan_and_ask(&all, devices(&["a", "b"]), |_| true).await;
    let over = [&expected[..], &["inventory.consistent"]].concat();
    assert_eq!(bench.kinds().await, over, "what was missing was never gone, nor restored");
}

#[tokio::test]
async fn what_is_gone_for_good_is_worded_as_gone_and_never_as_restored() {
    let mut bench = Bench::new().await;
    let all = slice("all", Window::All);
    bench.scan_and_ask(&all, devices(&["a", "b", "c", "d", "e"]), |_| true).await;
    for _ in 0..4 {
        bench.scan_and_ask(&all, vec![], |_| false).await;
        bench.kinds().await;
    }
    let said = bench.said().await;
    let accepted: Vec<_> = said
        .iter()
        .filter_map(|event| match event.topic {
            Topic::InventoryRestored { accepted, .. } => Some(accepted),
            _ => None,
        })
        .collect();
    assert_eq!(accepted, [Some(crate::expiry::Accepted { known: 5, missing: 5 })]);
    assert_eq!(bench.kinds().await, ["inventory.shrunk", "inventory.restored"]);
    assert_eq!(bench.serials().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_came_back_after_a_freeze_is_restored_and_nothing_is_gone() {
    let mut bench = Bench::new().await;
    let all = slice("all", Window::All);
    bench.scan_and_ask(&all, devices(&["a", "b"]), |_| true).await;
    bench.scan_and_ask(&all, vec![], |_| false).await;
    assert_eq!(bench.kinds().await, ["inventory.shrunk"]);
    bench.scan_and_ask(&all, devices(&["a", "b"]), |_| true).await;
    let said = bench.said().await;
    let restored = said.last().map(|event| event.topic.clone());
    let (source, scope) = ("iot".to_owned(), "all".to_owned());
    assert_eq!(restored, Some(Topic::InventoryRestored { source, scope, accepted: None }));
}

/// Two certificates: one that expires soon, and one that does not.
fn soon_and_late() -> Vec<Sighting> {
    vec![device("a", 5), device("b", 300)]
}

impl Bench {
    /// Scans, asks for what is missing, and decides. Answers with what waits for `ops`.
    async fn then_waits(&mut self, sightings: Vec<Sighting>) -> Vec<&'static str> {
        let slice = slice("mqtt-1", Window::All);
        self.scan_and_ask(&slice, sightings, |_| false).await;
        self.pipeline.decide().await.unwrap();
        self.save().await;
        let waiting = self.store.pending("ops", 100).await.unwrap();
        waiting.iter().map(|one| one.event.kind()).collect()
    }
}

#[tokio::test]
async fn what_waits_is_held_while_what_it_is_about_is_missing() {
    let late = || vec![device("b", 300)];
    for restarts in [false, true] {
        let mut bench = Bench::new().await;
        assert_eq!(bench.then_waits(soon_and_late()).await, ["certificate.expiring"]);
        assert_eq!(bench.then_waits(late()).await, [""; 0]);
        if restarts {
            bench.restart().await;
            bench.pipeline.decide().await.unwrap();
            bench.save().await;
            assert_eq!(bench.store.pending("ops", 9).await.unwrap(), [], "a start tells nothing");
        }
        assert_eq!(bench.then_waits(soon_and_late()).await, ["certificate.expiring"]);
        assert_eq!(bench.then_waits(late()).await, [""; 0]);
        if restarts {
            bench.restart().await;
        }
        assert_eq!(bench.then_waits(late()).await, [""; 0], "nobody heard of it");
        assert_eq!(bench.serials().await, ["b"]);
        let conditions = bench.store.saved().await.unwrap().conditions;
        assert!(!conditions.iter().any(|(key, _)| missed::is_key(key)), "{conditions:?}");
    }
}

#[tokio::test]
async fn who_was_told_hears_that_it_is_gone_and_who_was_not_hears_when_it_is_back() {
    let mut bench = Bench::new().await;
    bench.then_waits(soon_and_late()).await;
    assert_eq!(deliver(&*bench.store, "ops").await.len(), 1);
    assert_eq!(bench.then_waits(vec![device("b", 300)]).await, [""; 0]);
    assert_eq!(bench.then_waits(soon_and_late()).await, [""; 0], "it was told before");
    assert_eq!(bench.then_waits(vec![device("b", 300)]).await, [""; 0]);
    assert_eq!(bench.then_waits(vec![device("b", 300)]).await, ["certificate.gone"]);
}

#[tokio::test]
async fn what_waits_is_held_while_its_scope_is_not_listed() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.then_waits(soon_and_late()).await, ["certificate.expiring"]);
    bench.apply(ScanEvent::ScopesAsked { absent: vec!["mqtt-1".into()] }).await;
    bench.pipeline.decide().await.unwrap();
    bench.save().await;
    let waiting = bench.store.pending("ops", 9).await.unwrap();
    let waiting: Vec<_> = waiting.iter().map(|one| one.event.kind()).collect();
    assert_eq!(waiting, ["inventory.shrunk"]);
    let (unlisted, _answer) = oneshot::channel();
    let scopes = BTreeSet::from(["mqtt-1".into()]);
    bench.apply(ScanEvent::Listed { scopes, unlisted }).await;
    let again = bench.then_waits(soon_and_late()).await;
    assert!(again.contains(&"certificate.expiring"), "{again:?}");
}

#[tokio::test]
async fn nothing_is_said_of_what_is_missing_until_the_next_scan_tells_whether_it_is_gone() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan_and_ask(&all, vec![device("a", 5), device("b", 300)], |_| true).await;
    bench.scan_and_ask(&all, vec![device("b", 300)], |_| false).await;
    for _ in 0..2 {
        bench.pipeline.decide().await.unwrap();
        bench.save().await;
        assert_eq!(bench.kinds().await, Vec::<&str>::new(), "it was not there when asked for");
    }
    bench.scan_and_ask(&all, vec![device("a", 5), device("b", 300)], |_| true).await;
    bench.pipeline.decide().await.unwrap();
    bench.save().await;
    assert_eq!(bench.kinds().await, ["certificate.expiring"], "it is there after all");
}
