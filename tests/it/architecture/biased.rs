//! Where several things wait at once, the order in which they are looked at is written, and not drawn by chance.

use syn::Macro;
use syn::visit::{self, Visit};

use super::tree::{Tree, folder, invented, package, sources};

#[derive(Default)]
struct Selects {
    unbiased: usize,
}

impl<'ast> Visit<'ast> for Selects {
    fn visit_macro(&mut self, it: &'ast Macro) {
        let is_select = it.path.segments.last().is_some_and(|last| last.ident == "select");
        let first = it.tokens.clone().into_iter().next();
        if is_select && first.is_none_or(|first| first.to_string() != "biased") {
            self.unbiased += 1;
        }
        visit::visit_macro(self, it);
    }
}

/// Returns the files with a `select!` that leaves the order to chance.
fn unbiased(tree: &Tree) -> Vec<&str> {
    let wrong = tree.files.iter().filter(|file| {
        let mut selects = Selects::default();
        selects.visit_file(&file.syntax);
        selects.unbiased > 0
    });
    wrong.map(|file| file.place.as_str()).collect()
}

#[test]
fn every_select_is_biased() {
    let of = |name, root| Tree::new(&sources(&folder(name)), &[root]);
    let tests = [of("tests/it", "main.rs"), of("tests/simulator/src", "lib.rs")];
    for tree in tests.iter().chain([&package()]) {
        assert_eq!(unbiased(tree), <[&str; 0]>::default());
    }
}

#[test]
fn a_select_that_leaves_the_order_to_chance_is_seen() {
    let select = |first: &str| {
        format!(
            "async fn f() {{ let x = tokio::select! {{ {first} a = b() => a, () = c() => d }}; }}"
        )
    };
    let tree = invented(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", &select("biased;")),
        ("b.rs", &select("")),
    ]);
    assert_eq!(unbiased(&tree), ["b.rs"]);
}
