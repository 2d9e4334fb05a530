//! What others write, and what is missing or endless, does a message no harm.

use super::*;

#[test]
fn hostile_names_reach_no_link_and_no_line() {
    let hostile = "](https://evil.test) <!channel> @all\r\n[x";
    let mut event = expiring(hostile, 3);
    let Topic::Expiring { facts, .. } = &mut event.topic else { panic!("made above") };
    (facts.serial, facts.scope, facts.issuer) = (hostile.into(), hostile.into(), hostile.into());
    (facts.holder, facts.unit, facts.source) = (hostile.into(), hostile.into(), hostile.into());
    for events in [vec![event.clone()], vec![event.clone(); 3], vec![event; 9]] {
        let message = Message::compose("id", NOW, Language::En, events, BASE);
        let links: Vec<_> = message
            .entries
            .iter()
            .filter_map(|entry| entry.link.clone())
            .chain(message.link.clone())
            .collect();
        assert!(
            links.iter().all(|link| link.starts_with("https://certs.example.com/")),
            "{links:?}"
        );
        assert!(
            links.iter().all(|link| !link.contains(['(', ')', '<', '[', ']', '@', ' ', '\n'])),
            "{links:?}"
        );
        let texts: Vec<_> = message
            .entries
            .iter()
            .map(|entry| &entry.text)
            .chain(message.facts.iter().map(|fact| &fact.value))
            .collect();
        assert!(
            texts.iter().all(|text| !text.contains(['@', '<', '>', '[', '\n', '\r', '!'])),
            "{texts:?}"
        );
    }
}

#[test]
fn without_an_external_url_nothing_is_linked() {
    for count in [1, 3, 9] {
        let message =
            Message::compose("id", NOW, Language::En, vec![expiring("a", 3); count], None);
        assert_eq!(message.link, None);
        assert!(message.entries.iter().all(|entry| entry.link.is_none()));
    }
}

#[test]
fn an_endless_serial_makes_no_endless_message() {
    let mut event = expiring("a.example.com", 3);
    let Topic::Expiring { facts, .. } = &mut event.topic else { panic!("made above") };
    facts.serial = "7".repeat(100_000);
    let message = Message::compose("id", NOW, Language::En, vec![event], BASE);
    assert_eq!(message.link.as_deref(), Some("https://certs.example.com/"));
    assert!(message.facts.iter().all(|fact| fact.value.len() < 200));
}

#[test]
fn nothing_to_say_is_still_a_message() {
    let message = Message::compose("id", NOW, Language::En, Vec::new(), BASE);
    assert_eq!((message.severity, message.entries.len()), (Severity::Info, 0));
    assert!(message.title.starts_with("[notafter] "));
}

#[test]
fn the_last_resort_names_nothing_untrusted() {
    let message =
        Message::compose("id", NOW, Language::En, vec![expiring("evil.test", 3); 2], BASE);
    assert_eq!(message.one_line(), "[notafter] 2 events need attention");
    let message = Message { language: Language::Zh, ..message };
    assert_eq!(message.one_line(), "[notafter] 2 个事件需要处理");
    assert_eq!((message.left_out(3).as_str(), message.link_label()), ("……另有 3 条", "查看"));
}
