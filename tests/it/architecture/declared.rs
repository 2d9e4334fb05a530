//! No file that nobody compiles.

use super::tree::{Sources, Tree, folder, invented, sources};

/// Every crate: its folder and its roots.
const CRATES: &[(&str, &[&str])] = &[
    ("src", &["lib.rs", "main.rs"]),
    ("tests/it", &["main.rs"]),
    ("tests/simulation", &["main.rs"]),
    ("tests/bench", &["main.rs"]),
    ("tests/simulator/src", &["lib.rs"]),
];

fn undeclared(sources: &Sources, tree: &Tree) -> Vec<String> {
    sources.keys().filter(|place| !tree.reached.contains(*place)).cloned().collect()
}

#[test]
fn every_file_is_declared() {
    for (name, roots) in CRATES {
        let sources = sources(&folder(name));
        let wrong = undeclared(&sources, &Tree::new(&sources, roots));
        assert!(wrong.is_empty(), "files of {name} that nobody compiles: {wrong:?}");
    }
}

#[test]
fn a_file_without_a_declaration_is_seen() {
    let files = [("lib.rs", "mod a;"), ("a.rs", ""), ("a/b.rs", ""), ("c/mod.rs", "")];
    let sources = files.iter().map(|(place, _)| ((*place).to_owned(), String::new())).collect();
    assert_eq!(undeclared(&sources, &invented(&files)), ["a/b.rs", "c/mod.rs"]);
}
