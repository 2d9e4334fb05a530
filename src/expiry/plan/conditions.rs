//! Alerts about the daemon itself: conditions that begin and end.

use std::collections::BTreeMap;

use super::super::certificate::Timestamp;

/// Which conditions were said to hold, by a key such as `source-stale:iot-prod`, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    said: BTreeMap<String, Timestamp>,
}

/// What is to be said about conditions, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConditionPlan {
    /// Those that begin.
    pub raise: Vec<String>,
    /// Those that were said and are over.
    pub clear: Vec<String>,
}

impl Conditions {
    /// Returns conditions of which none was said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what is news, given for each condition whether it holds.
    ///
    /// A condition that `states` does not name is not known either way, as after a restart, and stays as it was:
    /// silence is not recovery.
    pub fn plan(&self, states: &BTreeMap<String, bool>) -> ConditionPlan {
        let news = |holds: bool| {
            let differs = move |(key, state): &(&String, &bool)| {
                **state == holds && self.said.contains_key(*key) != holds
            };
            states.iter().filter(differs).map(|(key, _)| key.clone()).collect()
        };
        ConditionPlan { raise: news(true), clear: news(false) }
    }

    /// Writes down that a condition was said to hold.
    pub fn set(&mut self, key: String, at: Timestamp) {
        self.said.insert(key, at);
    }

    /// Forgets a condition: its end was said, or what it is about is not there any more.
    pub fn remove(&mut self, key: &str) -> bool {
        self.said.remove(key).is_some()
    }

    /// Returns since when a condition is said to hold.
    pub fn since(&self, key: &str) -> Option<Timestamp> {
        self.said.get(key).copied()
    }

    /// Returns every condition that is said to hold, and since when.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.said.iter().map(|(key, at)| (key.as_str(), *at))
    }
}

impl FromIterator<(String, Timestamp)> for Conditions {
    fn from_iter<T: IntoIterator<Item = (String, Timestamp)>>(said: T) -> Self {
        Self { said: said.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn check(said: &[&str], states: &[(&str, bool)], raise: &[&str], clear: &[&str]) {
        let conditions: Conditions = said.iter().map(|key| ((*key).to_owned(), NOW)).collect();
        let states = states.iter().map(|(key, holds)| ((*key).to_owned(), *holds)).collect();
        let plan = conditions.plan(&states);
        assert_eq!((plan.raise, plan.clear), (owned(raise), owned(clear)));
    }

    fn owned(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn a_condition_is_raised_once_and_cleared_once() {
        check(&[], &[("a", true), ("b", false)], &["a"], &[]);
        check(&["a"], &[("a", true), ("b", true)], &["b"], &[]);
        check(&["a", "b"], &[("a", false), ("b", true)], &[], &["a"]);
        check(&["b"], &[("a", false), ("b", true)], &[], &[]);
    }

    #[test]
    fn what_is_not_known_is_neither_raised_nor_cleared() {
        check(&["a"], &[], &[], &[]);
    }

    #[test]
    fn conditions_remember_since_when() {
        let mut conditions = Conditions::new();
        conditions.set("clock".to_owned(), NOW);
        assert_eq!(conditions.iter().collect::<Vec<_>>(), [("clock", NOW)]);
        assert_eq!(conditions.since("clock"), Some(NOW));
        assert!(conditions.remove("clock") && !conditions.remove("clock"));
        assert_eq!(conditions.since("clock"), None);
    }
}
