//! The rights that people are told to give are those that are used: no more, no less.

use std::collections::BTreeSet;

use super::KINDS;

const POLICY: &str = include_str!("../../deploy/tencent-cam-policy.json");
const README: &str = include_str!("../../README.md");

/// Returns every action of Tencent Cloud that any source sends, as its access management writes it.
fn used() -> BTreeSet<String> {
    let of_tencent =
        KINDS.iter().filter_map(|kind| Some((kind, kind.name.strip_prefix("tencent-")?)));
    of_tencent
        .flat_map(|(kind, product)| kind.actions.iter().map(move |it| format!("{product}:{it}")))
        .collect()
}

#[test]
fn the_policy_allows_every_action_that_is_used_and_no_other() {
    let policy: serde_json::Value = serde_json::from_str(POLICY).unwrap();
    let statements = policy["statement"].as_array().unwrap();
    let mut allowed = BTreeSet::new();
    for statement in statements {
        assert_eq!(statement["effect"], "allow");
        let actions = statement["action"].as_array().unwrap().iter();
        allowed.extend(actions.map(|action| action.as_str().unwrap().to_owned()));
    }
    assert_eq!(allowed, used());
}

#[test]
fn the_table_of_the_readme_names_every_action_that_is_used() {
    let rows = README.lines().filter(|line| line.starts_with("| `tencent-"));
    let named = rows.flat_map(|row| row.split('`').filter(|word| word.contains(':')));
    assert_eq!(named.map(str::to_owned).collect::<BTreeSet<_>>(), used());
}
