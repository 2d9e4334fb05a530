//! The file on disk: where it is, who may read it, and that only one process writes it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::StoreError;

/// Only the daemon's own user: names of devices and people are in it.
const OWNER_ONLY: u32 = 0o600;

/// Returns the one path by which every process knows this file, so that two names cannot have two locks.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    if path.is_dir() {
        return Err(StoreError::Unavailable(format!(
            "{} is a directory; name a file in it",
            path.display()
        )));
    }
    if let Ok(resolved) = path.canonicalize() {
        return Ok(resolved);
    }
    let name = path.file_name().ok_or_else(|| {
        StoreError::Unavailable(format!("`{}` does not name a file", path.display()))
    })?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = directory.canonicalize().map_err(|error| {
        StoreError::Unavailable(format!(
            "the directory {} of the store: {error}; create it, or configure another",
            directory.display()
        ))
    })?;
    Ok(directory.join(name))
}

/// Creates the file if it is not there, so that nobody else can read it from the first byte on.
///
/// An existing file is not opened: closing it again would drop the locks that `SQLite` holds in this process.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(refused(path, &error)),
    }
}

/// Takes the lock beside the file, held for as long as the returned file is open.
///
/// It is a file of its own because readers share the database, and because `SQLite`'s own locks come and go.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let beside = beside(path, ".lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(OWNER_ONLY)
        .open(&beside)
        .map_err(|error| refused(&beside, &error))?;
    match file.try_lock() {
        Ok(()) => sign(&mut file).map_err(|error| refused(&beside, &error))?,
        Err(TryLockError::WouldBlock) => return Err(in_use(path, file)),
        Err(TryLockError::Error(error)) => return Err(refused(&beside, &error)),
    }
    Ok(file)
}

/// Returns the length of the write-ahead log, 0 when there is none.
pub(super) fn log_length(path: &Path) -> u64 {
    fs::metadata(beside(path, "-wal")).map_or(0, |metadata| metadata.len())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(std::process::id().to_string().as_bytes())
}

fn in_use(path: &Path, mut lock: File) -> StoreError {
    let mut holder = String::new();
    // Who holds it is a courtesy; that somebody does is the message.
    let holder = match lock.read_to_string(&mut holder) {
        Ok(_) if !holder.is_empty() => format!("process {holder}"),
        _ => "another process".to_owned(),
    };
    StoreError::Unavailable(format!(
        "{} is in use by {holder}; stop that one, or configure another file",
        path.display()
    ))
}

fn refused(path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            StoreError::Full(format!("{text}; free some space"))
        }
        ErrorKind::ReadOnlyFilesystem => {
            StoreError::Full(format!("{text}; configure a file on a writable disk"))
        }
        _ => StoreError::Unavailable(format!(
            "{text}; this user must be able to read and write the file and its directory"
        )),
    }
}
