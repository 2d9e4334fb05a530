//! The control socket: the same server for who may open a file.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Its owner and group may ask for everything, and nobody else for anything.
const MODE: u32 = 0o660;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody answers on it.
    #[error("another daemon runs: it answers on {0}; stop that one, or set `[server] socket`")]
    Taken(PathBuf),
    /// There is something else.
    #[error("{0} is no socket; move it away, or set `[server] socket`")]
    Foreign(PathBuf),
    /// It cannot be made.
    #[error("the control socket {path} cannot be made: {error}; set `[server] socket`")]
    Refused {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// A control socket that is listened on. Its file goes with it.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Tells its file from one that another daemon has made since.
    inode: u64,
}

impl Socket {
    /// Makes the socket at `path`, in place of one that nobody listens on any more.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let refused = |error| SocketError::Refused { path: path.to_owned(), error };
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(SocketError::Foreign(path.to_owned()));
            }
            Ok(_) if is_live(path) => return Err(SocketError::Taken(path.to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(error)),
        }
        Self::make(path).map_err(refused)
    }

    /// Makes it in a folder of its own, where nobody sees it before its mode is right, and moves it to its place.
    fn make(path: &Path) -> io::Result<Self> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = parent.unwrap_or(Path::new(".")).join(format!(".{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir(&folder)?;
        let made = Self::make_in(&folder, path);
        drop(fs::remove_dir_all(&folder));
        made
    }

    fn make_in(folder: &Path, path: &Path) -> io::Result<Self> {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        let made = folder.join("s");
        let listener = UnixListener::bind(&made)?;
        fs::set_permissions(&made, Permissions::from_mode(MODE))?;
        let inode = fs::symlink_metadata(&made)?.ino();
        fs::rename(&made, path)?;
        Ok(Self { listener, path: path.to_owned(), inode })
    }

    pub(super) const fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let own = fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if own && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket stays behind; the next start replaces it");
        }
    }
}

/// Returns whether somebody listens. Where that cannot be found out, somebody may.
fn is_live(path: &Path) -> bool {
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => true,
        Err(error) => {
            !matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.sock");
        let mut first = Socket::bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o660);
        assert!(matches!(Socket::bind(&path), Err(SocketError::Taken(_))));
        // As a process that is killed leaves it.
        first.inode = 0;
        drop(first);
        assert!(path.exists());
        let second = Socket::bind(&path).unwrap();
        drop(second);
        assert!(!path.exists(), "it goes with its daemon");
        fs::write(&path, "").unwrap();
        assert!(matches!(Socket::bind(&path), Err(SocketError::Foreign(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else stays");
        let nowhere = folder.path().join("no/c.sock");
        assert!(matches!(Socket::bind(&nowhere), Err(SocketError::Refused { .. })));
    }
}
