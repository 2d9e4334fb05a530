//! The folder listing is the architecture: layers, purity of the core, no undeclared file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Modules from the bottom up. A module uses the rows above its own here, never one of its own row.
const LAYERS: &[&[&str]] = &[
    &["expiry"],
    &["clock", "config"],
    &["client"],
    &["source", "channel", "store", "metrics"],
    &["scan"],
    &["schedule", "pipeline", "outbox", "web"],
    &["app"],
    &["cli"],
    &["main", "lib"],
];

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

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(src()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn layer_of(module: &str) -> usize {
    LAYERS.iter().position(|row| row.contains(&module)).unwrap_or_else(|| {
        panic!("module `{module}` is not in the design; add it to a layer there and here")
    })
}

/// Returns the code before the tests of a file, without comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let before = text.split("#[cfg(test)]\nmod ").next().unwrap();
    before
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns the modules that `text` names after `crate::`, groups included.
fn used(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(group.split('}').next().unwrap().split(',').map(first_word));
        } else {
            found.insert(first_word(rest));
        }
    }
    found.remove("");
    found
}

fn first_word(text: &str) -> String {
    text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn a_module_uses_only_the_layers_below_it() {
    let mut wrong = Vec::new();
    for path in files(&src()) {
        let module = module_of(&path);
        let layer = layer_of(&module);
        if module == "lib" {
            continue;
        }
        for other in used(&code(&path)) {
            if other != module && layer_of(&other) >= layer {
                wrong.push(format!("{}: `{module}` uses `{other}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go upward or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn the_core_is_pure() {
    let mut wrong = Vec::new();
    for path in files(&src().join("expiry")) {
        let code = code(&path);
        for word in IMPURE.iter().filter(|word| code.contains(**word)) {
            wrong.push(format!("{}: mentions `{word}`", path.display()));
        }
    }
    assert!(wrong.is_empty(), "the core does no I/O and asks no clock:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_is_declared() {
    let mut wrong = Vec::new();
    for path in files(&src()) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if matches!(stem, "main" | "lib") {
            continue;
        }
        let (name, parent) = if stem == "mod" {
            let folder = path.parent().unwrap();
            (folder.file_name().unwrap().to_str().unwrap(), folder.parent().unwrap())
        } else {
            (stem, path.parent().unwrap())
        };
        let owner = ["lib.rs", "mod.rs"]
            .map(|file| parent.join(file))
            .into_iter()
            .find(|file| file.exists());
        let owner = owner.unwrap_or_else(|| parent.with_extension("rs"));
        let declared = std::fs::read_to_string(&owner).is_ok_and(|text| {
            text.lines().any(|line| line.trim_end().ends_with(&format!("mod {name};")))
        });
        if !declared {
            wrong.push(format!("{} is not declared in {}", path.display(), owner.display()));
        }
    }
    assert!(wrong.is_empty(), "files that nobody compiles:\n{}", wrong.join("\n"));
}

#[test]
fn the_checks_themselves_see_what_they_look_for() {
    assert_eq!(
        used("use crate::{store::Store, web};\ncrate::app::run()"),
        ["app", "store", "web"].map(String::from).into()
    );
    assert!(layer_of("pipeline") > layer_of("scan"));
    assert_eq!(layer_of("source"), layer_of("store"));
}
