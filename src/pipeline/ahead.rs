//! What will hurt later: authorities that end before what they signed. Each is said once, from long before.
//!
//! What was said stands as a condition for as long as the authority is known with that end. Where it is not true for a while, or
//! is snoozed, what waits of it is settled; when it is true again it is said to those alone who were not told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Pipeline;
use super::decide::routed;
use crate::expiry::{
    Ahead, Condition, EndsFirst, Event, Facts, Occasion, ScopeId, Severity, Timestamp, Topic,
};
use crate::store::{About, Post};

/// Seconds after which it is looked again although nothing changed: time passes.
const LOOK_AGAIN: i64 = 60;

/// What is ahead, as the newest saved state has it, and what was said of that.
#[derive(Default)]
pub(super) struct Foresight {
    ends_first: Vec<EndsFirst>,
    /// What was said, and whether it is to be heard. What was said before the start is not among it until it is looked at.
    said: BTreeMap<Condition, bool>,
    /// The scopes that were read to their end, and the state of the inventory that showed that.
    read: BTreeMap<ScopeId, u64>,
    /// What readers see.
    shown: Arc<Ahead>,
    /// When everything was last looked at, and the snoozes of then; `None`: it is time.
    looked: Option<(Timestamp, u64)>,
}

/// An authority to warn of.
struct Warning {
    condition: Condition,
    about: EndsFirst,
}

impl Foresight {
    /// Takes what the newest saved state has.
    pub(super) fn take(&mut self, ends_first: Vec<EndsFirst>) {
        if self.ends_first != ends_first {
            self.ends_first = ends_first;
            self.looked = None;
        }
    }

    /// Routes may have changed: who was not told is told of what stands.
    pub(super) fn look_again(&mut self) {
        self.said.clear();
        self.looked = None;
    }

    /// Returns what readers see.
    pub(super) fn shown(&self) -> Arc<Ahead> {
        Arc::clone(&self.shown)
    }

    fn is_due(&self, now: Timestamp, snoozes: u64) -> bool {
        let is_late = |at: Timestamp| !(0..LOOK_AGAIN).contains(&now.since(at));
        self.looked.is_none_or(|(at, then)| is_late(at) || then != snoozes)
    }

    fn is_said(&self, condition: &Condition) -> bool {
        self.said.get(condition) == Some(&true)
    }
}

impl Pipeline {
    /// Says what is ahead and was not said, and takes back what is true no more before it was heard.
    pub(super) async fn notify_ahead(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let snoozes = self.quiet.snoozes().tag();
        if !self.foresight.is_due(now, snoozes) {
            return Ok(());
        }
        let (warnings, is_sure) = self.warnings(now);
        self.take_back(&warnings);
        self.warn_of(&warnings, now).await?;
        self.foresight.looked = is_sure.then_some((now, snoozes));
        self.show_ahead(&warnings);
        Ok(())
    }

    /// Returns what is to be warned of, and whether that is all: of what is being read for the first time, or was not found
    /// just now, nothing new is said.
    fn warnings(&mut self, now: Timestamp) -> (Vec<Warning>, bool) {
        let (mut warnings, mut is_sure) = (Vec::new(), true);
        let names = self.scope_names();
        let due = self.foresight.ends_first.iter().filter(|it| it.is_due(now));
        for about in due.copied().collect::<Vec<_>>() {
            let Some((source, scope)) = names.get(&about.scope) else { continue };
            let key = (about.signs, about.end.seconds());
            let condition = Condition::EndsFirst(source.to_string(), scope.to_string(), key);
            let stands = self.checks.holds(&condition);
            if self.is_authority(&about) && (stands || self.is_settled(&about, source, scope)) {
                warnings.push(Warning { condition, about });
            } else {
                is_sure = false;
            }
        }
        (warnings, is_sure)
    }

    /// Returns whether a certificate is the authority still that the newest saved state had under its number.
    fn is_authority(&self, about: &EndsFirst) -> bool {
        let known = self.inventory.row(about.row);
        known.is_some_and(|it| it.scope == about.scope && it.not_after == Some(about.end))
    }

    fn is_settled(&mut self, about: &EndsFirst, source: &str, scope: &str) -> bool {
        if !self.sources.is_read(source, scope) || self.is_unsure(about.row) {
            return false;
        }
        // What was read last may not be saved yet, and not be counted.
        let version = self.inventory.version();
        let read = *self.foresight.read.entry(about.scope).or_insert(version);
        self.outputs.view.borrow().version() >= read
    }

    /// Forgets what was said of authorities that are known no more with that end, and settles what waits of others that are not
    /// to be warned of.
    fn take_back(&mut self, warnings: &[Warning]) {
        let due: BTreeSet<&Condition> = warnings.iter().map(|one| &one.condition).collect();
        let view = Arc::clone(&self.outputs.view.borrow());
        for condition in self.checks.ahead() {
            let Condition::EndsFirst(source, scope, (signs, end)) = &condition else { continue };
            let end = Timestamp::from_seconds(*end);
            let scope = view.find_scope(source, scope);
            if scope.is_none_or(|scope| !view.has_authority(scope, *signs, end)) {
                self.foresight.said.remove(&condition);
                self.end(&condition, None);
            } else if !due.contains(&condition) {
                self.hush(condition);
            }
        }
    }

    /// What was said is not to be heard for now.
    fn hush(&mut self, condition: Condition) {
        if self.checks.holds(&condition) && self.foresight.said.get(&condition) != Some(&false) {
            let (about, at) = (About::Condition(condition.key()), self.parts.clock.now());
            self.draft.post(Post::Held { about, at });
            self.foresight.said.insert(condition, false);
        }
    }

    /// Says what was not said, or not to everybody. A snooze may have been made or have ended since.
    async fn warn_of(&mut self, warnings: &[Warning], now: Timestamp) -> anyhow::Result<()> {
        let all = !self.quiet.snoozes().is_empty();
        let asked = warnings.iter().filter(|one| all || !self.foresight.is_said(&one.condition));
        let asked: Vec<&Warning> = asked.collect();
        if asked.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = asked.iter().map(|one| one.about.row).collect();
        for (one, facts) in asked.into_iter().zip(self.facts(&rows).await?) {
            let Some(facts) = facts else { continue };
            let event = self.ends_first(&one.about, facts);
            if self.quiet.hushing(&event, now).is_some() {
                self.hush(one.condition.clone());
            } else if !self.foresight.is_said(&one.condition) {
                self.warn(one.condition.clone(), event);
            }
        }
        Ok(())
    }

    fn ends_first(&self, about: &EndsFirst, facts: Facts) -> Event {
        let places = self.places_of(about.row);
        let topic = Topic::EndsFirst { facts, leaves: about.leaves, places };
        self.event(Severity::Warning, topic, &Occasion::First)
    }

    /// Says it for the first time, or to those whose routes lead there now and who were not told.
    fn warn(&mut self, condition: Condition, event: Event) {
        let channels = routed(&self.settings.config, &event);
        if self.checks.holds(&condition) {
            let about = About::Condition(condition.key());
            self.draft.post(Post::Say { event, channels, about });
        } else if channels.is_empty() {
            // What goes to nobody is not said.
            return;
        } else {
            self.raise(condition.clone(), event.topic);
        }
        self.foresight.said.insert(condition, true);
    }

    fn show_ahead(&mut self, warnings: &[Warning]) {
        let heard = warnings.iter().filter(|one| self.foresight.is_said(&one.condition));
        let ahead = Ahead { ends_first: heard.map(|one| one.about).collect() };
        if *self.foresight.shown != ahead {
            self.foresight.shown = Arc::new(ahead);
            let view = Arc::clone(&self.outputs.view.borrow());
            self.publish(view);
        }
    }
}
