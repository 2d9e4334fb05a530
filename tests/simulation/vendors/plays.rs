//! What must hold among the vendors, judged by what the vendors hold and by what the rooms heard.

use std::collections::{BTreeMap, BTreeSet};

use notafter::facade::expiry::Timestamp;
use serde_json::Value;
use simulator::chat::Received;

use super::*;

/// Source, serial and end of a certificate.
type Name = (String, String, Option<i64>);

fn named(source: &str, truth: &Truth) -> Name {
    (source.to_owned(), truth.serial.clone(), truth.not_after)
}

/// Returns every certificate that the vendors hold.
fn truth(services: &Services) -> BTreeSet<Name> {
    let (mqtt, enos) = (services.mqtt(), services.enos());
    let devices = mqtt.truth(INSTANCE).into_iter().chain(mqtt.authorities(INSTANCE));
    let iot = devices.map(|truth| named("iot", &truth));
    let web = services.ssl().truth().into_iter().map(|truth| named("web", &truth));
    iot.chain(web).chain(enos.truth().iter().map(|truth| named("plant", truth))).collect()
}

/// Returns what the webhook's receiver was sent in a room, each event with the id of its message.
fn events(played: &Played) -> Vec<(String, Value)> {
    let events = |one: Received| {
        let data = &one.body["data"];
        let all = data["events"].as_array().cloned().unwrap_or_else(|| vec![data.clone()]);
        let id = one.id.unwrap();
        all.into_iter().map(move |event| (id.clone(), event))
    };
    heard(played, chat::Service::Webhook).into_iter().flat_map(events).collect()
}

fn heard(played: &Played, service: chat::Service) -> Vec<Received> {
    let all = played.services.chat().received().into_iter();
    all.filter(|received| received.service == service).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Everything is known as its vendor has it, and nothing else is. The store lists what has an end.
fn judge_knowledge(played: &Played) {
    let known = played.known.iter().map(|facts| {
        (facts.source.clone(), facts.serial.clone(), facts.not_after.map(Timestamp::seconds))
    });
    let (known, truth) = (known.collect::<BTreeSet<_>>(), truth(&played.services));
    let missing: Vec<_> = truth.difference(&known).filter(|(_, _, end)| end.is_some()).collect();
    let invented: Vec<_> = known.difference(&truth).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing {missing:?} invented {invented:?}");
}

/// Every event is in one message. That message came twice only where an answer to it was lost.
fn judge_repeats(played: &Played) {
    let mut messages = BTreeMap::<String, BTreeSet<String>>::new();
    for (message, event) in events(played) {
        messages.entry(text(&event["id"])).or_default().insert(message);
    }
    let several: Vec<_> = messages.iter().filter(|(_, messages)| messages.len() > 1).collect();
    assert!(several.is_empty(), "in several messages: {several:?}");
    let taken = heard(played, chat::Service::Webhook);
    let distinct: BTreeSet<_> = taken.iter().map(|one| one.id.clone()).collect();
    let again = taken.len() - distinct.len();
    assert!(again <= played.unheard, "{again} came again, {} answers were lost", played.unheard);
}

/// What expires soon is said, about an end that its vendor knows. Returns how many certificates that is.
fn judge_rungs(played: &Played) -> usize {
    let truth = truth(&played.services);
    let (mut notified, mut rungs) = (BTreeSet::new(), BTreeSet::new());
    for (_, event) in events(played).iter().filter(|(_, it)| it["kind"] == "certificate.expiring") {
        let certificate = &event["certificate"];
        let end: chrono::DateTime<chrono::Utc> = text(&certificate["not_after"]).parse().unwrap();
        let (source, serial) = (text(&event["source"]), text(&certificate["serial"]));
        let name = (source, serial, Some(end.timestamp()));
        assert!(truth.contains(&name), "no vendor has {name:?}");
        // The last rungs are said again every day.
        if !["3d", "1d"].contains(&&*text(&event["rung"])) {
            rungs.insert((name.clone(), text(&event["rung"]), text(&event["id"])));
        }
        notified.insert(name);
    }
    let distinct: BTreeSet<_> = rungs.iter().map(|(name, rung, _)| (name, rung)).collect();
    assert_eq!(distinct.len(), rungs.len(), "a rung was said twice: {rungs:?}");
    for truth in played.services.mqtt().truth(INSTANCE) {
        let is_owed = is_owed(&truth, "ACTIVE") && truth != played.renewed;
        assert!(!is_owed || notified.contains(&named("iot", &truth)), "never said: {truth:?}");
    }
    notified.len()
}

/// The device that got a new certificate is the only one that anyone heard so of, once.
fn judge_renewals(played: &Played) {
    let renewed = events(played).into_iter().filter(|(_, it)| it["kind"] == "certificate.renewed");
    let renewed: BTreeSet<_> =
        renewed.map(|(_, it)| (text(&it["certificate"]["serial"]), text(&it["id"]))).collect();
    let serials: Vec<_> = renewed.iter().map(|(serial, _)| serial).collect();
    assert_eq!(serials, [&played.renewed.serial]);
}

#[test]
fn the_daemons_own_sources_and_channels_say_what_is_true() {
    for seed in 1..=3 {
        let played = play(seed);
        judge_knowledge(&played);
        judge_repeats(&played);
        assert!(judge_rungs(&played) > 10, "hardly anything was said");
        judge_renewals(&played);
        assert_eq!(played.services.chat().refused(), [], "what a service refused");
        for service in [chat::Service::Feishu, chat::Service::Slack] {
            assert!(heard(&played, service).len() > 3, "hardly anything was heard in {service:?}");
        }
    }
}

#[test]
fn one_seed_gives_one_trace_byte_for_byte_at_the_network_too() {
    let [first, again, other] = [7, 7, 8].map(|seed| play(seed).trace);
    let differs = first.lines().zip(again.lines()).find(|(one, two)| one != two);
    assert_eq!(differs, None, "the first line that differs");
    assert!(first == again, "one trace is longer than the other");
    assert!(first != other, "another seed plays the same");
    for host in ["mqtt.", "ssl.", "apim-", "open.feishu", "hooks.slack", "receiver."] {
        let sent = first.lines().filter(|line| line.contains(&format!(" {host}"))).count();
        assert!(sent > 20, "hardly anything went to {host}");
    }
}
