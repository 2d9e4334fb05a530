//! The daily digest: `{"type": "digest.daily", "timestamp": when, "data": digest}`, with `"schema": "notafter.digest/1"`.

use serde_json::{Map, Value, json};

use super::fields::{clean, object, of_certificate};
use crate::expiry::text::iso;
use crate::expiry::{
    DailyDigest, Detail, DigestSnooze, Ending, Event, Facts, Message, News, Rung, SourceCount,
    Timestamp, Unproven,
};

/// What the lists of a digest may take of a request: together they keep it to its size.
const LARGEST_LISTS: usize = 200 * 1024;
/// So many of each list.
const MOST: usize = 100;

/// What is left of the size of a request.
struct Room(usize);

impl Room {
    /// Takes in as many values as there is room for.
    fn take(&mut self, values: impl Iterator<Item = Value>) -> Vec<Value> {
        let fits = |value: &Value| {
            let left = self.0.checked_sub(value.to_string().len() + 1);
            self.0 = left.unwrap_or(self.0);
            left.is_some()
        };
        values.take(MOST).take_while(fits).collect()
    }
}

/// Returns the request body of a daily digest, with what waited for it as `events`, and how many of these are in it.
pub(super) fn page(
    (message, link): (&Message, Option<&str>),
    (event, digest): (&Event, &DailyDigest),
    waited: impl Iterator<Item = Value>,
) -> (Value, usize) {
    let mut data = json!({
        "schema": "notafter.digest/1",
        "id": event.id,
        "kind": event.kind(),
        "severity": message.severity.as_str(),
        "occurred_at": iso(event.at),
        "composed_at": iso(message.at),
        "link": link,
    });
    let mut room = Room(LARGEST_LISTS / if message.detail > Detail::Full { 2 } else { 1 });
    let mut lists = lists(digest, message.at, &mut room);
    let events = room.take(waited);
    let taken = events.len();
    if let Value::Object(data) = &mut data {
        data.append(&mut lists);
        data.insert("events".to_owned(), Value::Array(events));
    }
    (json!({ "type": event.kind(), "timestamp": iso(event.at), "data": data }), taken)
}

/// Returns what the digest itself says.
pub(super) fn fields(digest: &DailyDigest, at: Timestamp) -> Map<String, Value> {
    lists(digest, at, &mut Room(LARGEST_LISTS))
}

/// The most urgent first, where there is not room for all.
fn lists(digest: &DailyDigest, at: Timestamp, room: &mut Room) -> Map<String, Value> {
    let next = digest.next.as_ref().map(|next| certificate(next, at, Map::new()));
    let next = room.take(next.into_iter()).pop();
    let rungs = room.take(digest.rungs.iter().map(rung));
    let unproven = room.take(digest.unproven.iter().map(unproven));
    let dead = room.take(digest.dead.iter().map(dead));
    let soonest = room.take(digest.soonest.iter().map(|one| ending(one, at)));
    let sources = room.take(digest.sources.iter().map(source));
    object(json!({
        "channel": clean(&digest.channel),
        "scheduled_at": iso(digest.scheduled),
        "since": digest.since.map(iso),
        "total": digest.total,
        "next": next,
        "rungs": rungs,
        "long_ended": digest.long_ended,
        "undated": digest.undated,
        "snoozed": digest.snoozed,
        "sources": sources,
        "news": digest.since.map(|_| news(digest.news)),
        "left_out": digest.left_out(soonest.len()),
        "soonest": soonest,
        "snoozes": room.take(digest.snoozes.iter().map(snooze)),
        "dead": dead,
        "unproven": unproven,
    }))
}

fn rung((rung, count): &(Rung, u64)) -> Value {
    json!({ "rung": Message::rung_word(*rung), "count": count })
}

fn source(one: &SourceCount) -> Value {
    json!({ "source": clean(&one.source), "total": one.total, "on_a_rung": one.on_a_rung })
}

fn news(News { inside, renewed, gone, undated }: News) -> Value {
    json!({ "inside": inside, "renewed": renewed, "gone": gone, "undated": undated })
}

fn dead((channel, count): &(String, u64)) -> Value {
    json!({ "channel": clean(channel), "count": count })
}

fn ending(one: &Ending, at: Timestamp) -> Value {
    let rung = Message::rung_word(one.rung);
    certificate(&one.facts, at, object(json!({ "rung": rung })))
}

/// Returns a certificate of the digest: as in an event, without the keys of one.
fn certificate(facts: &Facts, at: Timestamp, own: Map<String, Value>) -> Value {
    let mut fields = of_certificate(facts, at, &["digest"], Value::Object(own));
    fields.remove("dedup_key");
    Value::Object(fields)
}

fn snooze(one: &DigestSnooze) -> Value {
    json!({
        "id": clean(&one.id), "author": clean(&one.author), "reason": clean(&one.reason),
        "until": iso(one.until), "idle": one.idle,
    })
}

fn unproven(one: &Unproven) -> Value {
    json!({
        "source": clean(&one.source), "last_proven": one.last_proven.map(iso),
        "error": one.error.as_deref().map(clean),
    })
}

#[cfg(test)]
mod tests {
    use super::super::envelope::pages;
    use crate::channel::sample::{self, NOW, expiring};
    use crate::expiry::{Event, Language, Severity, Topic};

    fn digest(text: &str) -> Event {
        let topic = Topic::DailyDigest(Box::new(crate::expiry::sample::daily(text)));
        Event { id: "d".into(), at: NOW, severity: Severity::Info, topic }
    }

    #[test]
    fn it_is_one_page_with_what_waited_for_it() {
        let waited = Event { severity: Severity::Info, ..expiring("spare", 3) };
        let message = sample::compose(Language::En, vec![waited, digest("a")]);
        let pages = pages(&message);
        assert_eq!(pages.len(), 1);
        let (page, data) = (&pages[0], &pages[0]["data"]);
        assert_eq!(
            (&page["type"], &data["schema"]),
            (&"digest.daily".into(), &"notafter.digest/1".into())
        );
        assert_eq!((&data["id"], &data["total"]), (&"d".into(), &12_003.into()));
        assert_eq!(data["rungs"][1], serde_json::json!({ "rung": "7d", "count": 2 }));
        assert_eq!(data["news"]["renewed"], 9);
        assert_eq!(data["soonest"][0]["certificate"]["common_name"], "a");
        assert_eq!(data["soonest"][0]["rung"], "7d");
        assert_eq!(data["left_out"], 0);
        assert_eq!(data["unproven"][0]["last_proven"], serde_json::Value::Null);
        assert_eq!(data["events"][0]["kind"], "certificate.expiring");
        assert_eq!(data["link"], "https://certs.example.com/");
    }

    #[test]
    fn what_there_is_no_room_for_follows_as_a_list() {
        let mut events: Vec<_> = (0..230).map(|n| expiring(&format!("s{n}"), 3)).collect();
        events.push(digest("a"));
        let pages = pages(&sample::compose(Language::En, events));
        let count = |page: &serde_json::Value| page["data"]["events"].as_array().unwrap().len();
        let kinds: Vec<_> = pages.iter().map(|page| (page["type"].as_str(), count(page))).collect();
        let expected = [("digest.daily", 100), ("digest", 100), ("digest", 30)];
        assert_eq!(kinds, expected.map(|(kind, count)| (Some(kind), count)));
    }

    #[test]
    fn it_keeps_to_the_size_of_a_page() {
        let mut digest = digest(&"长".repeat(5000));
        if let Topic::DailyDigest(digest) = &mut digest.topic {
            digest.soonest = std::iter::repeat_n(digest.soonest[0].clone(), 500).collect();
            digest.unproven = std::iter::repeat_n(digest.unproven[0].clone(), 500).collect();
        }
        let size = pages(&sample::compose(Language::En, vec![digest])).remove(0).to_string().len();
        assert!(size <= 256 * 1024, "{size}");
    }
}
