//! No circle between the files of a module.
//!
//! A file may use what its own `mod.rs`, or one further up, defines: the parent holds what its children share. A parent that
//! declares a child and passes its names on does not use it. Whatever else leads back to where it began is a circle.
//! Names are followed to the file that defines them; what a method call reaches is not seen.

use std::collections::BTreeSet;

use super::layers::module_of;
use super::resolve::{Resolver, Use};
use super::tree::{Tree, package};

/// Circles that still wait to be broken. Nothing is ever added here.
const KNOWN: &[&[&str]] = &[];

/// Returns every circle as the files in it.
fn circles(tree: &Tree) -> BTreeSet<Vec<&str>> {
    let uses: Vec<Use> =
        Resolver::new(tree).uses().into_iter().filter(|it| counts(tree, *it)).collect();
    let reach: Vec<BTreeSet<usize>> =
        (0..tree.files.len()).map(|file| reached_from(file, &uses)).collect();
    let circle = |file: usize| {
        let back = reach[file].iter().filter(|other| reach[**other].contains(&file));
        let mut places: Vec<_> = back.map(|other| tree.files[*other].place.as_str()).collect();
        places.sort_unstable();
        places
    };
    (0..tree.files.len()).map(circle).filter(|places| places.len() > 1).collect()
}

fn counts(tree: &Tree, it: Use) -> bool {
    let (from, to) = (&tree.files[it.from], &tree.files[it.to]);
    let is_parent = from.module.starts_with(&to.module);
    let is_child = to.module.starts_with(&from.module);
    module_of(from) == module_of(to) && !is_parent && (it.is_own || !is_child)
}

fn reached_from(start: usize, uses: &[Use]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next = vec![start];
    while let Some(file) = next.pop() {
        let further = uses.iter().filter(|it| it.from == file).map(|it| it.to);
        next.extend(further.filter(|file| reached.insert(*file)));
    }
    reached
}

#[test]
fn no_circle_between_the_files_of_a_module() {
    let tree = package();
    let known: BTreeSet<Vec<&str>> = KNOWN.iter().map(|circle| circle.to_vec()).collect();
    let found = circles(&tree);
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "files that use each other in a circle:\n{new:#?}");
    let broken: Vec<_> = known.difference(&found).collect();
    assert!(broken.is_empty(), "no circle any more; take it out of the list:\n{broken:#?}");
}

#[cfg(test)]
mod tests {
    use super::super::tree::invented;
    use super::*;

    #[test]
    fn siblings_that_lead_back_to_each_other_are_a_circle() {
        let tree = invented(&[
            ("lib.rs", "mod scan;"),
            ("scan/mod.rs", "mod a; mod b; mod c; mod d;"),
            ("scan/a.rs", "use super::{b::{X, Y}};"),
            ("scan/b.rs", "#[cfg(test)] mod tests;\nfn f() { crate::scan::c::g(); }"),
            ("scan/b/tests.rs", "use crate::scan::d;"),
            ("scan/c.rs", "use super::a; use super::d::Z;"),
            ("scan/d.rs", "#[cfg(test)] mod tests { use super::super::c; }"),
        ]);
        assert_eq!(circles(&tree), [vec!["scan/a.rs", "scan/b.rs", "scan/c.rs"]].into());
    }

    #[test]
    fn children_use_what_their_parent_defines() {
        let tree = invented(&[
            ("lib.rs", "mod scan;"),
            ("scan/mod.rs", "mod a; pub use a::A; use a::run; pub struct Shared; fn f() { run() }"),
            ("scan/a.rs", "use super::Shared; pub struct A;"),
        ]);
        assert_eq!(circles(&tree), BTreeSet::new());
    }

    #[test]
    fn a_circle_through_a_re_export_is_one() {
        let tree = invented(&[
            ("lib.rs", "mod scan;"),
            ("scan/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("scan/a.rs", "use super::B; pub struct A;"),
            ("scan/b.rs", "use crate::scan::A; pub struct B;"),
        ]);
        assert_eq!(circles(&tree), [vec!["scan/a.rs", "scan/b.rs"]].into());
    }

    #[test]
    fn a_circle_that_passes_through_a_folder_is_one() {
        let tree = invented(&[
            ("lib.rs", "mod scan;"),
            ("scan/mod.rs", "mod a; mod b;"),
            ("scan/a.rs", "use super::b::B; pub struct A;"),
            ("scan/b/mod.rs", "mod inner; pub struct B; fn f() { inner::run() }"),
            ("scan/b/inner.rs", "use crate::scan::a::A;"),
        ]);
        assert_eq!(circles(&tree), [vec!["scan/a.rs", "scan/b/inner.rs", "scan/b/mod.rs"]].into());
    }
}
