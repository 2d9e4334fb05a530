//! From a name to the file that defines it, through re-exports.

use std::collections::{BTreeSet, HashMap};

use super::names::{Import, Names};
use super::tree::Tree;

/// Chains of re-exports are shorter than this.
const MOST_STEPS: usize = 8;

/// One file uses another; by their places in [`Tree::files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether it is used by more than being passed on.
    pub(super) is_own: bool,
}

/// A crate whose names can be looked up.
pub(super) struct Resolver<'a> {
    modules: HashMap<&'a [String], usize>,
    names: Vec<Names>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        let modules = tree.files.iter().enumerate();
        let modules = modules.map(|(number, file)| (file.module.as_slice(), number)).collect();
        Self { modules, names: tree.files.iter().map(Names::of).collect() }
    }

    /// Returns which file uses which.
    pub(super) fn uses(&self) -> BTreeSet<Use> {
        let mut found = BTreeSet::new();
        for (from, names) in self.names.iter().enumerate() {
            let imports = names.imports.iter().map(|it| (&it.module, &it.path, !it.is_passed_on));
            let paths = names.paths.iter().map(|(module, path)| (module, path, true));
            for (module, path, is_own) in imports.chain(paths) {
                let to = self.absolute(from, module, path).and_then(|path| self.file(&path));
                found.extend(to.filter(|to| *to != from).map(|to| Use { from, to, is_own }));
            }
        }
        found
    }

    /// Returns a path from the root of the crate, or nothing for what is not of this crate.
    fn absolute(&self, file: usize, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let below = |module: &[String]| [module, rest].concat();
        match first.as_str() {
            "crate" | "notafter" => Some(rest.to_vec()),
            "self" => Some(below(module)),
            "super" => {
                let (_, parent) = module.split_last()?;
                let ups = rest.iter().take_while(|part| *part == "super").count();
                let parent = parent.get(..parent.len().checked_sub(ups)?)?;
                Some([parent, &rest[ups..]].concat())
            }
            _ => {
                let child = [module, std::slice::from_ref(first)].concat();
                if self.modules.contains_key(child.as_slice()) {
                    return Some(below(&child));
                }
                let mut imports = self.names[file].imports.iter();
                let import = imports.find(|it| it.name == *first && it.path[0] != *first)?;
                Some(below(&self.absolute(file, &import.module, &import.path)?))
            }
        }
    }

    /// Returns the file that defines a name, or the module that it is.
    fn file(&self, path: &[String]) -> Option<usize> {
        let mut path = path.to_vec();
        for _ in 0..MOST_STEPS {
            let depth = (0..=path.len()).rev().find(|n| self.modules.contains_key(&path[..*n]))?;
            let owner = self.modules[&path[..depth]];
            let Some(name) = path.get(depth) else { return Some(owner) };
            let Some(import) = self.import_of(owner, &path[..depth], name) else {
                return Some(owner);
            };
            let Some(further) = self.absolute(owner, &import.module, &import.path) else {
                return Some(owner);
            };
            path = [&further, &path[depth + 1..]].concat();
        }
        None
    }

    fn import_of(&self, owner: usize, module: &[String], name: &str) -> Option<&Import> {
        let mut imports = self.names[owner].imports.iter();
        imports.find(|it| it.name == *name && it.module == module)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::invented;
    use super::*;

    fn uses(files: &[(&str, &str)]) -> Vec<String> {
        let tree = invented(files);
        let place = |number: usize| tree.files[number].place.as_str();
        let found = Resolver::new(&tree).uses();
        let line = |it: Use| {
            format!(
                "{} {} {}",
                place(it.from),
                if it.is_own { "uses" } else { "passes" },
                place(it.to)
            )
        };
        let mut lines: Vec<_> = found.into_iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_name_is_followed_through_re_exports_to_the_file_that_defines_it() {
        let found = uses(&[
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod inner; pub use inner::Thing; pub struct Own;"),
            ("a/inner.rs", "pub struct Thing;"),
            ("b.rs", "use crate::a::{Own, Thing};"),
        ]);
        assert_eq!(
            found,
            ["a/mod.rs passes a/inner.rs", "b.rs uses a/inner.rs", "b.rs uses a/mod.rs"]
        );
    }

    #[test]
    fn modules_that_are_imported_or_children_begin_paths() {
        let found = uses(&[
            ("lib.rs", "mod a; mod b; mod c; fn f() { a::run(); serde::run(); }"),
            ("a.rs", "use super::b as other; fn run() { other::go(super::super::no::where_()); }"),
            ("b.rs", "fn go() { Self::x(); crate::c::D::new(); }"),
            ("c.rs", ""),
        ]);
        assert_eq!(found, ["a.rs uses b.rs", "b.rs uses c.rs", "lib.rs uses a.rs"]);
    }
}
