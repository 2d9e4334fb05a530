//! A module uses the layers below it and never a sibling.

use super::resolve::Resolver;
use super::tree::{File, Tree, package};

/// Modules from the bottom up. A module uses the rows above its own here, never one of its own row.
const LAYERS: &[&[&str]] = &[
    &["expiry"],
    &["clock", "x509", "config"],
    &["client"],
    &["source", "channel", "store", "metrics"],
    &["scan", "catalog"],
    &["schedule", "pipeline", "outbox", "web"],
    &["app"],
    &["cli"],
    &["main", "lib", "facade"],
];

/// Returns the module of the first level that a file belongs to.
pub(super) fn module_of(file: &File) -> &str {
    file.module.first().map_or("lib", String::as_str)
}

fn layer_of(module: &str) -> usize {
    LAYERS.iter().position(|row| row.contains(&module)).unwrap_or_else(|| {
        panic!("module `{module}` is not in the design; add it to a layer there and here")
    })
}

/// Returns the modules in the map that `src/lib.rs` shows, in its order.
fn map() -> Vec<&'static str> {
    let rows = include_str!("../../../src/lib.rs").lines();
    let rows = rows.filter_map(|row| row.strip_prefix("//! |")?.split_once("[`"));
    rows.filter_map(|(_, rest)| rest.split_once("`]")).map(|(name, _)| name).collect()
}

#[test]
fn the_map_in_the_library_shows_every_layer() {
    let layers = LAYERS.concat();
    let modules: Vec<_> =
        layers.into_iter().filter(|it| !["main", "lib", "facade"].contains(it)).collect();
    assert_eq!(map(), modules);
}

fn upward(tree: &Tree) -> Vec<String> {
    let uses = Resolver::new(tree).uses();
    let uses = uses.into_iter().map(|it| (&tree.files[it.from], &tree.files[it.to]));
    let wrong = uses.filter(|(from, to)| {
        let (from, to) = (module_of(from), module_of(to));
        from != to && from != "lib" && layer_of(to) >= layer_of(from)
    });
    wrong.map(|(from, to)| format!("{} uses {}", from.place, to.place)).collect()
}

#[test]
fn a_module_uses_only_the_layers_below_it() {
    let tree = package();
    for file in &tree.files {
        layer_of(module_of(file));
    }
    let wrong = upward(&tree);
    assert!(wrong.is_empty(), "imports that go upward or sideways:\n{}", wrong.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::super::tree::invented;
    use super::*;

    #[test]
    fn imports_upward_and_sideways_are_seen() {
        let tree = invented(&[
            ("lib.rs", "pub mod expiry; pub mod scan; pub mod store; pub mod source; pub mod app;"),
            ("expiry.rs", ""),
            ("store.rs", "#[cfg(test)] mod tests;\nuse crate::{expiry, source::{Page}};"),
            ("store/tests.rs", "use crate::app;"),
            (
                "source.rs",
                "#[cfg(test)] mod tests { use crate::store; }\nfn f() { crate::scan::g(); }",
            ),
            ("scan.rs", "use crate::{expiry, source::Page, store};"),
            ("app.rs", "fn f() { crate::scan::g(crate::source::h()) }"),
        ]);
        assert_eq!(upward(&tree), ["store.rs uses source.rs", "source.rs uses scan.rs"]);
    }

    #[test]
    fn rows_are_ordered() {
        assert!(layer_of("pipeline") > layer_of("scan"));
        assert_eq!(layer_of("source"), layer_of("store"));
    }
}
