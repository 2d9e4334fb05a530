//! Where messages go: one file per chat service, one line in [`KINDS`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::client::Deps;
use crate::config::{ChannelConfig, Fields, Key, KindKeys, Mistakes, one_of, quoted};
use crate::expiry::Message;

use means::Means;

mod address;
mod alertmanager;
mod canary;
mod dingtalk;
mod discord;
mod email;
mod feishu;
mod fit;
mod google_chat;
mod keys;
mod labels;
mod markdown;
mod mattermost;
mod means;
mod ntfy;
mod options;
mod pagerduty;
#[cfg(test)]
mod pigeon;
mod post;
mod robot;
#[cfg(test)]
mod sample;
mod sign;
mod slack;
mod teams;
mod telegram;
mod ticket;
mod verdict;
mod webhook;
mod wecom;

pub use canary::{CanaryRefusal, CanaryRequest, CanaryStage, CanaryStep};
pub use ticket::{BadTicket, LinkKey, Ticket, token_hash};

/// A chat service, or one robot of it.
///
/// Schedules, gates and the ledger belong to the outbox around it.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Returns what the requests say that carry the message, one text a request, each with a verdict of its own.
    ///
    /// They are kept in the store until the message's fate is known, so that a repetition says the same bytes: nothing of a
    /// credential or of the address is in them. What depends on the attempt is added by [`Channel::send_page`].
    fn encode(&self, message: &Message) -> Vec<String>;

    /// Delivers one page, once. The verdict comes from status and body together.
    async fn send_page(&self, page: Page<'_>) -> Result<Receipt, SendError>;

    /// Delivers one message, once, up to the first page that is not delivered.
    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let bodies = self.encode(message);
        let mut receipt = Receipt::default();
        for index in 0..bodies.len() {
            if index > 0 {
                tokio::time::sleep(self.pace().gap).await;
            }
            if let Some(page) = Page::of(&message.id, &bodies, index) {
                receipt = self.send_page(page).await?;
            }
        }
        Ok(receipt)
    }

    /// Returns how fast the service may be used.
    fn pace(&self) -> Pace;

    /// Returns the bodies of a message that is told again, as the last one was. `clock_trusted`: whether the machine's clock is.
    fn encode_again(&self, message: &Message, _clock_trusted: bool) -> Vec<String> {
        self.encode(message)
    }

    /// Returns how often the service wants to hear again what is open, if it forgets what is not repeated.
    fn resend(&self) -> Option<Duration> {
        None
    }

    /// Returns a short digest of the destination: two channels with one destination share one pace.
    fn destination(&self) -> String;
}

/// One request of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// The request's own id, the receiver's idempotency key: the message's, numbered when there are several requests.
    pub id: String,
    /// What it says, as [`Channel::encode`] returned it.
    pub body: &'a str,
}

impl<'a> Page<'a> {
    /// Returns one request of a message, counted from 0; `None` after the last.
    pub fn of(message: &str, bodies: &'a [String], index: usize) -> Option<Self> {
        let body = bodies.get(index)?;
        Some(Self { id: Self::id_of(message, index, bodies.len()), body })
    }

    /// Returns the id of one of `count` requests of a message.
    fn id_of(message: &str, index: usize, count: usize) -> String {
        if count == 1 { message.to_owned() } else { format!("{message}-{}", index + 1) }
    }
}

/// What the service answered to a delivered message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The service's own id for the message, where it gives one.
    pub id: Option<String>,
}

/// Where the verdict on a test goes.
pub type TestAnswer = tokio::sync::oneshot::Sender<Result<Receipt, SendError>>;

/// How fast a service may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The least time between two messages.
    pub gap: Duration,
    /// Messages in any minute.
    pub per_minute: u32,
}

/// Why a message was not delivered, by what the outbox should do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The service asks for a pause. Not an attempt.
    #[error("throttled: {code}")]
    Throttled {
        /// How long to wait.
        after: Duration,
        /// The service's word for it.
        code: String,
    },
    /// A passing fault.
    #[error("{code}")]
    Retry {
        /// How long the service asked us to wait.
        after: Option<Duration>,
        /// What happened.
        code: String,
    },
    /// The request was written and no verdict came back; the message may have arrived.
    #[error("no verdict: {code}")]
    Ambiguous {
        /// What happened.
        code: String,
    },
    /// This payload will never be accepted; a shorter or plainer one may be.
    #[error("message refused: {code}")]
    RejectMessage {
        /// The service's word for it.
        code: String,
    },
    /// The robot or its credential does not work; a person must act.
    #[error("channel down: {code}: {hint}")]
    ChannelDown {
        /// The service's word for it.
        code: String,
        /// What to do.
        hint: String,
    },
}

impl SendError {
    /// Returns the metric label, from a closed list.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "throttled",
            Self::Retry { .. } => "retry",
            Self::Ambiguous { .. } => "ambiguous",
            Self::RejectMessage { .. } => "rejected",
            Self::ChannelDown { .. } => "down",
        }
    }

    /// Returns the service's word for it, or ours.
    pub fn code(&self) -> &str {
        match self {
            Self::Throttled { code, .. }
            | Self::Retry { code, .. }
            | Self::Ambiguous { code }
            | Self::RejectMessage { code }
            | Self::ChannelDown { code, .. } => code,
        }
    }

    /// Returns whether nobody knows what the answer means: it is retried a few times and no more.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Retry { code, .. } if code.starts_with(Self::UNKNOWN))
    }

    /// Returns whether the address is not found, which may pass: load balancers answer so while a service is deployed.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::ChannelDown { code, .. } if *code == format!("http {}", Self::NOT_FOUND))
    }

    /// What the code of an answer begins with that nobody knows the meaning of.
    pub const UNKNOWN: &str = "unknown: ";

    const NOT_FOUND: u16 = 404;
}

/// A kind of channel: its name in configuration and how to build one from its options.
pub struct Kind {
    /// The word after `kind =`.
    pub name: &'static str,
    /// What it is, in one sentence.
    about: &'static str,
    /// What may stand in its options, beside what every channel can be told.
    options: &'static [Key],
    /// Reads the options, reporting every mistake, and builds the channel when there is none.
    build: fn(Fields<'_>, &Means) -> Option<Arc<dyn Channel>>,
    /// What the tests of every webhook service configure.
    #[cfg(test)]
    example: Option<robot::Example>,
}

impl Kind {
    /// Returns the kind of a webhook service.
    const fn robot<R: robot::Robot>(name: &'static str) -> Self {
        Self {
            name,
            about: R::ABOUT,
            options: R::OPTIONS,
            build: robot::build::<R>,
            #[cfg(test)]
            example: Some(R::EXAMPLE),
        }
    }
}

/// Every kind, sorted by name.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "alertmanager",
        about: alertmanager::ABOUT,
        options: alertmanager::OPTIONS,
        build: alertmanager::build,
        #[cfg(test)]
        example: None,
    },
    Kind::robot::<dingtalk::DingTalk>("dingtalk"),
    Kind::robot::<discord::Discord>("discord"),
    Kind {
        name: "email",
        about: email::ABOUT,
        options: email::OPTIONS,
        build: email::build,
        #[cfg(test)]
        example: None,
    },
    Kind::robot::<feishu::Feishu>("feishu"),
    Kind::robot::<google_chat::GoogleChat>("google-chat"),
    Kind::robot::<mattermost::Mattermost>("mattermost"),
    Kind::robot::<ntfy::Ntfy>("ntfy"),
    Kind::robot::<pagerduty::PagerDuty>("pagerduty"),
    Kind::robot::<slack::Slack>("slack"),
    Kind::robot::<teams::Teams>("teams"),
    Kind::robot::<telegram::Telegram>("telegram"),
    Kind::robot::<webhook::Webhook>("webhook"),
    Kind::robot::<wecom::WeCom>("wecom"),
];

/// Returns what may stand in the options of each kind, beside what every channel can be told.
pub fn keys() -> Vec<KindKeys> {
    let of = |kind: &Kind| KindKeys {
        name: kind.name,
        about: kind.about,
        options: kind.options.to_vec(),
    };
    KINDS.iter().map(of).collect()
}

/// Kinds that exist in tests only.
#[cfg(test)]
const TEST_KINDS: &[Kind] = &[Kind::robot::<pigeon::Pigeon>("pigeon")];

/// Builds the channel that `config` describes, or reports what is wrong with it.
pub fn build(
    config: &ChannelConfig,
    deps: &Deps,
    mistakes: &mut Mistakes,
) -> Option<Arc<dyn Channel>> {
    build_of(KINDS, config, deps, mistakes)
}

fn build_of(
    kinds: &[Kind],
    config: &ChannelConfig,
    deps: &Deps,
    mistakes: &mut Mistakes,
) -> Option<Arc<dyn Channel>> {
    let Some(kind) = kinds.iter().find(|kind| kind.name == config.kind.value) else {
        let word = &config.kind.value;
        let known: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
        mistakes.push(
            config.kind.span.clone(),
            format!("unknown channel kind {}; {}", quoted(word), one_of(word, &known)),
        );
        return None;
    };
    // What is wrong with its options is reported in the same breath.
    let means = Means::of(config, deps, mistakes);
    (kind.build)(Fields::new(&config.options, mistakes), &means)
}

#[cfg(test)]
mod tests {
    use super::robot::kit::built;
    use super::*;

    #[test]
    fn an_unknown_kind_names_the_known_ones_and_the_nearest() {
        let (channel, mistakes) = built("slak", "http://127.0.0.1:1/x", "");
        assert!(channel.is_none());
        let said = "unknown channel kind `slak`; did you mean `slack`? (known: alertmanager, dingtalk, discord, email, feishu, \
                    google-chat, mattermost, ";
        assert!(mistakes[0].contains(said), "{mistakes:?}");
    }

    #[test]
    fn kinds_are_sorted_and_each_has_an_example() {
        let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        assert!(names.is_sorted() && names.len() == 14, "{names:?}");
        let others: Vec<_> = KINDS.iter().filter(|kind| kind.example.is_none()).collect();
        assert_eq!(
            others.iter().map(|kind| kind.name).collect::<Vec<_>>(),
            ["alertmanager", "email"]
        );
    }
}
