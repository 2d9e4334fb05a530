//! How tests build a channel from configuration text and look at what its service is sent.

use std::sync::Arc;

use super::super::sample::NOW;
use super::super::{Channel, KINDS, Kind, TEST_KINDS, build_of};
use super::Example;
use crate::client::fake::{Fake, Reply, Seen};
use crate::client::http::Http;
use crate::client::limiter::Limiters;
use crate::client::{Deps, NoMeter};
use crate::clock::{SteadyClock, SystemRandom};
use crate::config::{Environment, Mistakes, load};
use crate::expiry::Message;

pub(in crate::channel) const TOKEN: &str = "s3cr3t-t0ken-0123456789";
pub(in crate::channel) const SECRET: &str = "SEC-s3cr3t-signing-key";
pub(in crate::channel) const ROUTING_KEY: &str = "s3cr3t00000000000000000000000000";
pub(in crate::channel) const BEARER: &str = "Bearer s3cr3t-bearer";
const WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// One kind and its example.
pub(in crate::channel) struct Sample {
    pub(in crate::channel) kind: &'static str,
    example: Example,
}

/// Returns every robot, those that exist in tests only as well.
pub(in crate::channel) fn robots() -> impl Iterator<Item = Sample> {
    let of = |kind: &Kind| kind.example.map(|example| Sample { kind: kind.name, example });
    KINDS.iter().chain(TEST_KINDS).filter_map(of)
}

/// Returns the robot of one kind.
pub(in crate::channel) fn robot(kind: &str) -> Sample {
    robots().find(|sample| sample.kind == kind).unwrap()
}

impl Sample {
    /// Starts a service that takes everything.
    pub(in crate::channel) async fn willing(&self) -> Fake {
        service(200, "", self.example.success).await
    }

    /// Builds the channel that posts to `service`.
    pub(in crate::channel) fn channel(&self, service: &Fake) -> Arc<dyn Channel> {
        self.at(&format!("http://{}", service.authority()))
    }

    /// Builds the channel that posts to the host of `base`.
    pub(in crate::channel) fn at(&self, base: &str) -> Arc<dyn Channel> {
        let (channel, mistakes) = self.built(&format!("{base}{}", self.path()));
        assert_eq!(mistakes, Vec::<String>::new(), "{}", self.kind);
        channel.unwrap()
    }

    /// Builds the channel with `url` as its address, or returns what is wrong.
    pub(in crate::channel) fn built(&self, url: &str) -> (Option<Arc<dyn Channel>>, Vec<String>) {
        built(self.kind, url, self.example.options)
    }

    /// Returns the path of the address, with its token.
    pub(in crate::channel) fn path(&self) -> String {
        match self.example.path {
            path if path.contains("$TOKEN") => path.replace("$TOKEN", TOKEN),
            path if path.ends_with('$') => path.trim_end_matches('$').to_owned(),
            path => format!("{path}{TOKEN}"),
        }
    }

    /// Returns whether the address is one secret.
    pub(in crate::channel) fn has_secret_address(&self) -> bool {
        !self.example.options.contains("$BASE")
    }

    /// Returns the option that holds the address.
    pub(in crate::channel) fn address_option(&self) -> &str {
        self.example.options.split(' ').next().unwrap()
    }

    /// Returns the body of a success.
    pub(in crate::channel) const fn success(&self) -> &'static str {
        self.example.success
    }

    /// Sends `message` to a service that takes it, and returns the requests.
    pub(in crate::channel) async fn requests_for(&self, message: &Message) -> Vec<Seen> {
        let service = self.willing().await;
        self.channel(&service).send(message).await.unwrap();
        service.seen()
    }
}

/// Starts a service that answers everything with `status`, `location` and `body`.
pub(in crate::channel) async fn service(status: u16, location: &str, body: &str) -> Fake {
    let (location, body) = (location.to_owned(), body.to_owned());
    Fake::start(move |_, _| Reply::new(status, body.clone()).header("location", &location)).await
}

/// Builds a channel from configuration text, as the daemon does.
pub(in crate::channel) fn built(
    kind: &str,
    url: &str,
    options: &str,
) -> (Option<Arc<dyn Channel>>, Vec<String>) {
    let base = url::Url::parse(url)
        .map_or_else(|_| String::new(), |url| url[..url::Position::BeforePath].to_owned());
    let options = options.replace("$BASE", &base);
    let text =
        format!("[[channel]]\nname = \"ops\"\nkind = \"{kind}\"\n[channel.options]\n{options}\n");
    let environment = Environment::of([
        ("ROBOT_URL", url),
        ("SIGNING_KEY", SECRET),
        ("WEBHOOK_KEY", WHSEC),
        ("SHORT_KEY", "whsec_c2hvcnQ="),
        ("BEARER_TOKEN", BEARER),
        ("BOT_TOKEN", TOKEN),
        ("ROUTING_KEY", ROUTING_KEY),
    ]);
    let (config, _) = load(&text, &environment, |_| None);
    let (config, mut mistakes) = (config.unwrap(), Mistakes::default());
    let kinds = if TEST_KINDS.iter().any(|one| one.name == kind) { TEST_KINDS } else { KINDS };
    let channel = build_of(kinds, &config.channels[0], &deps(), &mut mistakes);
    let reported = mistakes
        .errors
        .into_iter()
        .map(|mistake| format!("{} | {}", text.get(mistake.span).unwrap_or("?"), mistake.text));
    (channel, reported.collect())
}

/// Asserts that a channel with these options is refused, for `expected` and nothing else.
pub(in crate::channel) fn assert_refused(kind: &str, options: &str, expected: &str) {
    let options = format!("url = {{ env = \"ROBOT_URL\" }}\n{options}");
    let (channel, mistakes) = built(kind, "http://127.0.0.1:1/x", &options);
    assert!(channel.is_none(), "{kind} {options}");
    assert!(mistakes.len() == 1 && mistakes[0].contains(expected), "{kind}: {mistakes:?}");
    assert!(!mistakes[0].contains("s3cr3t"), "{mistakes:?}");
}

/// Asserts that nothing of an address or a secret is in what a person may see.
pub(in crate::channel) fn assert_nothing_leaks(shown: &str) {
    for secret in
        [TOKEN, "s3cr3t", "C2FVsBQIhrscChlQIMV", "/hook/", "/services/", "robot/send", "cgi-bin"]
    {
        assert!(!shown.contains(secret), "`{secret}` in {shown}");
    }
}

fn deps() -> Deps {
    Deps {
        http: Http::new().unwrap(),
        limiters: Limiters::default(),
        clock: Arc::new(SteadyClock::starting_at(NOW)),
        random: Arc::new(SystemRandom),
        meter: Arc::new(NoMeter),
    }
}
