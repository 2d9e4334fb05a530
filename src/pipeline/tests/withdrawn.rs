//! Of what is revoked or retired nothing is said any more, whatever waits and whoever is new.

use super::*;

const SECOND_ROOM: &str = r#"
[[channel]]
name = "room"
kind = "slack"
[[route]]
channels = ["ops", "room"]
"#;

/// Reads a certificate in a state, and returns what `ops` hears, all that waits included, where it listens.
async fn reads(bench: &mut Bench, status: Status, listens: bool) -> Vec<&'static str> {
    let sighting = Sighting { status, ..device("1", 5) };
    let page = Page { sightings: [sighting].into_iter().collect(), ..Page::default() };
    bench.scan_page(&slice("mqtt-1", Window::All), page, |_| true).await;
    bench.pipeline.decide().await.unwrap();
    bench.save().await;
    if !listens {
        return Vec::new();
    }
    deliver(&*bench.store, "ops").await.iter().map(Event::kind).collect()
}

#[tokio::test]
async fn what_waits_about_it_is_settled_and_comes_back_with_it() {
    for withdrawn in [Status::Revoked, Status::Retired] {
        let mut bench = Bench::new().await;
        reads(&mut bench, Status::Active, false).await;
        assert_eq!(reads(&mut bench, withdrawn, true).await, [""; 0]);
        bench.restart().await;
        assert_eq!(reads(&mut bench, withdrawn, true).await, [""; 0]);
        assert_eq!(reads(&mut bench, Status::Active, true).await, ["certificate.expiring"]);
        assert_eq!(reads(&mut bench, withdrawn, true).await, [""; 0]);
        assert_eq!(reads(&mut bench, Status::Active, true).await, [""; 0], "ops was told");
    }
}

#[tokio::test]
async fn a_channel_that_is_new_hears_nothing_of_it() {
    let mut bench = Bench::new().await;
    assert_eq!(reads(&mut bench, Status::Active, true).await, ["certificate.expiring"]);
    reads(&mut bench, Status::Revoked, true).await;
    let text = TEXT.replace("[[route]]\nchannels = [\"ops\"]\n", SECOND_ROOM);
    let settings = settings_of(&text, &["iot"]);
    bench.pipeline.handle(Command::Reconfigure(Box::new(settings))).await.unwrap();
    assert_eq!(reads(&mut bench, Status::Revoked, true).await, [""; 0]);
    assert_eq!(deliver(&*bench.store, "room").await, []);
}
