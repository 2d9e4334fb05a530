//! What the documents name for those who change the code is there: files, folders, commands.

use super::tree::folder;

const CONTRIBUTING: &str = include_str!("../../../CONTRIBUTING.md");
const README: &str = include_str!("../../../README.md");
const OPERATIONS: &str = include_str!("../../../OPERATIONS.md");
const SECURITY: &str = include_str!("../../../SECURITY.md");
const LIBRARY: &str = include_str!("../../../src/lib.rs");
const CARGO: &str = include_str!("../../../Cargo.toml");
const ALIASES: &str = include_str!("../../../.cargo/config.toml");

/// What a path of this repository begins with.
const FOLDERS: &[&str] = &["src/", "tests/", "config/", "deploy/", ".github/", ".cargo/"];

/// Subcommands that come with cargo.
const BUILTIN: &[&str] = &["bench", "build", "doc", "run", "test"];

/// Returns the paths that a document names, each up to its `<placeholder>`.
fn paths(text: &str) -> Vec<&str> {
    let ends = |c: char| c.is_whitespace() || "`()[],;:\"".contains(c);
    let words = text.split(ends).filter(|word| FOLDERS.iter().any(|it| word.starts_with(it)));
    let known = words.map(|word| word.split('<').next().unwrap_or(word).trim_end_matches('.'));
    known.collect()
}

fn missing(text: &str) -> Vec<&str> {
    paths(text).into_iter().filter(|path| !folder(path).exists()).collect()
}

/// Returns the calls of cargo in a document, word by word.
fn calls(text: &str) -> Vec<Vec<&str>> {
    let ends = |c: char| "`\n#".contains(c);
    let calls = text.split(ends).filter_map(|call| call.trim().rsplit_once("cargo "));
    calls.map(|(_, call)| call.split_whitespace().collect()).collect()
}

/// Returns whether cargo, and what it is asked to build or filter by, is there.
fn works(call: &[&str]) -> bool {
    let after = |option: &str| {
        let at = call.iter().position(|word| *word == option)?;
        call.get(at + 1).copied()
    };
    let named =
        |name: Option<&str>| name.is_none_or(|it| CARGO.contains(&format!("name = \"{it}\"")));
    let profile = |it: &str| CARGO.contains(&format!("[profile.{it}]"));
    let module = |word: &&&str| word.strip_suffix("::").is_some_and(|it| !is_module(call, it));
    call.first().is_some_and(|it| BUILTIN.contains(it) || ALIASES.contains(&format!("{it} = ")))
        && named(after("--test"))
        && named(after("--bench"))
        && after("--profile").is_none_or(profile)
        && call.iter().find(module).is_none()
}

/// Returns whether a filter of tests names a module of the crate that they are in.
fn is_module(call: &[&str], name: &str) -> bool {
    let root = if call.contains(&"--lib") { "src" } else { "tests/it" };
    folder(&format!("{root}/{name}")).is_dir() || folder(&format!("{root}/{name}.rs")).is_file()
}

#[test]
fn every_path_in_the_documents_exists() {
    for (name, text) in [
        ("CONTRIBUTING", CONTRIBUTING),
        ("README", README),
        ("OPERATIONS", OPERATIONS),
        ("SECURITY", SECURITY),
        ("lib", LIBRARY),
    ] {
        assert_eq!(missing(text), <[&str; 0]>::default(), "{name}");
    }
    assert!(paths(CONTRIBUTING).len() > 20, "{:?}", paths(CONTRIBUTING));
}

#[test]
fn every_command_in_contributing_works() {
    let calls = calls(CONTRIBUTING);
    assert!(calls.len() > 4, "{calls:?}");
    let wrong: Vec<_> = calls.iter().filter(|call| !works(call)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn what_is_not_there_is_seen() {
    let text = "`src/lib.rs`, `src/nothing.rs`: see tests/nothing. `src/source/<kind>.rs` and [it](config/none.toml)";
    assert_eq!(missing(text), ["src/nothing.rs", "tests/nothing", "config/none.toml"]);
    let text = "cargo demo  # all\ncargo sing\ncargo test --lib scan::\n`cargo test --lib nothing::` `cargo bench --bench no`";
    let wrong: Vec<_> = calls(text).into_iter().filter(|call| !works(call)).collect();
    let seen = [vec!["sing"], vec!["test", "--lib", "nothing::"], vec!["bench", "--bench", "no"]];
    assert_eq!(wrong, seen);
}
