//! Scopes and windows: listed, read, and gone.

use super::*;

#[tokio::test]
async fn a_scope_that_is_not_listed_is_asked_for_and_goes_when_it_is_absent_twice() {
    let mut bench = Bench::new().await;
    for scope in ["mqtt-1", "mqtt-2"] {
        let serials = ["a", "b"].map(|serial| format!("{scope} {serial}"));
        let devices = serials.iter().map(|serial| device(serial, 300)).collect();
        bench.scan(&slice(scope, Window::All), devices).await;
    }
    assert_eq!(bench.listed(&["mqtt-1", "mqtt-2"]).await, []);
    let ask = bench.listed(&["mqtt-1"]).await;
    let ask: Vec<_> = ask.iter().map(|(scope, one)| (&**scope, one.serial.as_str())).collect();
    assert_eq!(ask, [("mqtt-2", "mqtt-2 a")]);
    bench.absent("mqtt-2").await;
    assert_eq!((bench.serials().await.len(), bench.kinds().await), (4, vec!["inventory.shrunk"]));
    // Listed again in between: the next time is the first.
    bench.listed(&["mqtt-1", "mqtt-2"]).await;
    bench.absent("mqtt-2").await;
    assert_eq!(bench.serials().await.len(), 4);
    bench.absent("mqtt-2").await;
    assert_eq!(bench.serials().await, ["mqtt-1 a", "mqtt-1 b"]);
    assert_eq!(bench.kinds().await, ["inventory.shrunk", "inventory.restored"]);
    let scans = bench.store.scans().await.unwrap();
    assert_eq!(scans.iter().map(|scan| scan.scope.as_str()).collect::<Vec<_>>(), ["mqtt-1"]);
    assert_eq!(bench.view.borrow().len(), 2);
}

#[tokio::test]
async fn an_empty_scope_that_is_not_listed_is_forgotten_without_asking() {
    let mut bench = Bench::new().await;
    bench.scan(&slice("mqtt-1", Window::All), vec![]).await;
    bench.save().await;
    assert_eq!(bench.store.scans().await.unwrap().len(), 1);
    assert_eq!(bench.listed(&[]).await, []);
    bench.save().await;
    assert_eq!(bench.store.scans().await.unwrap(), []);
    assert_eq!(bench.kinds().await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_failed_scan_keeps_the_counts_of_the_last_answer() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, vec![device("a", 300), device("b", 300)]).await;
    let mut failed = whole(&all, 0);
    failed.error = Some("mqtt-1: timed out".to_owned());
    failed.ended = NOW.plus(60);
    assert_eq!(bench.read(&all, vec![], failed).await, []);
    bench.restart().await;
    let scan = bench.store.scans().await.unwrap().remove(0);
    assert_eq!((scan.reported, scan.collected, scan.proven), (2, 2, false));
    assert_eq!((scan.last_proven, scan.ended), (Some(NOW.plus(5)), NOW.plus(60)));
    assert_eq!(scan.error.as_deref(), Some("mqtt-1: timed out"));
    let status = bench.status("iot").unwrap().scans[0].clone();
    assert_eq!((status.reported, status.last_proven), (Some(2), Some(NOW.plus(5))));
}

#[tokio::test]
async fn a_window_was_read_when_the_part_that_was_read_longest_ago_was() {
    let mut bench = Bench::new().await;
    let last = async |bench: &mut Bench| {
        bench.save().await;
        let scans = bench.store.scans().await.unwrap();
        last_reads(&scans).get("iot").copied().unwrap_or_default()
    };
    assert_eq!(last(&mut bench).await, LastRead::default());
    let near = Window::Near { from: NOW, to: NOW.plus(45 * DAY) };
    for (scope, window, ended) in
        [("mqtt-1", near, 50), ("mqtt-2", near, 40), ("mqtt-1", Window::All, 30)]
    {
        let slice = slice(scope, window);
        let report = Report { ended: NOW.plus(ended), ..whole(&slice, 0) };
        bench.read(&slice, vec![], report).await;
    }
    let expected = LastRead { near: Some(NOW.plus(40)), all: Some(NOW.plus(30)) };
    assert_eq!(last(&mut bench).await, expected);
    // A part that is planned and was never answered for: the window was not read.
    let slices = vec![slice("mqtt-3", Window::All)];
    bench.apply(ScanEvent::Planned { window: Window::All, slices }).await;
    assert_eq!(last(&mut bench).await, LastRead { all: None, ..expected });
    bench.restart().await;
    assert_eq!(last(&mut bench).await, LastRead { all: None, ..expected });
}

#[tokio::test]
async fn a_source_that_is_not_configured_any_more_is_dropped_without_a_word() {
    let mut bench = Bench::new().await;
    bench.scan(&slice("mqtt-1", Window::All), vec![device("a", 300)]).await;
    bench.apply(noted("mqtt-1", "k")).await;
    bench.save().await;
    bench.pipeline.handle(Command::Reconfigure(Box::new(settings(&["else"])))).await.unwrap();
    bench.save().await;
    assert_eq!((bench.serials().await, bench.kinds().await), (vec![], vec![]));
    assert_eq!(bench.store.scans().await.unwrap(), []);
    assert_eq!(bench.store.checkpoints("iot").await.unwrap(), []);
    assert!(bench.status("else").is_some());
    assert!(bench.status("iot").is_none());
}
