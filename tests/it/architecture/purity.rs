//! The core does no I/O and asks no clock.

use super::layers::module_of;
use super::tree::{Tree, package};

/// What the pure core must not mention.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "serde",
    "tracing",
    "rusqlite",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "async fn",
    ".await",
    "Utc::now",
    "println!",
];

fn impurities(tree: &Tree) -> Vec<String> {
    let core = tree.files.iter().filter(|file| module_of(file) == "expiry");
    let wrong = core.flat_map(|file| {
        let text = file.code().join("\n");
        let words = IMPURE.iter().filter(move |word| text.contains(**word));
        words.map(|word| format!("{}: mentions `{word}`", file.place))
    });
    wrong.collect()
}

#[test]
fn the_core_is_pure() {
    let wrong = impurities(&package());
    assert!(wrong.is_empty(), "the core does no I/O and asks no clock:\n{}", wrong.join("\n"));
}

#[test]
fn what_stands_behind_a_test_module_is_looked_at() {
    let tree = super::tree::invented(&[
        ("lib.rs", "mod expiry;"),
        ("expiry.rs", "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\nuse std::io;\n// std::net"),
    ]);
    assert_eq!(impurities(&tree), ["expiry.rs: mentions `std::io`"]);
}
