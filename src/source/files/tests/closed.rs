//! What cannot be looked at, on a file system that refuses: for root nothing is closed.

use std::fs::{create_dir, write};
use std::io;
use std::path::PathBuf;

use nix::libc::{EACCES, EIO, ELOOP, ENOENT, ENOTDIR, ESTALE};
use zeroize::Zeroizing;

use super::super::disk::{Content, Entry, is_absent};
use super::*;
use crate::expiry::{Look, PlaceState};

/// A disk on which one path, with everything below it, answers with an error.
struct Closed {
    path: PathBuf,
    error: i32,
}

impl Closed {
    fn at(&self, path: &Path, is_inside: bool) -> io::Result<()> {
        let closed = path.starts_with(&self.path) && (is_inside || path != self.path);
        if closed { Err(io::Error::from_raw_os_error(self.error)) } else { Ok(()) }
    }
}

impl Disk for Closed {
    fn list(&self, folder: &Path) -> io::Result<Vec<io::Result<Entry>>> {
        self.at(folder, true)?;
        RealDisk.list(folder)
    }

    fn content(&self, path: &Path) -> io::Result<Content> {
        self.at(path, false)?;
        RealDisk.content(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.at(path, false) {
            Err(error) if is_absent(&error) => Ok(false),
            closed => closed.and_then(|()| RealDisk.exists(path)),
        }
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.at(path, false)?;
        RealDisk.resolve(path)
    }

    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        self.at(path, true)?;
        RealDisk.read(path)
    }
}

/// A folder `live` with `a.pem`, and `b.pem` beside it.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    create_dir(folder.path().join("live")).unwrap();
    write(folder.path().join("live/a.pem"), certificate("a", 1, 2035)).unwrap();
    write(folder.path().join("b.pem"), certificate("b", 2, 2035)).unwrap();
    folder
}

async fn read_closed(folder: &Path, patterns: &[&str], closed: &str, error: i32) -> Page {
    let globs: Vec<String> = patterns.iter().map(|one| glob_in(folder, one)).collect();
    let disk = Closed { path: folder.join(closed), error };
    look(&Files::new(of_globs(&globs), Arc::new(disk))).await
}

/// Returns what came of each place below a folder but those that were read.
fn unread(page: &Page, folder: &Path) -> Vec<(String, PlaceState, bool)> {
    let prefix = format!("{}/", folder.display());
    let looked = page.places.as_ref().unwrap().looked.iter();
    let unread = looked.filter(|look| look.state != PlaceState::Read);
    unread.map(|look| (look.place.replace(&prefix, ""), look.state, look.covers_below)).collect()
}

#[tokio::test]
async fn only_not_found_is_absence() {
    let folder = prepared();
    for (error, state) in [
        (ENOENT, PlaceState::Missing),
        (ENOTDIR, PlaceState::Missing),
        (EACCES, PlaceState::Unreadable),
        (EIO, PlaceState::Unreadable),
        (ESTALE, PlaceState::Unreadable),
        (ELOOP, PlaceState::Unreadable),
    ] {
        for closed in ["live", "live/a.pem"] {
            let page = read_closed(folder.path(), &["live/a.pem", "b.pem"], closed, error).await;
            let expected = [("live/a.pem".to_owned(), state, false)];
            assert_eq!(unread(&page, folder.path()), expected, "{closed} {error}");
            let reason =
                if state == PlaceState::Missing { Reason::Missing } else { Reason::Unreadable };
            assert_eq!(told(&page, folder.path()), [(reason, "live/a.pem".to_owned())]);
            assert_eq!((page.sightings.len(), page.places.unwrap().unproven), (1, None));
        }
    }
}

#[tokio::test]
async fn a_folder_that_a_glob_cannot_walk_is_an_unreadable_place_that_covers_what_is_below() {
    let folder = prepared();
    for pattern in ["live/*.pem", "**/a.pem", "l*/*.pem"] {
        let page = read_closed(folder.path(), &[pattern, "b.pem"], "live", EACCES).await;
        let expected = [("live".to_owned(), PlaceState::Unreadable, true)];
        assert_eq!(unread(&page, folder.path()), expected, "{pattern}");
        assert_eq!(page.places.unwrap().globs_without_match, Vec::<String>::new());
    }
    // A folder that is not there holds nothing.
    let page = read_closed(folder.path(), &["live/*.pem", "b.pem"], "live", ENOENT).await;
    assert_eq!(unread(&page, folder.path()), []);
    assert_eq!(page.places.unwrap().globs_without_match.len(), 1);
    // One that is left out, or that the pattern does not lead through, need not be open.
    let globs = [glob_in(folder.path(), "**/*.pem")];
    let mut options = of_globs(&globs);
    options.exclude = Exclude::new(&["live".to_owned()]).unwrap();
    let disk = Closed { path: folder.path().join("live"), error: EACCES };
    let page = look(&Files::new(options, Arc::new(disk))).await;
    assert_eq!((unread(&page, folder.path()), page.sightings.len()), (vec![], 1));
    let page = read_closed(folder.path(), &["*.pem"], "live", EACCES).await;
    assert_eq!(unread(&page, folder.path()), []);
}

#[tokio::test]
async fn a_source_that_may_read_nothing_says_who_it_is_and_what_to_do() {
    let folder = prepared();
    let page = read_closed(folder.path(), &["live/*.pem"], "live", EACCES).await;
    let places = page.places.unwrap();
    let why = places.unproven.unwrap();
    let live = folder.path().join("live");
    for part in [
        format!("nothing could be read: {}: Permission denied", live.display()),
        "notafter runs as ".to_owned(),
        format!("{} has mode ", live.display()),
        "Leave out with exclude".to_owned(),
    ] {
        assert!(why.contains(&part), "{part}: {why}");
    }
    let [Look { covers_below: true, .. }] = places.looked[..] else {
        panic!("{:?}", places.looked)
    };
}
