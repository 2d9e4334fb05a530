//! `/calendar.ics`.

use super::super::limits::Limits;
use super::client::start;
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
