//! `/api/v1`.

use serde_json::Value;

use super::super::limits::Limits;
use super::client::{Answer, Server, start};
use crate::expiry::{Kind, Status};
use crate::metrics::testing::Known;

fn fleet() -> [Known; 3] {
    [
        Known::new("s", "all", "0a")
            .names("late.example", "kettle", "plant-7")
            .ends_in(90 * 86_400),
        Known::new("s", "all", "0b")
            .names("=soon(1)", "", "")
            .issuer("CN=Root")
            .kind(Kind::Server)
            .ends_in(3 * 86_400 - 60),
        Known::new("t", "i-1", "0c").undated().status(Status::Undated),
    ]
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    serde_json::from_str(answer.text()).unwrap()
}

fn serials(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|it| it["serial"].as_str().unwrap()).collect()
}

async fn get(server: &Server, path: &str) -> Value {
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    json(&answer)
}

#[tokio::test]
async fn a_certificate_is_an_object_with_every_field() {
    let server = start(&fleet(), Limits::default()).await;
    let list = get(&server, "/api/v1/certificates").await;
    assert_eq!(serials(&list), ["0b", "0a", "0c"]);
    assert_eq!((&list["next"], &list["total"]), (&Value::Null, &Value::from(3)));
    let soon = &list["items"][0];
    let id = soon["id"].as_str().unwrap();
    let expected = serde_json::json!({
        "id": id, "source": "s", "scope": "all", "place": "", "issuer": "CN=Root", "serial": "0b",
        "fingerprint": null, "kind": "server", "status": "active", "common_name": "=soon(1)",
        "holder": null, "organizational_unit": null, "labels": {}, "not_before": null,
        "not_after": "2026-11-24T23:59:00Z", "remaining_seconds": 259_140, "rung": "3d",
        "first_seen": "2026-11-21T00:00:00Z", "snoozed_until": null, "successor": null,
    });
    assert_eq!(*soon, expected);
    assert_eq!(get(&server, &format!("/api/v1/certificates/{id}")).await, expected);
    let undated = &list["items"][2];
    assert_eq!((&undated["not_after"], &undated["rung"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn pages_are_asked_for_with_filters_and_cursors() {
    let server = start(&fleet(), Limits::default()).await;
    let first = get(&server, "/api/v1/certificates?limit=2&sort=-not_after").await;
    assert_eq!(serials(&first), ["0a", "0b"]);
    let next = first["next"].as_str().unwrap();
    let rest = format!("/api/v1/certificates?limit=2&sort=-not_after&cursor={next}");
    let rest = get(&server, &rest).await;
    assert_eq!((serials(&rest), &rest["next"]), (vec!["0c"], &Value::Null));
    let found = get(&server, "/api/v1/certificates?q=KETTLE&source=&kind=device").await;
    assert_eq!((serials(&found), &found["searched_all"]), (vec!["0a"], &Value::Bool(true)));
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_problem_that_says_why() {
    let server = start(&fleet(), Limits::default()).await;
    let unknown = "0".repeat(32);
    for (path, status, part) in [
        ("certificates?colour=red", 400, "colour: it is none of"),
        ("certificates?limit=0", 400, "limit: it is a whole number"),
        ("certificates?q=a&q=b", 400, "q: it may be there once"),
        ("certificates?cursor=x", 400, "cursor: it is not one of this list"),
        ("certificates?format=xml", 400, "format: it is `json` or `csv`"),
        (&format!("certificates/{unknown}"), 404, "no certificate with this id"),
        ("certificates/x?y=z", 400, "y: there are no parameters here"),
        ("certificates/%FF", 404, "no certificate with this id"),
        ("timeline?by=year", 400, "by: it is `day` or `month`"),
        ("nothing", 404, "there is nothing at"),
    ] {
        let answer = server.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        let problem: Value = serde_json::from_str(answer.text()).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let server = start(&fleet(), Limits::default()).await;
    for path in ["/api/v1/certificates", "/api/v1/timeline"] {
        let first = server.get(path).await;
        assert_eq!(first.header("cache-control"), Some("no-cache"));
        let tag = first.header("etag").unwrap();
        assert!(tag.starts_with("W/\""), "{tag}");
        let header = format!("if-none-match: \"other\", {tag}");
        let again = server.ask(&format!("GET {path}"), &[&header]).await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)));
        server.view.send(view_of(&fleet()[..2])).unwrap();
        let again = server.ask(&format!("GET {path}"), &[&header]).await;
        assert_eq!(again.status, 200);
        server.view.send(view_of(&fleet())).unwrap();
    }
}

fn view_of(known: &[Known]) -> std::sync::Arc<crate::expiry::View> {
    let version = if known.len() == 3 { 1 } else { 2 };
    std::sync::Arc::new(crate::metrics::testing::view(version, known))
}

#[tokio::test]
async fn an_export_is_the_whole_list_as_a_file() {
    let server = start(&fleet(), Limits::default()).await;
    let csv = server.get("/api/v1/certificates?format=csv").await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(csv.header("content-disposition").unwrap().contains("certificates.csv"));
    let lines: Vec<_> = csv.text().lines().collect();
    assert_eq!(lines.len(), 4, "{}", csv.text());
    assert!(lines[0].starts_with("id,source,scope,place,issuer,serial,fingerprint,kind,status"));
    assert!(lines[1].contains(",'=soon(1),"), "{}", lines[1]);
    let list = get(&server, "/api/v1/certificates?format=json&sort=-not_after").await;
    assert_eq!((serials(&list), &list["total"]), (vec!["0a", "0b", "0c"], &Value::from(3)));
    let none = get(&server, "/api/v1/certificates?format=json&source=nowhere").await;
    assert_eq!((serials(&none).len(), &none["total"]), (0, &Value::from(0)));
    let page = server.get("/api/v1/certificates?format=csv&limit=1").await;
    assert_eq!(page.text().lines().count(), 2);
}

#[tokio::test]
async fn the_timeline_counts_days_and_months() {
    let server = start(&fleet(), Limits::default()).await;
    let days = get(&server, "/api/v1/timeline").await;
    let of = |list: &Value, place: usize| list["items"][place].clone();
    let third = serde_json::json!({
        "from": "2026-11-24T00:00:00Z", "to": "2026-11-24T23:59:59Z", "count": 1
    });
    assert_eq!(of(&days, 2), third);
    let months = get(&server, "/api/v1/timeline?by=month").await;
    assert_eq!(months["items"].as_array().unwrap().len(), 36);
    assert_eq!(of(&months, 0)["count"], Value::from(1));
}
