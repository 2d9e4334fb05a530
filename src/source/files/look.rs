//! Where the configuration leads: each file once, under one name, and each place that cannot be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::Options;
use super::disk::Disk;
use super::walk::{self, Closed, Found};

/// Everything that the patterns lead to.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Each file by the path that names its place, and whether the configuration names that path.
    pub(super) files: BTreeMap<PathBuf, bool>,
    pub(super) missing: BTreeSet<PathBuf>,
    pub(super) closed: BTreeMap<PathBuf, Closed>,
    /// Globs that lead to something.
    pub(super) matched: BTreeSet<String>,
    /// Globs that lead to nothing, in the order they are written.
    pub(super) empty: Vec<String>,
}

/// Where a path stands among those that lead to one file; the lowest names its place.
type Rank = (bool, bool, PathBuf);

impl Survey {
    /// Follows every pattern.
    pub(super) fn of(options: &Options, disk: &dyn Disk) -> Self {
        let mut survey = Self::default();
        let mut ranked = BTreeMap::<PathBuf, Rank>::new();
        for pattern in &options.patterns {
            let found = walk::find(pattern, &options.exclude, disk);
            if !pattern.is_literal {
                survey.note_glob(&pattern.text, &found);
            }
            for (path, real) in found.files {
                let rank = (!pattern.is_literal, is_bookkeeping(&path), path);
                let best = ranked.entry(real).or_insert_with(|| rank.clone());
                *best = rank.min(best.clone());
            }
            survey.missing.extend(found.missing);
            for (path, closed) in found.closed {
                survey.close(path, closed);
            }
        }
        survey.close_folders();
        survey.files = ranked.into_values().map(|(by_glob, _, path)| (path, !by_glob)).collect();
        survey
    }

    /// One pattern may end at a folder through which another one leads.
    fn close(&mut self, path: PathBuf, closed: Closed) {
        let covers_below = closed.covers_below;
        self.closed.entry(path).or_insert(closed).covers_below |= covers_below;
    }

    /// Leaves out what is below a folder that cannot be walked: the folder stands for it.
    fn close_folders(&mut self) {
        let folders: Vec<PathBuf> = self
            .closed
            .iter()
            .filter(|(_, closed)| closed.covers_below)
            .map(|(path, _)| path.clone())
            .collect();
        let is_below = |path: &Path| folders.iter().any(|it| path.starts_with(it) && path != it);
        self.closed.retain(|path, _| !is_below(path));
    }

    fn note_glob(&mut self, text: &str, found: &Found) {
        if found.is_empty() {
            self.empty.push(text.to_owned());
        } else if !found.files.is_empty() || !found.missing.is_empty() {
            self.matched.insert(text.to_owned());
        }
    }
}

/// Returns whether a path leads through a name that begins with `..`, as the folders do that Kubernetes swaps.
fn is_bookkeeping(path: &Path) -> bool {
    let begins = |part: Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b"..");
    path.components().any(begins)
}

/// Writes a path as a place. Bytes that are not UTF-8 are written `\xNN`.
pub(super) fn place(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn a_folder_that_one_pattern_ends_at_and_another_leads_through_covers_what_is_below() {
        let closed = |covers_below| Closed {
            error: std::io::Error::from_raw_os_error(nix::libc::EACCES),
            covers_below,
        };
        for order in [[true, false], [false, true], [true, true]] {
            let mut survey = Survey::default();
            for below in order {
                survey.close("/live".into(), closed(below));
            }
            assert!(survey.closed[Path::new("/live")].covers_below, "{order:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_utf8_is_written_by_its_bytes() {
        let path = |bytes| place(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(path(b"/\xd6\xa4/a.pem"), "/֤/a.pem", "some bytes are both");
        assert_eq!(path(b"/\xb2\xe2\xca\xd4.pem"), r"/\xb2\xe2\xca\xd4.pem");
        assert_eq!(path("/证书.pem".as_bytes()), "/证书.pem");
    }
}
