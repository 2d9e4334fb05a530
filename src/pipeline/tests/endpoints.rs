//! Sources that look at endpoints: what is said of those that cannot be reached, and of what they serve.

use super::places::look;
use super::*;
use crate::expiry::{Condition, EndpointNews, Invalid, InvalidReason, Look, PlaceState};

use InvalidReason::{Expired, NameMismatch};
use PlaceState::{Broken, Missing, Read, Unreadable};

const HERE: &str = "a.test:443/a.test";

fn refused(state: PlaceState, reason: InvalidReason) -> Vec<Look> {
    let detail = format!("detail of {}", reason.as_str());
    let verdict = Some(Invalid { reason, detail });
    vec![Look { verdict, ..look(HERE, state) }, look("b.test:443/b.test", Read)]
}

fn plain(state: PlaceState) -> Vec<Look> {
    vec![look(HERE, state), look("b.test:443/b.test", Read)]
}

impl Bench {
    async fn of_endpoints() -> Self {
        let mut bench = Self::new().await;
        bench.pipeline.settings.watched[0].serves = true;
        bench
    }

    async fn restart_with_endpoints(&mut self) {
        self.restart().await;
        self.pipeline.settings.watched[0].serves = true;
    }

    /// Lets it be so many seconds after the beginning. Time stands still otherwise.
    fn at(&mut self, seconds: i64) {
        self.pipeline.parts.clock = Arc::new(SteadyClock::starting_at(NOW.plus(seconds)));
    }

    fn open(&self) -> Vec<Condition> {
        self.pipeline.checks.of_places("iot")
    }
}

#[tokio::test]
async fn an_endpoint_is_unreachable_after_three_polls_in_a_row_over_any_restarts() {
    let mut bench = Bench::of_endpoints().await;
    for (state, said) in [
        (Unreadable, 0),
        (Unreadable, 0),
        (Read, 0),
        (Unreadable, 0),
        (Unreadable, 0),
        (Unreadable, 1),
        (Unreadable, 1),
    ] {
        bench.look(plain(state)).await;
        assert_eq!(bench.kinds().await, vec!["endpoint.unreachable"; said]);
        assert!(bench.proven().await, "a dead host is no failed poll");
        bench.restart_with_endpoints().await;
    }
    assert_eq!(bench.serials().await.len(), 2, "what was served there is kept");
    bench.look(plain(Read)).await;
    bench.look(plain(Read)).await;
    let said = bench.said().await;
    let said: Vec<_> = said.iter().map(|event| (event.kind(), event.severity)).collect();
    let expected =
        [("endpoint.unreachable", Severity::Warning), ("endpoint.reachable", Severity::Info)];
    assert_eq!(said, expected);
    bench.restart_with_endpoints().await;
    assert_eq!(bench.open(), []);
}

#[tokio::test]
async fn an_outage_of_an_endpoint_has_an_id_of_its_own() {
    let mut bench = Bench::of_endpoints().await;
    for minutes in 0..2 {
        bench.at(60 * minutes);
        for state in [Unreadable, Unreadable, Unreadable, Read] {
            bench.look(plain(state)).await;
            bench.said().await;
        }
    }
    let ids: BTreeSet<_> = bench.said().await.into_iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn one_that_is_no_more_looked_at_is_not_said_to_be_reachable() {
    for gone in [vec![look("b.test:443/b.test", Read)], plain(Missing)] {
        let mut bench = Bench::of_endpoints().await;
        for _ in 0..3 {
            bench.look(refused(Unreadable, Expired)).await;
        }
        assert_eq!(bench.kinds().await, ["endpoint.unreachable"], "nothing was read to refuse");
        bench.look(gone).await;
        assert_eq!((bench.kinds().await, bench.open()), (vec!["endpoint.unreachable"], vec![]));
    }
}

#[tokio::test]
async fn a_verdict_is_said_once_and_again_when_it_is_another() {
    let mut bench = Bench::of_endpoints().await;
    let mut said = Vec::new();
    let polls = [
        (refused(Read, Expired), Some(Expired)),
        (refused(Read, Expired), None),
        (plain(Unreadable), None),
        (refused(Broken, Expired), None),
        (refused(Read, NameMismatch), Some(NameMismatch)),
        (plain(Read), None),
        (plain(Read), None),
        (refused(Read, NameMismatch), Some(NameMismatch)),
    ];
    for (minute, (looked, news)) in (0..).zip(polls) {
        bench.at(60 * minute);
        bench.look(looked).await;
        said.extend(news.map(|reason| (Severity::Critical, reason)));
        let heard = bench.said().await.into_iter().map(|event| match event.topic {
            Topic::Endpoint { news: EndpointNews::Invalid(invalid), .. } => {
                (event.severity, invalid.reason)
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(heard.collect::<Vec<_>>(), said);
        bench.restart_with_endpoints().await;
    }
}

#[tokio::test]
async fn what_is_in_order_again_before_it_was_heard_is_not_said() {
    let mut bench = Bench::of_endpoints().await;
    bench.look(refused(Read, Expired)).await;
    bench.look(plain(Read)).await;
    assert_eq!((bench.kinds().await, bench.open()), (vec![], vec![]));
}

#[tokio::test]
async fn an_endless_detail_of_the_far_side_is_cut() {
    let mut bench = Bench::of_endpoints().await;
    let detail = "x".repeat(100_000);
    let verdict = Some(Invalid { reason: Expired, detail });
    bench.look(vec![Look { verdict, ..look(HERE, Read) }]).await;
    let said = bench.said().await;
    let Topic::Endpoint { news: EndpointNews::Invalid(invalid), .. } = &said[0].topic else {
        panic!("one is said");
    };
    assert_eq!(invalid.detail.chars().count(), 500);
}

#[tokio::test]
async fn a_source_that_becomes_another_kind_leaves_no_condition_behind() {
    let mut bench = Bench::of_endpoints().await;
    for _ in 0..3 {
        bench.look(plain(Unreadable)).await;
    }
    bench.look(refused(Read, Expired)).await;
    assert_eq!(bench.open().len(), 1);
    bench.pipeline.settings.watched[0].serves = false;
    bench.look(vec![look("/a", Unreadable), look("/b", Read)]).await;
    assert_eq!(bench.open(), [Condition::Place("iot".into(), "/a".into())]);
    bench.pipeline.settings.watched[0].serves = true;
    bench.look(plain(Read)).await;
    assert_eq!(bench.open(), []);
}
