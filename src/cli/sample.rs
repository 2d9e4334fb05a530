//! Messages that are sent to see how they look: about certificates that do not exist.

use clap::ValueEnum;

use crate::expiry::{Event, Facts, Kind, Rung, Severity, Status, Timestamp, Topic, severity};

const DAY: i64 = 86_400;
/// As many as a batch that ends in the same days.
const MANY: i64 = 40;

/// Which kind of message to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Sample {
    /// One certificate that expires soon.
    Single,
    /// A few events in one message.
    List,
    /// More events than are told one by one.
    Digest,
    /// The certificate of `single`, renewed.
    Renewed,
    /// What notafter says about itself.
    #[value(name = "self")]
    Itself,
}

impl Sample {
    /// Returns the events of the message, as they would be told at `at`. `id` makes the id of each.
    pub(super) fn events(self, at: Timestamp, id: impl Fn() -> String) -> Vec<Event> {
        let event = |(severity, topic)| Event { id: id(), at, severity, topic };
        self.topics(at).into_iter().map(event).collect()
    }

    fn topics(self, at: Timestamp) -> Vec<(Severity, Topic)> {
        match self {
            Self::Single => vec![expiring("www", at, 6)],
            Self::List => vec![
                expiring("shop", at, -1),
                expiring("api", at, 2),
                expiring("www", at, 6),
                authority(at),
                stale(at),
            ],
            Self::Digest => {
                let many = (0..MANY).map(|n| expiring(&format!("meter-{n:04}"), at, n / 2 - 1));
                many.chain([stale(at)]).collect()
            }
            Self::Renewed => {
                let (facts, successor) = (facts("www", at, 6), "04ffee".to_owned());
                let successor_not_after = at.plus(96 * DAY);
                vec![(Severity::Info, Topic::Renewed { facts, successor, successor_not_after })]
            }
            Self::Itself => vec![stale(at)],
        }
    }
}

fn facts(name: &str, at: Timestamp, days: i64) -> Facts {
    Facts {
        source: "sample".to_owned(),
        scope: "all".to_owned(),
        issuer: "Sample CA".to_owned(),
        serial: format!("04a1b2c3-{name}"),
        common_name: format!("{name}.sample.example.com"),
        not_before: Some(at.plus((days - 90) * DAY)),
        // A minute more, so that it is whole days still when it arrives.
        not_after: Some(at.plus(days * DAY + 60)),
        ..Facts::bare(Kind::Server, Status::Active)
    }
}

fn expiring(name: &str, at: Timestamp, days: i64) -> (Severity, Topic) {
    let tightest = [1, 3, 7, 14, 30].into_iter().find(|rung| (0..i64::from(*rung)).contains(&days));
    let rung = tightest.map_or(Rung::Expired, |days: u32| Rung::Before(days * 86_400));
    (severity(Status::Active, rung), crossed(facts(name, at, days), rung, None))
}

fn authority(at: Timestamp) -> (Severity, Topic) {
    let facts = Facts { kind: Kind::Ca, ..facts("root", at, 25) };
    let (rung, leaves) = (Rung::Before(30 * 86_400), Some(1234));
    (Severity::Warning, crossed(facts, rung, leaves))
}

fn crossed(facts: Facts, rung: Rung, leaves: Option<u64>) -> Topic {
    Topic::Expiring { facts, rung, leaves, newer: None, unserved: false, places: None }
}

fn stale(at: Timestamp) -> (Severity, Topic) {
    let topic = Topic::SourceStale {
        source: "sample".to_owned(),
        last_proven: Some(at.plus(-3 * 3600)),
        error: Some("this is a sample, nothing is wrong".to_owned()),
    };
    (Severity::Critical, topic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::{Language, Message};

    const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);

    #[test]
    fn each_sample_is_the_kind_of_message_that_it_is_named_after() {
        let mut titles = Vec::new();
        for sample in Sample::value_variants() {
            for language in Language::ALL {
                let events = sample.events(NOW, || "id".to_owned());
                let message = Message::compose("id", NOW, language, events, None);
                titles.push(format!("{}: {}", message.entries.len(), message.title));
            }
        }
        insta::assert_snapshot!(titles.join("\n"), @r"
        0: [notafter] certificate www.sample.example.com expires in 6 days
        0: [notafter] 证书 www.sample.example.com 将在 6 天后到期
        5: [notafter] 5 events: 1 expired, 3 expiring, 1 fault
        5: [notafter] 5 个事件：1 个已过期，3 个将到期，1 个故障
        41: [notafter] 41 events: 2 expired, 38 expiring, 1 fault
        41: [notafter] 41 个事件：2 个已过期，38 个将到期，1 个故障
        0: [notafter] certificate www.sample.example.com is renewed
        0: [notafter] 证书 www.sample.example.com 已续期
        0: [notafter] source sample has no proven scan since 2025-12-31 21:00 (UTC)
        0: [notafter] 来源 sample 自 2025-12-31 21:00 (UTC) 起未能完整读取
        ");
    }
}
