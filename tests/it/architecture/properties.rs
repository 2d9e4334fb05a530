//! Property tests keep what failed under `tests/`, and not at the root.

use super::tree::{folder, sources};

#[test]
fn every_property_test_has_the_common_configuration() {
    let wanted = "#![proptest_config(crate::property::";
    let sources = sources(&folder("src"));
    let blocks = |text: &str, word: &str| text.matches(word).count();
    let wrong: Vec<_> = sources
        .iter()
        .filter(|(_, text)| blocks(text, "proptest! {") != blocks(text, wanted))
        .map(|(place, _)| place)
        .collect();
    assert!(wrong.is_empty(), "without `crate::property::config()` or `cases`: {wrong:?}");
}
