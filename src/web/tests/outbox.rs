//! Messages, over the API and on the page.

use std::sync::Arc;

use serde_json::Value;

use super::super::limits::Limits;
use super::client::{Answer, Server, answer, send, start};
use crate::expiry::{Event, Severity, Topic};
use crate::metrics::testing::NOW;
use crate::store::{
    Batch, BatchUpdate, Body, ChannelState, Commit, OutboxAnswer, OutboxOrder, StoreError,
};

/// A server with a message that was given up, one that was sent and one that waits.
async fn filled() -> Server {
    let server = start(&[], Limits::default()).await;
    let store = &server.store;
    for (name, ending) in [("<dead>", Some("19036")), ("sent", None), ("waits", None)] {
        let topic = Topic::SourceRecovered { source: name.to_owned() };
        let event = Event { id: format!("id-{name}"), at: NOW, severity: Severity::Info, topic };
        let outbox = vec![(event, vec!["ops".to_owned()]).into()];
        store.commit(Arc::new(Commit { outbox, ..Commit::default() })).await.unwrap();
        let batch = Batch {
            id: format!("id-{name}"),
            attempts: 1,
            detail: 0,
            next_at: NOW,
            composed_at: NOW,
            begun: true,
            pages: 0,
        };
        let delivery = store.pending("ops", 1).await.unwrap()[0].delivery;
        if name != "waits" {
            assert!(store.freeze(&[delivery], &batch, &Body::default()).await.unwrap());
            let update = match ending {
                Some(code) => BatchUpdate::Dead { at: NOW, code: code.to_owned() },
                None => BatchUpdate::Delivered { at: NOW },
            };
            store.settle("ops", &batch.id, &update, &ChannelState::default()).await.unwrap();
        }
    }
    server
}

async fn items(server: &Server, query: &str) -> Vec<(String, String, Value)> {
    let answer = server.get(&format!("/api/v1/outbox{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list: Value = serde_json::from_str(answer.text()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = list["items"].as_array().unwrap();
    items.iter().map(|it| (text(&it["state"]), text(&it["about"]), it["message"].clone())).collect()
}

#[tokio::test]
async fn messages_are_listed_by_how_far_they_have_come() {
    let server = filled().await;
    let one =
        |state: &str, about: &str, message: Value| (state.to_owned(), about.to_owned(), message);
    let waiting = one("waiting", "waits", Value::Null);
    let dead = one("dead", "<dead>", "id-<dead>".into());
    assert_eq!(items(&server, "").await, [waiting, dead.clone()]);
    assert_eq!(items(&server, "?state=dead&channel=ops").await, [dead]);
    assert_eq!(items(&server, "?state=sent").await, [one("sent", "sent", "id-sent".into())]);
    assert_eq!(items(&server, "?channel=nobody").await, []);
    for query in ["state=gone", "limit=0", "limit=1001", "x=1", "state=dead&state=dead"] {
        assert_eq!(server.get(&format!("/api/v1/outbox?{query}")).await.status, 400, "{query}");
    }
}

/// Asks on the control socket, and answers for the pipeline.
async fn ordered(
    server: &mut Server,
    request: &str,
    result: Result<OutboxAnswer, StoreError>,
) -> (Answer, i64, OutboxOrder) {
    let mut stream = server.control().await;
    send(&mut stream, request, &[]).await;
    let order = server.ordered.recv().await.unwrap();
    order.answer.send(result).unwrap();
    (answer(&mut stream).await, order.id, order.order)
}

#[tokio::test]
async fn an_order_goes_to_the_pipeline_and_its_answer_comes_back() {
    let mut server = filled().await;
    let done = || Ok(OutboxAnswer::Done { channel: "ops".to_owned(), events: 2 });
    let full = Err(StoreError::Full("no space".to_owned()));
    let [retry, drop] = ["POST /api/v1/outbox/7/retry", "DELETE /api/v1/outbox/7"];
    for (request, order, result, status) in [
        (retry, OutboxOrder::Retry, done(), 200),
        (drop, OutboxOrder::Drop, done(), 200),
        (retry, OutboxOrder::Retry, Ok(OutboxAnswer::Unknown), 404),
        (retry, OutboxOrder::Retry, Ok(OutboxAnswer::NotGivenUp), 409),
        (retry, OutboxOrder::Retry, Ok(OutboxAnswer::Replaced), 409),
        (retry, OutboxOrder::Retry, Ok(OutboxAnswer::NoChannel("ops".to_owned())), 409),
        (drop, OutboxOrder::Drop, full, 503),
        ("POST /notifications/7/retry", OutboxOrder::Retry, done(), 303),
        ("POST /notifications/7/drop", OutboxOrder::Drop, done(), 303),
        ("POST /notifications/7/drop", OutboxOrder::Drop, Ok(OutboxAnswer::Unknown), 409),
    ] {
        let (answer, id, asked) = ordered(&mut server, request, result).await;
        assert_eq!((answer.status, id, asked), (status, 7, order), "{request}: {}", answer.text());
    }
    // Who is not known may only read.
    for request in [retry, drop, "POST /notifications/7/drop"] {
        assert_eq!(server.ask(request, &[]).await.status, 403, "{request}");
    }
    assert_eq!(server.command("DELETE /api/v1/outbox/x").await.status, 404);
    assert_eq!(server.ask("PUT /api/v1/outbox/7", &[]).await.header("allow"), Some("DELETE"));
}

#[tokio::test]
async fn the_page_has_forms_for_who_may_write_and_commands_for_who_may_not() {
    let server = filled().await;
    let id = {
        let list: Value =
            serde_json::from_str(server.get("/api/v1/outbox?state=dead").await.text()).unwrap();
        list["items"][0]["id"].as_i64().unwrap()
    };
    let form = format!("action=\"/notifications/{id}/retry\"");
    let command = format!("notafter outbox retry {id}");
    let (read, write) =
        (server.get("/notifications").await, server.command("GET /notifications").await);
    assert!(read.text().contains(&command) && !read.text().contains(&form), "{}", read.text());
    assert!(write.text().contains(&form) && !write.text().contains(&command), "{}", write.text());
    for part in ["&lt;dead&gt;", "19036", "id=\"sent\"", "id-sent", "waits"] {
        assert!(read.text().contains(part), "{part} is not in\n{}", read.text());
    }
}
