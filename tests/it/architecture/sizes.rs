//! Small files, small functions. Tests, comments and blank lines do not count.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, Item, ItemFn, Signature, TraitItemFn};

use super::tree::{Tree, attributes, folder, invented, is_code, is_test_only, package, sources};

const MOST_LINES_OF_A_FILE: usize = 400;
const MOST_LINES_OF_A_FUNCTION: usize = 60;

/// Files of `src` that still wait to be split. Nothing is ever added here.
const KNOWN: &[&str] = &[];

fn too_long(tree: &Tree, most: usize) -> Vec<String> {
    let sizes = tree.files.iter().map(|file| (file.place.clone(), file.code().len()));
    sizes.filter(|(_, lines)| *lines > most).map(|(place, _)| place).collect()
}

/// The functions of a file that are longer than allowed.
struct Functions<'a> {
    lines: Vec<&'a str>,
    most: usize,
    found: Vec<String>,
}

impl Functions<'_> {
    fn look(&mut self, signature: &Signature, body: &Block) {
        // The lines of the braces are not of the body.
        let inside = body.span().start().line..body.span().end().line.saturating_sub(1);
        let lines = self.lines.get(inside).unwrap_or_default();
        if lines.iter().filter(|line| is_code(line)).count() > self.most {
            self.found.push(signature.ident.to_string());
        }
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

fn long_functions(tree: &Tree, most: usize) -> Vec<String> {
    let found = tree.files.iter().flat_map(|file| {
        let mut functions = Functions { lines: file.lines(), most, found: Vec::new() };
        functions.visit_file(&file.syntax);
        functions.found.into_iter().map(|name| format!("{}: {name}", file.place))
    });
    found.collect()
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
fn only_code_is_counted() {
    let body = "fn long() {\n    // why\n    one();\n\n    two();\n    three();\n}\n";
    let test = "#[cfg(test)]\nmod tests {\n    fn f() {\n        a();\n        b();\n        c();\n    }\n}\n";
    let tree = invented(&[("lib.rs", &format!("//! Doc.\n\n{test}{body}"))]);
    assert_eq!((too_long(&tree, 5), too_long(&tree, 4)), (vec![], vec!["lib.rs".to_owned()]));
    assert_eq!(long_functions(&tree, 3), <[&str; 0]>::default());
    assert_eq!(long_functions(&tree, 2), ["lib.rs: long"]);
}
