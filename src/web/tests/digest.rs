//! What the daily digest would say now.

use serde_json::{Value, json};

use super::super::limits::Limits;
use super::client::start;
use crate::expiry::{DailyDigest, sample};
use crate::metrics::testing::NOW;

#[tokio::test]
async fn it_is_asked_of_the_pipeline_and_unknown_is_null() {
    let mut server = start(&[], Limits::default()).await;
    let mut wanted = std::mem::replace(&mut server.digests, tokio::sync::mpsc::channel(1).1);
    let replies = async {
        let full = wanted.recv().await.unwrap();
        full.send((Some(NOW), sample::daily("<b>"))).unwrap();
        let bare = wanted.recv().await.unwrap();
        bare.send((None, DailyDigest::new(String::new(), NOW))).unwrap();
    };
    let ask = async {
        let full = server.get("/api/v1/digest").await;
        (full, server.get("/api/v1/digest").await)
    };
    let ((), (full, bare)) = tokio::join!(replies, ask);
    let read = |body: &[u8]| -> Value { serde_json::from_slice(body).unwrap() };
    assert_eq!((full.status, bare.status), (200, 200));
    let (full, bare) = (read(&full.body), read(&bare.body));
    assert_eq!((&full["total"], &full["rungs"][0]["rung"]), (&json!(12_003), &json!("expired")));
    assert_eq!(full["news"], json!({ "inside": 2, "renewed": 9, "gone": 1, "undated": 0 }));
    assert_eq!(full["soonest"][0]["common_name"], "<b>");
    assert_eq!(full["unproven"][0]["last_proven"], Value::Null);
    for unknown in ["scheduled_at", "since", "next", "news"] {
        assert_eq!(bare.get(unknown), Some(&Value::Null), "{unknown}");
    }
    assert_eq!(server.get("/api/v1/digest?x=1").await.status, 400);
}

#[tokio::test]
async fn a_pipeline_that_is_gone_is_no_empty_digest() {
    let mut server = start(&[], Limits::default()).await;
    server.digests.close();
    assert_eq!(server.get("/api/v1/digest").await.status, 503);
}
