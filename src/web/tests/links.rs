//! The link of a message, and the forms of the page.

use std::sync::Arc;

use super::super::limits::Limits;
use super::client::{Server, answer, send_body, start};
use crate::channel::Ticket;
use crate::expiry::{Cover, Snooze, Wanted, WishCover};
use crate::metrics::testing::{Known, NOW};
use crate::store::Commit;

const FORM: &str = "application/x-www-form-urlencoded";
const KEY: [u8; 32] = [7; 32];
const EVENT: &str = "00112233445566778899aabbccddeeff";

async fn one() -> (Server, String) {
    let known = [Known::new("s", "all", "0a").ends_in(3 * 86_400)];
    let server = start(&known, Limits::default()).await;
    let id = known[0].0.id();
    (server, id)
}

fn token(certificate: &str, days: i64) -> String {
    let (event, certificate) = (EVENT.to_owned(), certificate.to_owned());
    Ticket { event, certificate, expires: NOW.plus(days * 86_400) }.sign(&KEY).unwrap()
}

/// Sends a form over the network as somebody whom nobody knows.
async fn post(server: &Server, path: &str, form: &str) -> super::client::Answer {
    let mut stream = server.connect().await;
    let headers = [&*format!("content-type: {FORM}"), "origin: null"];
    send_body(&mut stream, &format!("POST {path}"), &headers, form).await;
    answer(&mut stream).await
}

#[tokio::test]
async fn a_link_shows_a_form_and_is_used_once_by_whoever_has_it() {
    let (mut server, id) = one().await;
    let token = token(&id, 7);
    let path = format!("/snooze?token={token}");
    let form = server.get(&path).await;
    assert_eq!((form.status, form.header("referrer-policy")), (200, Some("no-referrer")));
    assert!(
        form.text().contains("Your name") && form.text().contains(">30 days<"),
        "{}",
        form.text()
    );
    assert!(!form.text().contains(">90 days<"));
    assert!(server.wished.try_recv().is_err(), "a look changes nothing");
    let said = format!("token={token}&days=90&reason=moving&author=ann");
    let done = post(&server, "/snooze", &said).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(done.text().contains("snoozed it until"), "{}", done.text());
    let wish = server.wished.try_recv().unwrap();
    assert_eq!((wish.cover, wish.hold), (WishCover::Certificate(id), false));
    assert_eq!((wish.seconds, wish.link.as_deref()), (30 * 86_400, Some(EVENT)));
    let snooze = Snooze {
        id: "s".to_owned(),
        cover: Cover::Match(Wanted::parse("source=s").unwrap()),
        made: NOW,
        until: NOW.plus(86_400),
        hold: false,
        author: "<b>bea".to_owned(),
        reason: "known".to_owned(),
        link: Some(EVENT.to_owned()),
        ended: None,
    };
    let snoozes = vec![snooze];
    server.store.commit(Arc::new(Commit { snoozes, ..Commit::default() })).await.unwrap();
    for again in [server.get(&path).await, post(&server, "/snooze", &said).await] {
        assert!(again.text().contains("&lt;b&gt;bea"), "{}", again.text());
        assert!(!again.text().contains("<form class=\"snooze\""));
    }
    assert!(server.wished.try_recv().is_err(), "once");
}

#[tokio::test]
async fn a_link_that_is_old_or_none_of_ours_is_of_no_use() {
    let (mut server, id) = one().await;
    for (token, status) in [
        (token(&id, 0), 410),
        (token(&id, 7).replace('A', "B"), 404),
        (String::new(), 404),
        (token(&"0".repeat(32), 7), 404),
    ] {
        let answer = server.get(&format!("/snooze?token={token}")).await;
        assert_eq!(answer.status, status, "{token}");
        let said = format!("token={token}&days=7&reason=x&author=ann");
        // A certificate that is gone is refused by who keeps snoozes.
        if token != self::token(&"0".repeat(32), 7) {
            assert_eq!(post(&server, "/snooze", &said).await.status, status, "{token}");
        }
    }
    let nobody = format!("token={}&days=7&reason=&author=", token(&id, 7));
    assert_eq!(post(&server, "/snooze", &nobody).await.status, 422);
    assert_eq!(post(&server, "/snooze", "token=x").await.status, 400);
    assert!(server.wished.try_recv().is_err());
}

#[tokio::test]
async fn the_page_has_a_form_for_who_may_write_and_the_command_for_others() {
    let (mut server, id) = one().await;
    let story = format!("GET /certificates/{id}");
    let form = "action=\"/snoozes\"";
    let known = server.command(&story).await;
    assert!(known.text().contains(form), "{}", known.text());
    let others = server.ask(&story, &[]).await;
    assert!(!others.text().contains(form));
    assert!(others.text().contains(&format!("notafter snooze add {id} --for 7d")));
    assert_eq!(others.header("referrer-policy"), Some("same-origin"));
    let said = format!("certificate={id}&days=7&reason=moving&author=ann&hold=true");
    let made = server.order("POST /snoozes", FORM, &said).await;
    assert_eq!(made.status, 303, "{}", made.text());
    assert_eq!(made.header("location"), Some(format!("/certificates/{id}").as_str()));
    let wish = server.wished.try_recv().unwrap();
    assert_eq!((wish.seconds, wish.hold, wish.author.as_str()), (7 * 86_400, true, "ann"));
    assert_eq!(server.order("POST /snoozes", FORM, "certificate=x").await.status, 400);
    assert_eq!(server.command("POST /snoozes/s1/end").await.header("location"), Some("/snoozes"));
    assert_eq!(server.command("POST /snoozes/s2/end").await.status, 404);
    let foreign = post(&server, "/snoozes", &said).await;
    assert_eq!(foreign.status, 403);
}

#[tokio::test]
async fn the_page_lists_what_is_snoozed() {
    let (server, id) = one().await;
    assert!(server.get("/snoozes").await.text().contains("Nothing is snoozed."));
    let row = crate::expiry::RowId(0);
    let one = crate::expiry::Snoozed { id, row, rung: None, not_after: None };
    let of = |id: &str, cover, seconds| Snooze {
        id: id.to_owned(),
        cover,
        made: NOW,
        until: NOW.plus(seconds),
        hold: false,
        author: "ann".to_owned(),
        reason: "<script>".to_owned(),
        link: None,
        ended: None,
    };
    let by_match = Cover::Match(Wanted::parse("source=iot-*").unwrap());
    let ended = Some((NOW, crate::expiry::SnoozeEnd::ByHand));
    let snoozes =
        vec![of("s1", Cover::Certificate(one), 3600), Snooze { ended, ..of("s2", by_match, 3600) }];
    server.store.commit(Arc::new(Commit { snoozes, ..Commit::default() })).await.unwrap();
    for (answer, end) in [
        (server.command("GET /snoozes").await, "/snoozes/s1/end"),
        (server.get("/snoozes").await, "notafter snooze end s1"),
    ] {
        let text = answer.text();
        for part in [end, "source=iot-*", "&lt;script&gt;", "Somebody ended it", "in 60 minutes"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("<script>"), "{text}");
    }
}
