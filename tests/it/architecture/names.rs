//! The names that a file uses: imports with their groups taken apart, paths in code, paths in macros.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ImplItem, Item, ItemUse, Path, UseTree, Visibility};

use super::tree::{File, attributes, is_test_only};

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// What it is called in the file; `*` for everything.
    pub(super) name: String,
    /// Whether others may import it from here.
    pub(super) is_passed_on: bool,
    /// The module that it stands in.
    pub(super) module: Vec<String>,
}

/// What a file names outside its tests.
#[derive(Default)]
pub(super) struct Names {
    pub(super) imports: Vec<Import>,
    /// Paths of two and more parts, each with the module that it stands in.
    pub(super) paths: Vec<(Vec<String>, Vec<String>)>,
    module: Vec<String>,
}

impl Names {
    pub(super) fn of(file: &File) -> Self {
        let mut names = Self { module: file.module.clone(), ..Self::default() };
        names.visit_file(&file.syntax);
        names
    }

    fn import(&mut self, tree: &UseTree, before: &[String], is_passed_on: bool) {
        let with = |last: &dyn ToString| [before, &[last.to_string()]].concat();
        let (path, name) = match tree {
            UseTree::Path(inner) => {
                return self.import(&inner.tree, &with(&inner.ident), is_passed_on);
            }
            UseTree::Group(group) => {
                for inner in &group.items {
                    self.import(inner, before, is_passed_on);
                }
                return;
            }
            UseTree::Glob(_) => (before.to_vec(), "*".to_owned()),
            UseTree::Name(it) if it.ident == "self" => {
                (before.to_vec(), before.last().cloned().unwrap_or_default())
            }
            UseTree::Name(it) => (with(&it.ident), it.ident.to_string()),
            UseTree::Rename(it) if it.ident == "self" => (before.to_vec(), it.rename.to_string()),
            UseTree::Rename(it) => (with(&it.ident), it.rename.to_string()),
        };
        let module = self.module.clone();
        self.imports.push(Import { path, name, is_passed_on, module });
    }

    fn path(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.paths.push((self.module.clone(), path));
        }
    }

    /// Code in a macro is only tokens: names that are joined by `::` are a path.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.path(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(it) if it.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.path(std::mem::take(&mut path));
                    colons = 0;
                    self.tokens(group.stream());
                }
                _ => {
                    self.path(std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.path(path);
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test_only(attributes(item)) {
            return;
        }
        let Item::Mod(module) = item else { return visit::visit_item(self, item) };
        self.module.push(module.ident.to_string());
        visit::visit_item(self, item);
        self.module.pop();
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(it) => &it.attrs[..],
            ImplItem::Fn(it) => &it.attrs,
            ImplItem::Type(it) => &it.attrs,
            _ => &[],
        };
        if !is_test_only(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_passed_on = !matches!(item.vis, Visibility::Inherited);
        self.import(&item.tree, &[], is_passed_on);
    }

    // `pub(in crate::scan)` says who may look, not what is used.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast Path) {
        self.path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        visit::visit_macro(self, it);
        self.tokens(it.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::invented;
    use super::*;

    fn words(path: &[String]) -> String {
        path.join("::")
    }

    #[test]
    fn groups_are_taken_apart_however_deep() {
        let tree = invented(&[(
            "lib.rs",
            "use crate::{a::{b::{self, C}, d as e}, f::*};\npub(crate) use self::g::H;",
        )]);
        let names = Names::of(&tree.files[0]);
        let found: Vec<_> =
            names.imports.iter().map(|it| (words(&it.path), &*it.name, it.is_passed_on)).collect();
        let row = |path: &str, name, passed| (path.to_owned(), name, passed);
        let wanted = [
            row("crate::a::b", "b", false),
            row("crate::a::b::C", "C", false),
            row("crate::a::d", "e", false),
            row("crate::f", "*", false),
            row("self::g::H", "H", true),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn paths_are_seen_in_code_and_in_macros_and_behind_tests_but_not_in_tests() {
        let code = "
            #[cfg(test)] mod tests { use super::hidden::A; }
            fn f(x: crate::a::B<super::c::D>) { assert!(crate::e::g(&super::h::I) == 1, \"{}\", x::<u8>()); }
            mod inner { fn g() { super::j::k(); } }
        ";
        let tree = invented(&[("lib.rs", code)]);
        let names = Names::of(&tree.files[0]);
        let found: Vec<_> = names.paths.iter().map(|(_, path)| words(path)).collect();
        let wanted = ["crate::a::B", "super::c::D", "crate::e::g", "super::h::I", "super::j::k"];
        assert_eq!(found, wanted);
        assert_eq!(names.paths[4].0, ["inner"]);
        assert!(names.imports.is_empty());
    }
}
