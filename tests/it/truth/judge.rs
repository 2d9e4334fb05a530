//! What may be known after a poll, and what may be sent.

use std::collections::{BTreeMap, BTreeSet};

use notafter::facade::expiry::{Facts, Kind, Status, Timestamp};
use notafter::facade::scan::Poll;
use notafter::facade::source::Window;

use super::world::World;
use crate::harness::sample;
use simulator::ORG;
use simulator::fleet::Truth;

/// Scope, issuer and serial.
pub(crate) type Key = (String, String, String);

/// What should be known of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    kind: Option<Kind>,
    not_after: Option<i64>,
    /// What the provider says, mapped; active may be superseded as well.
    status: Status,
    holder: Option<String>,
    common_name: String,
    unit: String,
}

/// What was true at some time, to judge what is known of certificates that are not there any more.
#[derive(Default)]
pub(crate) struct Memory {
    ever: BTreeMap<Key, Expected>,
    /// Polls that began after a certificate had gone.
    polls_since: BTreeMap<Key, u32>,
    known: BTreeSet<Key>,
    /// Those whose end was known at some time.
    dated: BTreeSet<Key>,
    /// MQTT certificates that were ever made, by instance: the next index.
    made: BTreeMap<String, u64>,
    /// Serials that were truly renewed.
    renewed: BTreeSet<String>,
    instances: Vec<String>,
    /// Serials that lost their successor, so that they are spoken of again.
    again: BTreeSet<String>,
}

impl Memory {
    /// Says that a certificate lost its successor.
    pub(crate) fn may_be_sent_again(&mut self, serial: &str) {
        self.again.insert(serial.to_owned());
    }
}

impl World {
    /// Says which MQTT instances there are.
    pub(crate) fn with_instances(mut self, instances: &[&str]) -> Self {
        self.memory.instances = instances.iter().map(|&id| id.to_owned()).collect();
        self
    }

    /// Says that an instance is not there any more.
    pub(crate) fn without_instance(&mut self, instance: &str) {
        self.memory.instances.retain(|id| id != instance);
    }

    /// Says that a certificate was truly renewed.
    pub(crate) fn expect_renewal(&mut self, serial: &str) {
        self.memory.renewed.insert(serial.to_owned());
    }

    /// Returns what is true now.
    pub(crate) fn truth(&self) -> BTreeMap<Key, Expected> {
        let mut truth = BTreeMap::new();
        let mut put = |scope: &str, one: Truth, expected: fn(&Truth) -> Expected| {
            let expected = expected(&one);
            truth.insert((scope.to_owned(), one.issuer, one.serial), expected);
        };
        match self.kind {
            "tencent-mqtt" => {
                for instance in &self.memory.instances {
                    self.simulator.mqtt().each_truth(instance, |one| put(instance, one, device));
                    for one in self.simulator.mqtt().authorities(instance) {
                        put(instance, one, authority);
                    }
                }
            }
            "tencent-ssl" => {
                self.simulator.ssl().truth().into_iter().for_each(|one| put("all", one, server));
            }
            _ => self.simulator.enos().truth().into_iter().for_each(|one| put(ORG, one, meter)),
        }
        truth
    }

    /// Polls the whole source and judges what came of it. Answers with the poll and whether everything is known.
    pub(crate) async fn poll(&mut self) -> (Poll, bool) {
        self.poll_and_judge(Window::All).await
    }

    pub(crate) async fn poll_and_judge(&mut self, window: Window) -> (Poll, bool) {
        let before = self.truth();
        self.remember_ends(&before);
        let poll = self.poll_window(window).await;
        let after = self.truth();
        let known: BTreeMap<Key, Facts> = self.known().await.into_iter().map(by_key).collect();
        self.count_polls_of_the_gone(&known, &after);
        let whole =
            before.keys().filter(|key| after.contains_key(*key)).all(|key| known.contains_key(key));
        self.remember_ends(&after);
        self.judge_known(&known, &after);
        self.judge_said().await;
        let wrong = known.iter().find(|(key, facts)| !self.is_right(key, facts));
        let everything = whole && wrong.is_none();
        if window == Window::All {
            let expected = wrong.map(|(key, _)| self.memory.ever.get(key));
            assert!(!poll.proven || whole, "called proven, and something was not read");
            assert!(!poll.proven || everything, "called proven, and wrong: {wrong:?} {expected:?}");
            self.judge_proof(&poll).await;
        }
        let dated = known.iter().filter(|(_, facts)| facts.not_after.is_some());
        self.memory.dated.extend(dated.map(|(key, _)| key.clone()));
        self.memory.known = known.into_keys().collect();
        (poll, everything)
    }

    /// Polls and asserts that everything is known, and nothing else.
    pub(crate) async fn poll_well(&mut self, why: &str) {
        let (poll, everything) = self.poll().await;
        assert!(poll.proven && everything, "{why}: {poll:?} {:?}", self.status());
    }

    /// Returns whether what is known is what is there, no more and no less.
    pub(crate) async fn is_equal(&self) -> bool {
        let known: BTreeSet<Key> = self.known().await.into_iter().map(|it| by_key(it).0).collect();
        known == self.truth().into_keys().collect()
    }

    /// A certificate may go within a poll, and even come and go: a second reading of that poll may miss it.
    fn count_polls_of_the_gone(
        &mut self,
        known: &BTreeMap<Key, Facts>,
        truth: &BTreeMap<Key, Expected>,
    ) {
        let ever: BTreeSet<&Key> = self.memory.known.iter().chain(known.keys()).collect();
        let gone = ever.into_iter().filter(|key| !truth.contains_key(*key));
        let gone: Vec<Key> = gone.cloned().collect();
        for key in gone {
            *self.memory.polls_since.entry(key).or_default() += 1;
        }
    }

    fn remember_ends(&mut self, truth: &BTreeMap<Key, Expected>) {
        for (key, expected) in truth {
            if self.memory.ever.get(key) != Some(expected) {
                self.memory.ever.insert(key.clone(), expected.clone());
            }
        }
        if self.kind == "tencent-mqtt" {
            self.remember_what_came_and_went();
        }
    }

    /// A certificate may be made and deleted while a scan is under way.
    fn remember_what_came_and_went(&mut self) {
        for instance in self.memory.instances.clone() {
            let mqtt = self.simulator.mqtt();
            let next = mqtt.insert(&instance, 0).start;
            let made = self.memory.made.insert(instance.clone(), next).unwrap_or_default();
            for index in made..next {
                let one = mqtt.one(&instance, index);
                let expected = device(&one);
                let key = (instance.clone(), one.issuer, one.serial);
                self.memory.ever.entry(key).or_insert(expected);
            }
        }
    }

    /// Nothing vanishes but what is truly gone, twice confirmed; no time is wrong.
    fn judge_known(&self, known: &BTreeMap<Key, Facts>, truth: &BTreeMap<Key, Expected>) {
        for key in self.memory.known.iter().filter(|key| !known.contains_key(*key)) {
            assert!(!truth.contains_key(key), "a false removal: {key:?}");
            let polls = self.memory.polls_since.get(key).copied().unwrap_or_default();
            assert!(polls >= 2, "{key:?} is gone after {polls} polls");
        }
        for (key, facts) in known {
            let expected = self.memory.ever.get(key);
            let expected = expected.unwrap_or_else(|| panic!("never heard of {key:?}"));
            let end = facts.not_after.map(Timestamp::seconds);
            let unheard = end.is_none() && !self.memory.dated.contains(key);
            assert!(
                end == expected.not_after || unheard,
                "a wrong time: {key:?} {end:?} {expected:?}"
            );
        }
    }

    async fn judge_said(&self) {
        for channel in ["ops", "critical"] {
            let sent = self.sent(channel).await;
            for (serial, _) in sent.renewed() {
                assert!(self.memory.renewed.contains(&serial), "a false renewal: {serial}");
            }
            let once = |(_, serial, _): &Key| !self.memory.again.contains(serial);
            let twice = sent.rungs().into_iter().find(|(key, times)| once(key) && *times > 1);
            assert_eq!(twice, None, "sent twice to {channel}");
        }
    }

    /// Only what is whole is proven; what is not says why.
    async fn judge_proof(&self, poll: &Poll) {
        let status = self.status();
        assert_eq!(status.up, Some(poll.error.is_none()));
        if poll.proven {
            assert_eq!(status.last_error, None);
            return;
        }
        assert!(status.last_error.is_some(), "not proven, and nobody says why");
        let scrape = self.scrape().await;
        let up = sample(&scrape, &format!("notafter_source_up{{source=\"{}\"}}", self.kind));
        assert_eq!(up, Some(if poll.error.is_none() { 1.0 } else { 0.0 }));
    }

    fn is_right(&self, key: &Key, facts: &Facts) -> bool {
        let Some(expected) = self.memory.ever.get(key) else { return false };
        let end = facts.not_after.map(Timestamp::seconds);
        let status = match facts.status {
            Status::Superseded if expected.status == Status::Active => Status::Active,
            other => other,
        };
        // An end that nobody has reported yet is unknown, and says so.
        let unheard = end.is_none() && !self.memory.dated.contains(key);
        let wanted = if end.is_none() { Status::Undated } else { expected.status };
        (end == expected.not_after || unheard)
            && (status == wanted || self.kind == "enos" && facts.status == Status::Superseded)
            && expected.kind.is_none_or(|kind| kind == facts.kind)
            && expected.holder.as_ref().is_none_or(|holder| *holder == facts.holder)
            && facts.common_name == expected.common_name
            && facts.unit == expected.unit
    }
}

fn by_key(facts: Facts) -> (Key, Facts) {
    ((facts.scope.clone(), facts.issuer.clone(), facts.serial.clone()), facts)
}

fn device(truth: &Truth) -> Expected {
    let status = match truth.status.as_str() {
        "ACTIVE" => Status::Active,
        "INACTIVE" => Status::Inactive,
        "REVOKED" => Status::Revoked,
        _ => Status::Pending,
    };
    Expected {
        kind: Some(Kind::Device),
        not_after: truth.not_after,
        status,
        holder: Some(truth.holder.clone()),
        common_name: truth.common_name.clone(),
        unit: truth.unit.clone(),
    }
}

fn authority(truth: &Truth) -> Expected {
    Expected { kind: Some(Kind::Ca), holder: None, ..device(truth) }
}

fn server(truth: &Truth) -> Expected {
    let status = match truth.status.as_str() {
        "1" | "3" | "9" | "11" | "12" | "15" => Status::Active,
        "10" => Status::Revoked,
        "2" | "6" | "7" | "14" => Status::Retired,
        _ => Status::Pending,
    };
    Expected { kind: None, status, ..device(truth) }
}

/// What it is called: the simulator has its asset as its holder, the daemon what an operator knows it by. An expired
/// one that has been replaced is superseded, which is notified elsewhere.
fn meter(truth: &Truth) -> Expected {
    let status = if truth.status == "1" { Status::Revoked } else { Status::Active };
    Expected {
        kind: Some(Kind::Device),
        not_after: truth.not_after,
        status,
        holder: Some(format!("{}/{}", truth.unit, truth.common_name)),
        common_name: truth.holder.clone(),
        unit: "EnOS".to_owned(),
    }
}
