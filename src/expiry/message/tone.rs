//! What a reader sees before reading.

use super::counts;
use crate::expiry::event::{Event, Severity};

/// How a message looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Act now.
    Critical,
    /// Act within days.
    Warning,
    /// Good to know.
    Info,
    /// Something is well again.
    Good,
}

impl Tone {
    /// Every tone.
    pub const ALL: [Self; 4] = [Self::Critical, Self::Warning, Self::Info, Self::Good];

    pub(super) fn of(severity: Severity, events: &[Event]) -> Self {
        match severity {
            Severity::Critical => Self::Critical,
            Severity::Warning => Self::Warning,
            Severity::Info if !events.is_empty() && events.iter().all(counts::is_good) => {
                Self::Good
            }
            Severity::Info => Self::Info,
        }
    }

    /// Returns a marker of its colour, for services that have no colours.
    pub const fn marker(self) -> &'static str {
        match self {
            Self::Critical => "🔴",
            Self::Warning => "🟠",
            Self::Info => "🔵",
            Self::Good => "🟢",
        }
    }

    /// Returns its colour as `0xRRGGBB`.
    pub const fn rgb(self) -> u32 {
        match self {
            Self::Critical => 0x00d9_3025,
            Self::Warning => 0x00e8_710a,
            Self::Info => 0x001a_73e8,
            Self::Good => 0x0018_8038,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::{Timestamp, Topic};

    fn event(topic: Topic) -> Event {
        Event { id: "x".into(), at: Timestamp::from_seconds(1), severity: Severity::Info, topic }
    }

    #[test]
    fn good_news_is_green_where_there_is_nothing_else() {
        let good = event(Topic::ChannelUp { channel: "ops".into() });
        let neutral = event(Topic::Test);
        let both = [good.clone(), neutral.clone()];
        for (severity, events, tone) in [
            (Severity::Critical, &both[..1], Tone::Critical),
            (Severity::Warning, &both[..1], Tone::Warning),
            (Severity::Info, &both[..1], Tone::Good),
            (Severity::Info, &both[1..], Tone::Info),
            (Severity::Info, &both[..], Tone::Info),
            (Severity::Info, &[], Tone::Info),
        ] {
            assert_eq!(Tone::of(severity, events), tone, "{severity:?} {events:?}");
        }
    }

    #[test]
    fn every_tone_has_a_colour_of_its_own() {
        for tone in Tone::ALL {
            let alike =
                |other: &&Tone| other.marker() == tone.marker() || other.rgb() == tone.rgb();
            assert_eq!(Tone::ALL.iter().filter(alike).count(), 1, "{tone:?}");
        }
    }
}
