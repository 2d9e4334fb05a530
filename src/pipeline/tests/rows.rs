//! Rows that say less than is known.

use super::*;

#[tokio::test]
async fn a_certificate_never_loses_its_end_unless_it_waits_to_be_issued() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, vec![device("a", 300), device("b", 200)]).await;
    let without = |serial: &str, status| Sighting { status, not_after: None, ..device(serial, 0) };
    let sightings = vec![without("a", Status::Active), without("b", Status::Pending)];
    bench.scan(&all, sightings).await;
    bench.save().await;
    let ends: Vec<_> =
        bench.view.borrow().rows().map(|(_, row)| (row.not_after, row.status)).collect();
    assert_eq!(ends, [(Some(NOW.plus(300 * DAY)), Status::Active), (None, Status::Undated)]);
}

#[tokio::test]
async fn rejected_rows_are_no_proof_and_tell_the_last_error() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, vec![device("a", 300)]).await;
    let what = String::new();
    let rejected = vec![Rejected { reason: crate::expiry::Reason::BadField, what }];
    let page = Page { rejected, ..Page::default() };
    bench.apply(ScanEvent::Begin { slice: Arc::clone(&all) }).await;
    bench.apply(ScanEvent::Page { slice: Arc::clone(&all), page, offset: None }).await;
    let mut report = whole(&all, 1);
    (report.reading.unreadable, report.reading.unknown) = (1, 1);
    bench.apply(ScanEvent::End { report }).await;
    bench.apply(polled(None)).await;
    let status = bench.status("iot").unwrap();
    assert_eq!(status.up, Some(true));
    let problem = "mqtt-1: 1 of 1 rows could not be understood";
    assert_eq!(status.last_error.as_deref(), Some(problem));
}

/// A page whose sightings have a status that nobody knows.
fn of_unknown_status(sightings: Vec<Sighting>) -> Page {
    let digest =
        |one: &Sighting| crate::expiry::listed_digest(one.issuer.as_bytes(), one.serial.as_bytes());
    let unknown_status = sightings.iter().map(digest).collect();
    Page { sightings: sightings.into_iter().collect(), unknown_status, ..Page::default() }
}

#[tokio::test]
async fn a_status_that_we_do_not_know_changes_nothing_of_a_known_certificate() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    let of = |serial, status| Sighting { status, ..device(serial, 5) };
    let known = vec![
        of("a", Status::Revoked),
        of("b", Status::Inactive),
        of("c", Status::Active),
        Sighting { not_after: None, ..of("d", Status::Pending) },
    ];
    bench.scan(&all, known).await;
    // As sources read it: a word that they do not know is taken for active.
    let sightings: Vec<_> =
        ["a", "b", "c", "d", "e"].map(|serial| of(serial, Status::Active)).into();
    let page = of_unknown_status(sightings);
    bench.apply(ScanEvent::Page { slice: all, page, offset: None }).await;
    bench.save().await;
    let statuses: Vec<_> = bench.view.borrow().rows().map(|(_, row)| row.status).collect();
    let [revoked, inactive, active, pending, new] = statuses[..] else { panic!("{statuses:?}") };
    assert_eq!((revoked, inactive), (Status::Revoked, Status::Inactive));
    assert_eq!((active, pending), (Status::Active, Status::Pending));
    assert_eq!(new, Status::Active, "a new one must not be silent");
}

#[tokio::test]
async fn a_row_that_lost_its_issuer_is_the_certificate_whose_serial_and_holder_are_known() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    let under = |issuer: &str, sighting: Sighting| Sighting {
        issuer: issuer.into(),
        signer: issuer.into(),
        ..sighting
    };
    bench.scan(&all, vec![device("a", 5), under("other", device("b", 5))]).await;
    bench.pipeline.decide().await.unwrap();
    bench.restart().await;
    let before = bench.said().await.len();
    let lost = ["a", "b"].map(|serial| under("", device(serial, 5)));
    assert_eq!(bench.scan(&all, lost.to_vec()).await, [], "nothing is missing");
    // What else is new about it is taken all the same.
    let moved = Sighting { unit: "plant-7".into(), ..under("", device("a", 5)) };
    bench.scan(&all, vec![moved, under("", device("b", 5))]).await;
    bench.pipeline.decide().await.unwrap();
    bench.save().await;
    let known = bench.store.list(&ListQuery { limit: 9, ..ListQuery::default() }).await.unwrap();
    let known: Vec<_> =
        known.iter().map(|one| (one.serial.as_str(), one.issuer.as_str(), &*one.unit)).collect();
    assert_eq!(known, [("a", "ca", "plant-7"), ("b", "other", "")]);
    assert_eq!((bench.said().await.len(), before), (2, 2), "nothing is said again");
    // Another holder, or a serial that nobody has, is a new certificate.
    let elsewhere = Sighting { holder: "else".into(), ..under("", device("a", 5)) };
    bench.scan(&all, vec![elsewhere, under("", device("c", 5))]).await;
    bench.save().await;
    assert_eq!(bench.view.borrow().len(), 4);
}

#[tokio::test]
async fn a_row_that_lost_its_issuer_and_its_holder_is_the_one_that_an_authority_signed() {
    let mut bench = Bench::new().await;
    let (all, ca) =
        (slice("mqtt-1", Window::All), Sighting { kind: Kind::Ca, ..device("ca", 3000) });
    bench.scan(&all, vec![ca.clone(), device("a", 5)]).await;
    bench.save().await;
    let (issuer, holder) = (String::new(), String::new());
    let bare = Sighting { signer: String::new(), issuer, holder, ..device("a", 5) };
    assert_eq!(bench.scan(&all, vec![ca, bare]).await, [], "nothing is missing");
    bench.save().await;
    assert_eq!(bench.view.borrow().len(), 2);
}

#[tokio::test]
async fn a_row_that_may_be_one_certificate_or_another_is_neither() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    let of = |issuer: &str, holder: &str, days| Sighting {
        signer: issuer.into(),
        issuer: issuer.into(),
        holder: holder.into(),
        ..device("01", days)
    };
    let cas = ["ca1", "ca2"].map(|name| Sighting { kind: Kind::Ca, ..device(name, 3000) });
    let known = [of("ca1", "x", 5), of("ca2", "y", 300)];
    bench.scan(&all, cas.iter().chain(&known).cloned().collect()).await;
    bench.save().await;
    let ends = |bench: &Bench| {
        let view = bench.view.borrow();
        let mut ends: Vec<_> = view.rows().map(|(_, row)| row.not_after).collect();
        ends.sort_unstable();
        ends
    };
    let before = ends(&bench);
    let bare = [of("", "", 5), of("", "", 300)];
    bench.scan(&all, cas.iter().chain(&bare).cloned().collect()).await;
    bench.save().await;
    assert_eq!(ends(&bench), before, "the end tells which is which");
}

#[tokio::test]
async fn what_was_replaced_stays_replaced_while_its_row_or_its_successors_says_less() {
    for (older, newer) in [(true, false), (false, true), (true, true)] {
        let mut bench = Bench::new().await;
        let all = slice("mqtt-1", Window::All);
        let whole = |sighting: Sighting| Sighting {
            holder: "plant".into(),
            unit: "line-7".into(),
            ..sighting
        };
        let bare = |sighting: Sighting| Sighting {
            common_name: String::new(),
            holder: String::new(),
            ..sighting
        };
        let of = |sighting, is_whole| if is_whole { whole(sighting) } else { bare(sighting) };
        let rows = |older, newer| vec![of(device("a", 5), older), of(device("b", 300), newer)];
        bench.scan(&all, rows(true, true)).await;
        bench.pipeline.decide().await.unwrap();
        bench.restart().await;
        bench.scan(&all, rows(!older, !newer)).await;
        bench.pipeline.decide().await.unwrap();
        bench.save().await;
        assert_eq!(bench.said().await, [], "{older} {newer}");
        let known =
            bench.store.list(&ListQuery { limit: 9, ..ListQuery::default() }).await.unwrap();
        let known: Vec<_> =
            known.iter().map(|one| (one.status, &*one.holder, &*one.unit)).collect();
        let (plant, line) = ("plant", "line-7");
        assert_eq!(known, [(Status::Superseded, plant, line), (Status::Active, plant, line)]);
    }
}

#[tokio::test]
async fn a_listed_certificate_keeps_its_names_and_links_while_an_answer_lacks_them() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    let server = |serial: &str, days: i64, links: &[&str]| Sighting {
        kind: Kind::Server,
        names: vec!["a.example.com".to_owned()],
        successors: links.iter().map(|link| (*link).to_owned()).collect(),
        ..device(serial, days)
    };
    bench.scan(&all, vec![server("a", 5, &["b"]), server("b", 300, &[])]).await;
    bench.pipeline.decide().await.unwrap();
    let without = Sighting { names: Vec::new(), ..server("a", 5, &[]) };
    bench.scan(&all, vec![without, server("b", 300, &[])]).await;
    bench.pipeline.decide().await.unwrap();
    bench.save().await;
    assert_eq!(bench.said().await, []);
    let scope = bench.pipeline.inventory.find_scope("iot", "mqtt-1").unwrap();
    let row = bench.pipeline.inventory.find(scope, "ca", "a").unwrap();
    let kept = bench.store.kept(&[row]).await.unwrap().remove(0).unwrap();
    assert_eq!(
        (kept.names, kept.successors),
        (vec!["a.example.com".to_owned()], vec!["b".to_owned()])
    );
}
