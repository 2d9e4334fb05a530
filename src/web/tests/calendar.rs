//! `/calendar.ics`.

use super::super::limits::Limits;
use super::access::{Files, authorization, users};
use super::client::{Server, start};
use crate::expiry::Status;
use crate::metrics::testing::Known;

const DAY: i64 = 86_400;

#[tokio::test]
async fn a_day_of_a_source_is_one_event() {
    let known = [
        Known::new("s", "all", "0a").names("a;b.example", "", "").ends_in(9 * DAY + 60),
        Known::new("s", "x", "0b").names("c.example", "", "").ends_in(9 * DAY + 30),
        Known::new("t", "all", "0c").names("d.example", "", "").ends_in(9 * DAY),
        Known::new("t", "all", "0d").names("far.example", "", "").ends_in(9000 * DAY),
        Known::new("t", "all", "0e").names("off.example", "", "").status(Status::Revoked),
        Known::new("t", "all", "0f").undated(),
    ];
    let server = start(&known, Limits::default()).await;
    let answer = server.get("/calendar.ics").await;
    assert_eq!(answer.header("content-type"), Some("text/calendar; charset=utf-8"));
    let text = answer.text().replace("\r\n ", "");
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 2, "{text}");
    for part in [
        "SUMMARY:2 certificates expire (s)\r\n",
        "SUMMARY:d.example expires (t)\r\n",
        "DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261202\r\n",
        "c.example  0b\\n2026-12-01 00:01 UTC  a\\;b.example  0a\r\n",
        // What is ahead of the ladder 30d 14d 7d 3d 1d expired.
        "TRIGGER;VALUE=DATE-TIME:20261128T000000Z\r\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let ids = |text: &str| {
        let ids = text.lines().filter(|line| line.starts_with("UID:"));
        ids.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(&text).len(), 2);
    let of_one = server.get("/calendar.ics?source=t&status=&limit=1").await;
    assert!(ids(of_one.text()).is_subset(&ids(&text)), "{}", of_one.text());
    assert_eq!(ids(of_one.text()).len(), 1);
    let revoked = server.get("/calendar.ics?status=revoked").await;
    assert!(revoked.text().contains("off.example"), "{}", revoked.text());
    assert_eq!(server.get("/calendar.ics?status=odd").await.status, 400);
}

/// Returns the address of the calendar on a page.
async fn address(server: &Server, page: &str, who: &str) -> String {
    let shown = server.ask(&format!("GET {page}"), &[who]).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    let (_, rest) =
        shown.text().split_once("href=\"/calendar.ics").expect("a link to the calendar");
    format!("/calendar.ics{}", rest.split('"').next().unwrap().replace("&amp;", "&"))
}

#[tokio::test]
async fn a_user_has_an_address_that_needs_no_password() {
    let files = Files::new();
    let known = [
        Known::new("s", "all", "0a").names("a.example", "", "").ends_in(9 * DAY),
        Known::new("t", "all", "0b").names("b.example", "", "").ends_in(9 * DAY),
    ];
    let server = files.start_knowing(&users("sesame"), &known).await;
    let ali = authorization("ali:sesame");
    assert_eq!(server.get("/calendar.ics").await.status, 401);
    let (all, one) = (
        address(&server, "/certificates", &ali).await,
        address(&server, "/certificates?source=s&sort=source", &ali).await,
    );
    let text = server.get(&all).await;
    assert_eq!((text.status, text.header("referrer-policy")), (200, Some("no-referrer")));
    assert!(text.text().contains("a.example") && text.text().contains("b.example"));
    let of_one = server.get(&one).await;
    assert_eq!(of_one.status, 200);
    assert!(!of_one.text().contains("b.example"), "{}", of_one.text());
    // The secret is for this view and this path.
    let secret = one.split("token=").nth(1).unwrap();
    assert!(!all.contains(secret));
    for other in ["/calendar.ics?", "/calendar.ics?source=t&", "/calendar.ics?source=s&q=x&"] {
        let refused = server.get(&format!("{other}token={secret}")).await;
        assert_eq!(refused.status, 403, "{other}");
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        assert!(!refused.text().contains(secret));
    }
    for path in ["/certificates", "/metrics", "/api/v1/certificates", "/-/healthy", "/snoozes"] {
        assert_eq!(server.get(&format!("{path}?source=s&token={secret}")).await.status, 401);
    }
    let post = server.ask(&format!("POST {one}"), &[]).await;
    assert_eq!(post.status, 405);
}

#[tokio::test]
async fn the_address_ends_with_the_password() {
    let files = Files::new();
    let server = files.start(&users("sesame")).await;
    let address = address(&server, "/certificates", &authorization("ali:sesame")).await;
    assert_eq!(server.get(&address).await.status, 200);
    let other = if address.ends_with('A') { "B" } else { "A" };
    for wrong in [format!("{address}A"), address.split_at(address.len() - 1).0.to_owned() + other] {
        assert_eq!(server.get(&wrong).await.status, 403, "{wrong}");
    }
    for wrong in ["", "x", "=", "%ff", "AAAA"] {
        assert_eq!(
            server.get(&format!("/calendar.ics?token={wrong}")).await.status,
            403,
            "{wrong}"
        );
    }
    files.write(&users("other"));
    assert_eq!(server.get(&address).await.status, 403);
    files.write(&users("other").replace("ali", "baba"));
    assert_eq!(server.get(&address).await.status, 403);
}

#[tokio::test]
async fn where_everybody_may_read_the_address_has_no_secret() {
    let server = start(&[], Limits::default()).await;
    let address = address(&server, "/certificates?source=s", "accept: */*").await;
    assert_eq!(address, "/calendar.ics?source=s");
    assert_eq!(server.get("/calendar.ics?source=s&token=x").await.status, 200);
}

/// Returns what is answered to who asks where the calendar is.
fn told(answer: &super::client::Answer) -> (u16, serde_json::Value) {
    (answer.status, serde_json::from_str(answer.text()).unwrap())
}

#[tokio::test]
async fn where_the_calendar_is_is_told_to_a_user_and_on_the_socket() {
    let files = Files::new();
    let server = files.start(&users("sesame")).await;
    let ali = authorization("ali:sesame");
    let shown = address(&server, "/certificates?source=s", &ali).await;
    let path = "/api/v1/calendar?sort=source&format=csv&source=s";
    let own = server.ask(&format!("GET {path}"), &[&ali]).await;
    let expected = serde_json::json!({"address": shown, "user": "ali"});
    assert_eq!(told(&own), (200, expected.clone()));
    assert_eq!(own.header("cache-control"), Some("no-store"));
    for asked in [path.to_owned(), format!("{path}&user=ali")] {
        assert_eq!(told(&server.command(&format!("GET {asked}")).await), (200, expected.clone()));
    }
    assert_eq!(server.get(path).await.status, 401);
    let another = server.ask(&format!("GET {path}&user=baba"), &[&ali]).await;
    assert_eq!(told(&another).0, 403, "another's address outlives what this one may");
    let (status, why) = told(&server.command("GET /api/v1/calendar?user=baba").await);
    assert_eq!((status, &why["detail"]), (404, &"no user has this name (known: ali)".into()));
    assert_eq!(server.command("GET /api/v1/calendar?status=odd").await.status, 400);

    files.write(&(users("sesame") + users("x").replace("ali", "baba").split_once('\n').unwrap().1));
    let (status, why) = told(&server.command("GET /api/v1/calendar").await);
    assert_eq!(status, 422, "{why}");
    assert!(why["detail"].as_str().unwrap().contains("(known: ali, baba)"), "{why}");
    let (_, of_baba) = told(&server.command("GET /api/v1/calendar?user=baba").await);
    assert_eq!(server.get(of_baba["address"].as_str().unwrap()).await.status, 200);
}

#[tokio::test]
async fn where_everybody_may_read_it_is_told_without_a_secret() {
    let server = start(&[], Limits::default()).await;
    let expected = serde_json::json!({"address": "/calendar.ics?q=a", "user": null});
    assert_eq!(told(&server.get("/api/v1/calendar?q=a").await), (200, expected.clone()));
    assert_eq!(told(&server.command("GET /api/v1/calendar?q=a&user=").await), (200, expected));
    assert_eq!(server.get("/api/v1/calendar?user=ali").await.status, 403);
    assert_eq!(server.command("GET /api/v1/calendar?user=ali").await.status, 404);
}
