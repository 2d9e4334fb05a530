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
