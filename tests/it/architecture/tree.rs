//! The files that a crate is made of, as the compiler finds them: from the root along `mod` declarations.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned as _;
use syn::{Attribute, Item};

/// Rust code by its place below a folder, as in `scan/mod.rs`.
pub(super) type Sources = BTreeMap<String, String>;

/// One file that is compiled without tests.
pub(super) struct File {
    /// Its place below the folder.
    pub(super) place: String,
    /// The module that it is, from the root of the crate.
    pub(super) module: Vec<String>,
    pub(super) syntax: syn::File,
    text: String,
}

/// A crate.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    /// Every file that is reached, those of tests included.
    pub(super) reached: BTreeSet<String>,
}

/// Returns a folder of this package.
pub(super) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Reads all Rust files below a folder.
pub(super) fn sources(folder: &Path) -> Sources {
    let mut found = Sources::new();
    gather(folder, folder, &mut found);
    found
}

fn gather(top: &Path, folder: &Path, found: &mut Sources) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(top, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let place = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            found.insert(place, std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Returns the crate in `src`, with the program on top of it.
pub(super) fn package() -> Tree {
    Tree::new(&sources(&folder("src")), &["lib.rs", "main.rs"])
}

impl Tree {
    pub(super) fn new(sources: &Sources, roots: &[&str]) -> Self {
        let mut tree = Self { files: Vec::new(), reached: BTreeSet::new() };
        for root in roots.iter().filter(|root| sources.contains_key(**root)) {
            let module = if *root == "main.rs" { vec!["main".to_owned()] } else { Vec::new() };
            tree.walk(sources, root, module, false);
        }
        tree
    }

    fn walk(&mut self, sources: &Sources, place: &str, module: Vec<String>, test_only: bool) {
        if !self.reached.insert(place.to_owned()) {
            return;
        }
        let text = sources[place].clone();
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{place}: {error}"));
        self.walk_children(sources, &syntax.items, (folder_of(place), &module), test_only);
        if !test_only {
            self.files.push(File { place: place.to_owned(), module, syntax, text });
        }
    }

    fn walk_children(
        &mut self,
        sources: &Sources,
        items: &[Item],
        (folder, module): (String, &[String]),
        test_only: bool,
    ) {
        for item in items {
            let Item::Mod(child) = item else { continue };
            let name = child.ident.to_string();
            let inside = [module, std::slice::from_ref(&name)].concat();
            let test_only = test_only || is_test_only(&child.attrs);
            if let Some((_, items)) = &child.content {
                let folder = format!("{folder}{name}/");
                self.walk_children(sources, items, (folder, &inside), test_only);
                continue;
            }
            let places = [format!("{folder}{name}.rs"), format!("{folder}{name}/mod.rs")];
            for place in places.iter().filter(|place| sources.contains_key(*place)) {
                self.walk(sources, place, inside.clone(), test_only);
            }
        }
    }
}

impl File {
    /// Returns all lines.
    pub(super) fn lines(&self) -> Vec<&str> {
        self.text.lines().collect()
    }

    /// Returns the lines of code: no tests, no comments, no blank lines.
    pub(super) fn code(&self) -> Vec<&str> {
        let tests = test_lines(&self.syntax.items);
        let lines = self.text.lines().zip(1..);
        let lines = lines.filter(|(_, number)| !tests.iter().any(|range| range.contains(number)));
        lines.map(|(line, _)| line).filter(|line| is_code(line)).collect()
    }
}

/// Returns whether a line is neither blank nor a comment.
pub(super) fn is_code(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with("//")
}

/// Returns whether something is compiled for tests only.
pub(super) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

/// Returns the attributes of an item that has a name or a body.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

fn test_lines(items: &[Item]) -> Vec<RangeInclusive<usize>> {
    let tests = items.iter().filter(|item| is_test_only(attributes(item)));
    tests.map(|item| item.span().start().line..=item.span().end().line).collect()
}

/// Returns where the children of a file are: beside a `mod.rs` or root, else in a folder of the file's name.
fn folder_of(place: &str) -> String {
    let (folder, file) =
        place.rsplit_once('/').map_or(("", place), |(folder, file)| (folder, file));
    let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    match file.trim_end_matches(".rs") {
        "mod" | "lib" | "main" => folder,
        name => format!("{folder}{name}/"),
    }
}

/// Returns an invented crate.
pub(super) fn invented(files: &[(&str, &str)]) -> Tree {
    let sources = files.iter().map(|(place, text)| ((*place).to_owned(), (*text).to_owned()));
    Tree::new(&sources.collect(), &["lib.rs"])
}

#[test]
fn only_what_is_for_tests_is_left_out() {
    let tree = invented(&[
        ("lib.rs", "mod a;\n#[cfg(test)]\nmod fake;\nmod b;"),
        ("a.rs", "fn x() {}\n\n#[cfg(test)]\nmod tests;\n// a word\nfn y() {}"),
        ("a/tests.rs", "mod deeper;"),
        ("a/tests/deeper.rs", ""),
        ("fake.rs", ""),
        ("b/mod.rs", "fn x() {}\n#[cfg(test)]\nmod tests {\n    fn z() {}\n}\nfn y() {}"),
        ("nobodys.rs", ""),
    ]);
    let places: Vec<_> = tree.files.iter().map(|file| file.place.as_str()).collect();
    assert_eq!(places, ["a.rs", "b/mod.rs", "lib.rs"]);
    assert_eq!(tree.files[0].code(), ["fn x() {}", "fn y() {}"]);
    assert_eq!(tree.files[1].code(), ["fn x() {}", "fn y() {}"]);
    let reached: Vec<_> = tree.reached.iter().map(String::as_str).collect();
    let all = ["a.rs", "a/tests.rs", "a/tests/deeper.rs", "b/mod.rs", "fake.rs", "lib.rs"];
    assert_eq!(reached, all);
}
