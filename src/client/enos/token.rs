//! The access token that all signed calls share.

use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

/// How long before its end a token is refreshed, as the vendor's own clients do.
const REFRESH_BEFORE: Duration = Duration::from_mins(10);

/// A token and when it ends. Getting one again before that returns the same one, also to other programs.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) value: SecretString,
    received: Instant,
    lifetime: Duration,
}

/// What to do before a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The token is good.
    Nothing,
    /// The token is good and ends soon.
    Refresh,
    /// The token has ended.
    Get,
}

impl Token {
    pub(super) fn new(value: String, seconds: u64, now: Instant) -> Self {
        // A year, so that nonsense cannot overflow.
        let lifetime = Duration::from_secs(seconds.min(365 * 24 * 3600));
        Self { value: value.into(), received: now, lifetime }
    }

    pub(super) fn need(&self, now: Instant) -> Need {
        // A token that was already old when we got it is refreshed half-way, not at every call.
        let margin = REFRESH_BEFORE.min(self.lifetime / 2);
        match now.duration_since(self.received) {
            age if age >= self.lifetime => Need::Get,
            age if age >= self.lifetime.saturating_sub(margin) => Need::Refresh,
            _ => Need::Nothing,
        }
    }
}

/// What the service says about a token.
#[derive(serde::Deserialize)]
pub(super) struct Grant {
    pub(super) data: Granted,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Granted {
    pub(super) access_token: String,
    /// Seconds that remain.
    pub(super) expire: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs() {
        let start = Instant::now();
        for (lifetime, age, expected) in [
            (7200, 0, Need::Nothing),
            (7200, 6599, Need::Nothing),
            (7200, 6600, Need::Refresh),
            (7200, 7199, Need::Refresh),
            (7200, 7200, Need::Get),
            (300, 0, Need::Nothing),
            (300, 150, Need::Refresh),
            (0, 0, Need::Get),
            (u64::MAX, 0, Need::Nothing),
        ] {
            let token = Token::new("t".into(), lifetime, start);
            let need = token.need(start + Duration::from_secs(age));
            assert_eq!(need, expected, "{lifetime} {age}");
        }
    }

    #[test]
    fn the_token_is_not_shown() {
        assert!(
            !format!("{:?}", Token::new("hunter2".into(), 1, Instant::now())).contains("hunter2")
        );
    }
}
