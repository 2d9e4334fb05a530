//! Numbers, rungs and lengths of time in words.

use super::*;

#[test]
fn words_and_numbers_round_trip() {
    for language in Language::ALL {
        assert_eq!(Language::from_word(language.as_str()), Some(language));
    }
    assert_eq!(Language::from_word("de"), None);
    for detail in Detail::ALL {
        assert_eq!(Detail::from_index(detail.index()), detail);
    }
    assert_eq!(Detail::from_index(9), Detail::OneLine);
    assert_eq!(Detail::Full.lower(), Some(Detail::Shorter));
    assert_eq!(Detail::OneLine.lower(), None);
}

#[test]
fn rungs_have_short_words() {
    for (rung, word) in [
        (Rung::Before(30 * 86_400), "30d"),
        (Rung::Before(3600 * 6), "6h"),
        (Rung::Before(90 * 60), "90m"),
        (Rung::Before(61), "61s"),
        (Rung::Before(0), "0s"),
        (Rung::Expired, "expired"),
    ] {
        assert_eq!(Message::rung_word(rung), word);
    }
}

#[test]
fn lengths_of_time_are_whole_units_rounded_down() {
    for (seconds, en, zh) in [
        (0, "1 minute", "1 分钟"),
        (7199, "1 hour", "1 小时"),
        (86_399, "23 hours", "23 小时"),
        (2 * 86_400, "2 days", "2 天"),
    ] {
        assert_eq!(words::span(seconds, Language::En), en);
        assert_eq!(words::span(seconds, Language::Zh), zh);
    }
}

#[test]
fn times_are_those_of_the_channels_zone() {
    let manner = Manner { language: Language::Zh, zone: chrono_tz::Tz::Asia__Shanghai };
    let message = Message::compose("id", NOW, manner, vec![expiring("a", 6)], None);
    assert_eq!(message.facts[0].value, "2026-01-07 08:00 (UTC+8)，6 天后");
    let message = Message::compose("id", NOW, manner, vec![expiring("a", 6); 2], None);
    assert_eq!(message.entries[0].parts().0, "a");
    assert!(message.entries[0].text.contains(" · 2026-01-07 08:00 (UTC+8) · "), "{message:?}");
}
