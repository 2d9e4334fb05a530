//! Finds the paths that a pattern leads to, and the folders on the way that cannot be walked.
//!
//! It walks by itself rather than by `walkdir`: only the folders that the pattern leads through are opened, so that one
//! that has nothing to do with it may be closed.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Content, Disk, Entry, is_absent};
use super::pattern::{Exclude, Part, Pattern};

/// A path that cannot be looked at.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) error: io::Error,
    /// Whether it is a folder that could not be walked, so that everything below it is unseen.
    pub(super) covers_below: bool,
}

/// What a pattern leads to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Paths as they match, with the same paths without links.
    pub(super) files: Vec<(PathBuf, PathBuf)>,
    /// Paths that are named, or links that lead, to nothing.
    pub(super) missing: Vec<PathBuf>,
    pub(super) closed: BTreeMap<PathBuf, Closed>,
}

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.missing.is_empty() && self.closed.is_empty()
    }
}

/// Follows a pattern.
pub(super) fn find(pattern: &Pattern, exclude: &Exclude, disk: &dyn Disk) -> Found {
    let found = Found::default();
    let mut walk =
        Walk { is_literal: pattern.is_literal, exclude, disk, seen: HashSet::new(), found };
    for way in &pattern.ways {
        walk.seen.clear();
        walk.follow(PathBuf::from("/"), way);
    }
    walk.found
}

struct Walk<'a> {
    is_literal: bool,
    exclude: &'a Exclude,
    disk: &'a dyn Disk,
    /// Folders that were walked for `**`, by how much of the pattern was left: links may lead in circles, and to one
    /// folder by many ways.
    seen: HashSet<(usize, PathBuf)>,
    found: Found,
}

impl Walk<'_> {
    /// Follows what is left of a pattern from a path on.
    fn follow(&mut self, path: PathBuf, parts: &[Part]) {
        if self.exclude.covers(&path) {
            return;
        }
        match parts {
            [] => self.take(path),
            [Part::Name(name), rest @ ..] => self.follow(path.join(name), rest),
            [Part::Match(matcher), rest @ ..] => {
                for entry in self.list(&path) {
                    // With more to follow, a file leads nowhere; of a link nobody knows yet.
                    let leads_on = rest.is_empty() || entry.is_folder != Some(false);
                    if leads_on && matcher.is_match(&entry.name) {
                        self.follow(path.join(&entry.name), rest);
                    }
                }
            }
            [Part::Folders, rest @ ..] => self.below(&path, parts, rest),
        }
    }

    /// Follows the rest of a pattern in a folder and in every folder below it.
    fn below(&mut self, folder: &Path, parts: &[Part], rest: &[Part]) {
        match self.disk.resolve(folder) {
            Ok(real) => {
                if !self.seen.insert((parts.len(), real)) {
                    return;
                }
            }
            Err(error) => return self.close(folder, error, true),
        }
        self.follow(folder.to_owned(), rest);
        for entry in self.list(folder) {
            let path = folder.join(&entry.name);
            if self.is_folder(&path, &entry) {
                self.follow(path, parts);
            }
        }
    }

    fn is_folder(&mut self, path: &Path, entry: &Entry) -> bool {
        if let Some(is_folder) = entry.is_folder {
            return is_folder;
        }
        if self.exclude.covers(path) {
            return false;
        }
        match self.disk.content(path) {
            Ok(content) => content == Content::Folder,
            // A link that leads to itself leads to no folder.
            Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => false,
            Err(error) => {
                self.close(path, error, true);
                false
            }
        }
    }

    /// Lists a folder in the order of the bytes of paths, so that of several ways to one folder the first is taken. What
    /// begins with `..` comes last: it is somebody's own bookkeeping.
    fn list(&mut self, folder: &Path) -> Vec<Entry> {
        let entries = match self.disk.list(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.close(folder, error, true);
                return Vec::new();
            }
        };
        let mut listed = Vec::with_capacity(entries.len());
        for entry in entries {
            match entry {
                Ok(entry) => listed.push(entry),
                Err(error) => self.close(folder, error, true),
            }
        }
        listed.sort_by_cached_key(|entry| {
            let bytes = entry.name.as_encoded_bytes();
            (bytes.starts_with(b".."), [bytes, b"/"].concat())
        });
        listed
    }

    /// Takes a path that the whole pattern leads to, if there is something.
    fn take(&mut self, path: PathBuf) {
        match self.disk.resolve(&path) {
            Ok(real) => self.take_real(path, real),
            Err(error) if is_absent(&error) => match self.disk.exists(&path) {
                Ok(false) if !self.is_literal => {}
                Ok(_) => self.found.missing.push(path),
                Err(error) => self.close(&path, error, false),
            },
            Err(error) => self.close(&path, error, false),
        }
    }

    fn take_real(&mut self, path: PathBuf, real: PathBuf) {
        match self.disk.content(&real) {
            Ok(Content::Folder) if self.is_literal => {
                let hint = format!("a folder: write `{}/*` to read what is in it", path.display());
                self.close(&path, io::Error::other(hint), false);
            }
            Ok(Content::Folder) => {}
            Ok(Content::File | Content::Other) => self.found.files.push((path, real)),
            // Gone since it was listed: another poll sees what comes in its place.
            Err(error) if is_absent(&error) && !self.is_literal => {}
            Err(error) if is_absent(&error) => self.found.missing.push(path),
            Err(error) => self.close(&path, error, false),
        }
    }

    /// Notes what cannot be looked at. What is not there can.
    fn close(&mut self, path: &Path, error: io::Error, covers_below: bool) {
        if !is_absent(&error) {
            self.found
                .closed
                .entry(path.to_owned())
                .or_insert(Closed { error, covers_below })
                .covers_below |= covers_below;
        }
    }
}
