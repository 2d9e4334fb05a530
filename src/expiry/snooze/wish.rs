//! What may be asked for.

use super::{Cover, Snooze, Wanted};
use crate::expiry::certificate::Timestamp;

const DAY: i64 = 86_400;

/// The shortest time in seconds that is worth it,
const SHORTEST: i64 = 60;

/// the longest,
const LONGEST: i64 = 90 * DAY;

/// and the longest for what is about notafter itself: who watches the watcher must not sleep long.
const LONGEST_OF_OURS: i64 = DAY;

/// The most letters of a reason, and of a name.
const REASON: usize = 500;
const AUTHOR: usize = 100;

/// A wish for quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Of what nothing is to be said.
    pub cover: WishCover,
    /// For how many seconds.
    pub seconds: i64,
    /// Whether it is to last to its own end whatever comes.
    pub hold: bool,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// The event in whose message is the link that it is asked for with.
    pub link: Option<String>,
}

/// Of what nothing is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WishCover {
    /// The certificate with this id.
    Certificate(String),
    /// Whatever is like this.
    Match(Wanted),
}

/// Why a wish is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusedWish {
    /// It asks for what cannot be had, and says what can.
    Mistaken(String),
    /// No such certificate is known.
    Unknown,
    /// There are too many snoozes.
    TooMany,
    /// The link that it was asked for with has been used.
    LinkUsed,
}

impl Wish {
    /// Returns what is wrong with it, in words that say what may be asked for.
    pub fn mistake(&self) -> Option<String> {
        let ours = matches!(&self.cover, WishCover::Match(wanted) if wanted.is_about_notafter());
        let of_match = match &self.cover {
            WishCover::Match(wanted) => wanted.mistake(),
            WishCover::Certificate(_) => None,
        };
        let text = |name: &str, text: &str, most: usize| match text.trim() {
            "" => Some(format!("{name}: it must be said")),
            text if text.chars().count() > most => {
                Some(format!("{name}: it may have {most} letters"))
            }
            _ => None,
        };
        of_match
            .or_else(|| self.mistake_of_time(ours))
            .or_else(|| text("reason", &self.reason, REASON))
            .or_else(|| text("author", &self.author, AUTHOR))
    }

    fn mistake_of_time(&self, ours: bool) -> Option<String> {
        match self.seconds {
            ..SHORTEST => Some("for: it is at least 1m".to_owned()),
            LONGEST_OF_OURS.. if ours && self.seconds > LONGEST_OF_OURS => Some(
                "for: what is about notafter itself is quiet for 24h at most, or nobody would notice that it sees nothing"
                    .to_owned(),
            ),
            LONGEST.. if self.seconds > LONGEST => Some("for: it is at most 90d".to_owned()),
            _ => None,
        }
    }

    /// Returns the snooze that it asks for.
    pub fn grant(self, id: String, cover: Cover, now: Timestamp) -> Snooze {
        Snooze {
            id,
            cover,
            made: now,
            until: now.plus(self.seconds),
            hold: self.hold,
            author: self.author.trim().to_owned(),
            reason: self.reason.trim().to_owned(),
            link: self.link,
            ended: None,
        }
    }
}
