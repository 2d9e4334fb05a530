//! The file system, as far as the source needs it. Tests put another one in its place: for root nothing is closed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The largest bundles of public authorities are a fiftieth of this.
pub(super) const LARGEST: u64 = 16 << 20;

/// What a path leads to, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Folder,
    File,
    /// A pipe, a socket, a device.
    Other,
}

/// What a folder holds.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: OsString,
    /// Whether it is a folder; `None`: a link, which may lead to one.
    pub(super) is_folder: Option<bool>,
}

/// A file system that is only read.
pub(super) trait Disk: Send + Sync {
    /// Lists a folder. An error in the middle of the list comes last.
    fn list(&self, folder: &Path) -> io::Result<Vec<io::Result<Entry>>>;
    /// Returns what a path leads to.
    fn content(&self, path: &Path) -> io::Result<Content>;
    /// Returns whether there is something of that name, be it a link to nothing.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Returns the path without links in it.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;
    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>>;
}

/// Returns whether an error says that there is nothing of that name: the kernel's own word for it, and no other.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The file system of this machine.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<io::Result<Entry>>> {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            let kind = entry.file_type()?;
            let is_folder = (!kind.is_symlink()).then_some(kind.is_dir());
            Ok(Entry { name: entry.file_name(), is_folder })
        };
        Ok(fs::read_dir(folder)?.map(entry).collect())
    }

    fn content(&self, path: &Path) -> io::Result<Content> {
        let kind = fs::metadata(path)?.file_type();
        Ok(match kind {
            _ if kind.is_dir() => Content::Folder,
            _ if kind.is_file() => Content::File,
            _ => Content::Other,
        })
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    /// Opening a pipe would wait for its other end, so that only regular files are opened.
    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file; leave it out with `exclude`"));
        }
        let too_large = || io::Error::other("larger than 16 MiB");
        if metadata.len() > LARGEST {
            return Err(too_large());
        }
        let expected = usize::try_from(metadata.len()).map_err(io::Error::other)?;
        // One byte more, so that the buffer does not move and leave a copy of a key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(expected + 1));
        File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= LARGEST) {
            Ok(bytes)
        } else {
            Err(too_large())
        }
    }
}
