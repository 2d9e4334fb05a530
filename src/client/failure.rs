//! Why a call failed, by what the caller should do; and how often it is tried again.

use std::time::Duration;

use super::http::HttpError;
use super::{Action, Outcome, redact};
use crate::clock::Random;

/// The most attempts for one request, whatever fails.
const MOST_TRIES: usize = 6;
/// The longest that a provider may make us wait within one request.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// The most characters of a provider's text that are kept.
const LONGEST_TEXT: usize = 300;

/// What a failure means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The provider asks for fewer requests.
    Throttled,
    /// The provider or the way to it is down.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The provider failed in a way that seldom passes at once.
    Faulty,
    /// A failure that the contract does not know.
    Unknown,
    /// The thing asked for is being made or changed: ask again much later.
    NotReady,
    /// The provider's clock and ours differ too much.
    Clock,
    /// A temporary credential or token has ended.
    Credential,
    /// A signature was not accepted, which happens now and then with valid keys.
    Signature,
    /// Credentials or permissions are wrong.
    Refused,
    /// The provider refused the request itself.
    BadRequest,
    /// The request or its answer is larger than the provider allows.
    TooBig,
    /// The thing asked for does not exist.
    Gone,
    /// The answer is not JSON: a proxy's page, or a part of an answer.
    Garbled,
    /// The answer is JSON and breaks the contract or the size limit.
    Malformed,
}

impl Class {
    /// Returns how it is counted.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Throttled => Outcome::Throttled,
            Self::Unavailable | Self::Faulty | Self::Unknown | Self::NotReady => {
                Outcome::Unavailable
            }
            Self::Timeout => Outcome::Timeout,
            Self::Clock => Outcome::Clock,
            Self::Credential | Self::Signature | Self::Refused => Outcome::Refused,
            Self::BadRequest | Self::TooBig => Outcome::BadRequest,
            Self::Gone => Outcome::NotFound,
            Self::Garbled | Self::Malformed => Outcome::Malformed,
        }
    }

    /// Returns how many attempts may end like this within one request.
    const fn tries(self) -> usize {
        match self {
            Self::Throttled | Self::Unavailable | Self::Garbled => MOST_TRIES,
            Self::Timeout | Self::Faulty => 3,
            Self::Unknown | Self::Clock | Self::Credential | Self::Signature => 2,
            Self::NotReady
            | Self::Refused
            | Self::BadRequest
            | Self::TooBig
            | Self::Gone
            | Self::Malformed => 1,
        }
    }

    /// Returns whether signing again is the cure, so that waiting is not.
    const fn is_signed_away(self) -> bool {
        matches!(self, Self::Clock | Self::Credential | Self::Signature)
    }
}

/// A call that failed for good, or one attempt of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {text}")]
pub struct CallError {
    /// What was called.
    pub action: Action,
    /// What the failure means.
    pub class: Class,
    /// The provider's code, or nothing.
    pub code: String,
    /// What happened, without secrets.
    pub text: String,
    /// How long the provider asks us to wait.
    pub after: Option<Duration>,
}

impl CallError {
    /// Returns a failure without a provider's code.
    pub fn new(action: Action, class: Class, text: impl Into<String>) -> Self {
        Self { action, class, code: String::new(), text: text.into(), after: None }
    }

    pub(super) fn from_http(action: Action, error: &HttpError) -> Self {
        let class = match error {
            HttpError::Timeout => Class::Timeout,
            HttpError::Connect(_)
            | HttpError::Reset(_)
            | HttpError::Body(_)
            | HttpError::Tls(_) => Class::Unavailable,
            HttpError::TooLarge { .. } => Class::Malformed,
            HttpError::Invalid(_) => Class::BadRequest,
        };
        Self::new(action, class, error.to_string())
    }

    /// Classifies an answer by its HTTP status alone, when its body says nothing.
    pub(super) fn from_status(action: Action, status: u16) -> Self {
        let class = match status {
            429 => Class::Throttled,
            408 | 500..=599 => Class::Unavailable,
            401 | 403 | 407 => Class::Refused,
            200..=299 => Class::Garbled,
            _ => Class::BadRequest,
        };
        Self::new(action, class, format!("HTTP status {status} and no answer of the provider"))
    }

    /// Removes secrets and signatures that a provider may repeat in its texts.
    pub(super) fn without(mut self, secrets: &[&str]) -> Self {
        self.text = redact::without(&self.text, secrets);
        self.code = redact::without(&self.code, secrets);
        self
    }
}

/// Cuts a provider's text and makes it fit for one line.
pub(super) fn brief(text: &str) -> String {
    let mut brief: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_TEXT).collect();
    if text.chars().nth(LONGEST_TEXT).is_some() {
        brief.push('…');
    }
    brief
}

/// Waiting times between attempts: full jitter under a ceiling that doubles.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The first ceiling.
    pub base: Duration,
    /// The last ceiling.
    pub cap: Duration,
}

impl Backoff {
    /// What vendors are met with.
    pub const VENDOR: Self =
        Self { base: Duration::from_millis(500), cap: Duration::from_secs(30) };

    /// Returns the wait after `failures` failures, for a random number from 0 to 1.
    fn delay(self, failures: usize, random: f64) -> Duration {
        let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        self.base.saturating_mul(1 << doublings).min(self.cap).mul_f64(random.clamp(0.0, 1.0))
    }
}

/// The attempts of one request.
pub(super) struct Tries {
    backoff: Backoff,
    failures: Vec<Class>,
}

impl Tries {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, failures: Vec::new() }
    }

    /// Waits before the next attempt, or returns `false` at once when `error` is final.
    pub(super) async fn wait_after(&mut self, error: &CallError, random: &dyn Random) -> bool {
        let Some(delay) = self.next(error, random.fraction()) else { return false };
        tracing::debug!(action = error.action.as_str(), text = %error.text, ?delay, "call failed, trying again");
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        true
    }

    fn next(&mut self, error: &CallError, random: f64) -> Option<Duration> {
        self.failures.push(error.class);
        let alike = self.failures.iter().filter(|&&class| class == error.class).count();
        if alike >= error.class.tries() || self.failures.len() >= MOST_TRIES {
            return None;
        }
        if error.class.is_signed_away() {
            return Some(Duration::ZERO);
        }
        let asked = error.after.unwrap_or_default().min(LONGEST_WAIT);
        Some(self.backoff.delay(self.failures.len(), random).max(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(class: Class) -> usize {
        let mut tries = Tries::new(Backoff::VENDOR);
        let error = CallError::new(Action::new("Action"), class, "text");
        let mut attempts = 1;
        while tries.next(&error, 1.0).is_some() {
            attempts += 1;
        }
        attempts
    }

    #[test]
    fn each_class_has_its_number_of_attempts() {
        for (class, expected) in [
            (Class::Throttled, 6),
            (Class::Unavailable, 6),
            (Class::Garbled, 6),
            (Class::Timeout, 3),
            (Class::Faulty, 3),
            (Class::Unknown, 2),
            (Class::Clock, 2),
            (Class::Credential, 2),
            (Class::Signature, 2),
            (Class::NotReady, 1),
            (Class::Refused, 1),
            (Class::BadRequest, 1),
            (Class::TooBig, 1),
            (Class::Gone, 1),
            (Class::Malformed, 1),
        ] {
            assert_eq!(attempts(class), expected, "{class:?}");
        }
    }

    #[test]
    fn waits_double_to_the_cap_and_jitter_fully() {
        let backoff = Backoff::VENDOR;
        let ceilings: Vec<f64> =
            (1..9).map(|failures| backoff.delay(failures, 1.0).as_secs_f64()).collect();
        assert_eq!(ceilings, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(backoff.delay(3, 0.0), Duration::ZERO);
        assert_eq!(backoff.delay(usize::MAX, 0.5), Duration::from_secs(15));
    }

    #[test]
    fn a_different_failure_does_not_begin_the_count_again() {
        let mut tries = Tries::new(Backoff::VENDOR);
        let error = |class| CallError::new(Action::new("Action"), class, "text");
        for class in [Class::Timeout, Class::Unavailable, Class::Throttled, Class::Timeout] {
            assert!(tries.next(&error(class), 0.5).is_some());
        }
        assert_eq!(tries.next(&error(Class::Timeout), 0.5), None);
    }

    struct Fixed(u64);

    impl Random for Fixed {
        fn number(&self) -> u64 {
            self.0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_chance_that_comes_in_decides_the_wait() {
        let error = CallError::new(Action::new("Action"), Class::Throttled, "text");
        for (number, expected) in [(0, 0), (1 << 62, 125), (1 << 63, 250)] {
            let began = tokio::time::Instant::now();
            assert!(Tries::new(Backoff::VENDOR).wait_after(&error, &Fixed(number)).await);
            assert_eq!(began.elapsed().as_millis(), expected, "{number}");
        }
    }

    #[test]
    fn the_providers_wish_is_respected_within_reason() {
        let mut error = CallError::new(Action::new("Action"), Class::Throttled, "text");
        error.after = Some(Duration::from_secs(7));
        assert_eq!(Tries::new(Backoff::VENDOR).next(&error, 0.0), Some(Duration::from_secs(7)));
        error.after = Some(Duration::from_hours(24));
        assert_eq!(Tries::new(Backoff::VENDOR).next(&error, 0.0), Some(LONGEST_WAIT));
    }

    #[test]
    fn a_providers_text_fits_on_a_line_and_repeats_no_secret() {
        assert_eq!(brief("a\nb\u{1b}[31m"), "a b [31m");
        assert_eq!(brief(&"设".repeat(400)).chars().count(), LONGEST_TEXT + 1);
        let error = CallError::new(Action::new("Action"), Class::Refused, "key hunter2 is unknown");
        assert_eq!(error.without(&["", "is", "hunter2"]).text, "key [secret] is unknown");
    }
}
