//! Small files, small functions. Tests, comments and blank lines do not count.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, Item, ItemFn, Signature, TraitItemFn};

use super::tree::{Tree, attributes, folder, invented, is_code, is_test_only, package, sources};

const MOST_LINES_OF_A_FILE: usize = 400;
const MOST_LINES_OF_A_FUNCTION: usize = 60;
/// Half of the functions of `src` are no longer than this.
const MEDIAN_LINES_OF_A_FUNCTION: usize = 9;

/// Files of `src` that still wait to be split. Nothing is ever added here.
const KNOWN: &[&str] = &[];

fn too_long(tree: &Tree, most: usize) -> Vec<String> {
    let sizes = tree.files.iter().map(|file| (file.place.clone(), file.code().len()));
    sizes.filter(|(_, lines)| *lines > most).map(|(place, _)| place).collect()
}

/// The functions of a file, with their lines of code.
struct Functions<'a> {
    lines: Vec<&'a str>,
    found: Vec<(String, usize)>,
}

impl Functions<'_> {
    fn look(&mut self, signature: &Signature, body: &Block) {
        // The lines of the braces are not of the body.
        let inside = body.span().start().line..body.span().end().line.saturating_sub(1);
        let lines = self.lines.get(inside).unwrap_or_default();
        let count = lines.iter().filter(|line| is_code(line)).count();
        self.found.push((signature.ident.to_string(), count));
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, it: &'ast ItemFn) {
        self.look(&it.sig, &it.block);
        visit::visit_item_fn(self, it);
    }

    fn visit_impl_item_fn(&mut self, it: &'ast ImplItemFn) {
        self.look(&it.sig, &it.block);
        visit::visit_impl_item_fn(self, it);
    }

    fn visit_trait_item_fn(&mut self, it: &'ast TraitItemFn) {
        if let Some(body) = &it.default {
            self.look(&it.sig, body);
        }
        visit::visit_trait_item_fn(self, it);
    }
}

/// Returns every function of a crate by its file and name, with its lines of code.
fn functions(tree: &Tree) -> Vec<(String, usize)> {
    let found = tree.files.iter().flat_map(|file| {
        let mut functions = Functions { lines: file.lines(), found: Vec::new() };
        functions.visit_file(&file.syntax);
        let named = |(name, lines)| (format!("{}: {name}", file.place), lines);
        functions.found.into_iter().map(named).collect::<Vec<_>>()
    });
    found.collect()
}

fn long_functions(tree: &Tree, most: usize) -> Vec<String> {
    let long = functions(tree).into_iter().filter(|(_, lines)| *lines > most);
    long.map(|(name, _)| name).collect()
}

/// Returns how long the function in the middle is. One that fits on the line of its signature has no body to read, and
/// is not counted.
fn median(tree: &Tree) -> usize {
    let mut lines: Vec<_> = functions(tree).into_iter().map(|(_, lines)| lines).collect();
    lines.retain(|lines| *lines > 0);
    lines.sort_unstable();
    lines[lines.len() / 2]
}

/// Returns the crates that the tests are made of.
fn tests() -> [Tree; 3] {
    let of = |name, root| Tree::new(&sources(&folder(name)), &[root]);
    [of("tests/it", "main.rs"), of("tests/bench", "main.rs"), of("tests/simulator/src", "lib.rs")]
}

#[test]
fn no_file_is_longer_than_400_lines_of_code() {
    assert_eq!(too_long(&package(), MOST_LINES_OF_A_FILE), KNOWN);
    for tree in tests() {
        assert_eq!(too_long(&tree, MOST_LINES_OF_A_FILE), <[&str; 0]>::default());
    }
}

#[test]
fn no_function_is_longer_than_60_lines_of_code() {
    for tree in tests().iter().chain([&package()]) {
        let wrong = long_functions(tree, MOST_LINES_OF_A_FUNCTION);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn the_median_function_has_at_most_9_lines_of_code() {
    assert!(median(&package()) <= MEDIAN_LINES_OF_A_FUNCTION, "{}", median(&package()));
    let bodies = [1, 2, 5].map(|lines| format!("fn f() {{\n{}}}\n", "    a();\n".repeat(lines)));
    let tree = invented(&[("lib.rs", &format!("fn f() {{}}\n{}", bodies.concat()))]);
    assert_eq!(median(&tree), 2, "what has no body does not count");
}

#[test]
fn only_code_is_counted() {
    let body = "fn long() {\n    // why\n    one();\n\n    two();\n    three();\n}\n";
    let test = "#[cfg(test)]\nmod tests {\n    fn f() {\n        a();\n        b();\n        c();\n    }\n}\n";
    let tree = invented(&[("lib.rs", &format!("//! Doc.\n\n{test}{body}"))]);
    assert_eq!((too_long(&tree, 5), too_long(&tree, 4)), (vec![], vec!["lib.rs".to_owned()]));
    assert_eq!(long_functions(&tree, 3), <[&str; 0]>::default());
    assert_eq!(long_functions(&tree, 2), ["lib.rs: long"]);
}
