//! Of what nothing is said.

use super::*;
use crate::expiry::{Cover, Snooze, SnoozeEnd, Snoozed, Wanted};

const DAY: i64 = 86_400;

fn snooze(id: &str, cover: Cover) -> Snooze {
    Snooze {
        id: id.to_owned(),
        cover,
        made: at(100),
        until: at(900),
        hold: id == "b",
        author: "ann \0\"".to_owned(),
        reason: "设备'; --".to_owned(),
        link: (id == "b").then(|| "event".to_owned()),
        ended: None,
    }
}

fn of_match(text: &str) -> Cover {
    Cover::Match(Wanted::parse(text).unwrap())
}

fn of_one(rung: Option<Rung>, not_after: Option<Timestamp>) -> Cover {
    let id = "00112233445566778899aabbccddeeff".to_owned();
    Cover::Certificate(Snoozed { id, row: RowId(u32::MAX), rung, not_after })
}

async fn write(store: &dyn Store, snoozes: &[Snooze]) {
    let commit = Commit { snoozes: snoozes.to_vec(), ..Commit::default() };
    store.commit(Arc::new(commit)).await.unwrap();
}

pub(super) async fn are_kept_until_long_after_their_end(place: impl Place) {
    let store = place.open().await;
    let a = snooze("a", of_match(r"issuer=CN=a\,b,labels.x=y"));
    let b = snooze("b", of_one(Some(Rung::Share(25)), Some(at(-5))));
    let c = Snooze { made: at(50), ..snooze("c", of_one(None, None)) };
    write(&*store, &[c.clone(), a.clone(), b.clone()]).await;
    drop(store);
    let store = place.open().await;
    assert_eq!(store.saved().await.unwrap().snoozes, [a.clone(), b.clone(), c.clone()]);
    assert_eq!(store.snoozes().await.unwrap(), [b.clone(), a.clone(), c.clone()]);
    let ended = |snooze: &Snooze, seconds, end| Snooze {
        ended: Some((at(seconds), end)),
        ..snooze.clone()
    };
    let over: Vec<_> = SnoozeEnd::ALL.map(|end| ended(&a, 300, end)).into();
    for one in &over {
        write(&*store, std::slice::from_ref(one)).await;
        assert_eq!(store.snoozes().await.unwrap(), [b.clone(), one.clone(), c.clone()]);
    }
    assert_eq!(store.saved().await.unwrap().snoozes, [b.clone(), c.clone()]);
    let last = ended(&b, 300 + 400 * DAY, SnoozeEnd::Time);
    write(&*store, std::slice::from_ref(&last)).await;
    assert_eq!(store.snoozes().await.unwrap().len(), 3);
    let last = ended(&b, 301 + 400 * DAY, SnoozeEnd::Time);
    write(&*store, std::slice::from_ref(&last)).await;
    assert_eq!(store.snoozes().await.unwrap(), [last, c]);
}

pub(super) async fn links_are_signed_with_one_key(place: impl Place) {
    let store = place.open().await;
    assert_eq!(store.link_key([7; 32]).await.unwrap(), [7; 32]);
    drop(store);
    let store = place.open().await;
    assert_eq!(store.link_key([8; 32]).await.unwrap(), [7; 32]);
}
