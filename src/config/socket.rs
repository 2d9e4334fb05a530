//! Where the control socket is.

use std::path::{Path, PathBuf};

use super::Environment;

/// Its name where the configuration does not say.
const NAME: &str = "notafter.sock";

/// Where the service's own directories are, for commands that systemd does not start.
const RUNTIME: &str = "/run/notafter";
const STATE: &str = "/var/lib/notafter";

/// The control socket: where a daemon makes it, and where a command looks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sockets {
    /// Where a daemon with this configuration makes it.
    pub own: PathBuf,
    /// Where a command looks for one, the likeliest first.
    pub candidates: Vec<PathBuf>,
}

impl Sockets {
    /// Returns them for what the configuration says of the socket, if anything, and where the store is.
    pub(super) fn new(configured: Option<&str>, store: &Path, environment: &Environment) -> Self {
        let name = Path::new(configured.unwrap_or(NAME));
        if name.is_absolute() {
            return Self { own: name.to_owned(), candidates: vec![name.to_owned()] };
        }
        let beside = store.parent().unwrap_or(Path::new("")).join(name);
        let runtime = environment.runtime_directory().map(|directory| directory.join(name));
        let under_state = store.is_relative().then(|| Path::new(STATE).join(name));
        let system = Path::new(RUNTIME).join(name);
        let own = runtime.clone().unwrap_or_else(|| beside.clone());
        let all = [runtime, Some(system), Some(beside), under_state];
        Self { own, candidates: all.into_iter().flatten().collect() }
    }
}

/// Returns where a store may be that a daemon under systemd keeps, for a command that systemd did not start.
pub fn store_of_the_service(store: &Path) -> Option<PathBuf> {
    store.is_relative().then(|| Path::new(STATE).join(store))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_in_the_runtime_directory_or_beside_the_store() {
        let service = Environment::of([("RUNTIME_DIRECTORY", "/run/notafter:/run/other")]);
        let shell = Environment::of([]);
        for (configured, store, environment, own, candidates) in [
            (
                None,
                "x.db",
                &service,
                "/run/notafter/notafter.sock",
                &[
                    "/run/notafter/notafter.sock",
                    "/run/notafter/notafter.sock",
                    "notafter.sock",
                    "/var/lib/notafter/notafter.sock",
                ][..],
            ),
            (
                None,
                "x.db",
                &shell,
                "notafter.sock",
                &[
                    "/run/notafter/notafter.sock",
                    "notafter.sock",
                    "/var/lib/notafter/notafter.sock",
                ],
            ),
            (
                None,
                "/srv/x.db",
                &shell,
                "/srv/notafter.sock",
                &["/run/notafter/notafter.sock", "/srv/notafter.sock"],
            ),
            (Some("c"), "/srv/x.db", &shell, "/srv/c", &["/run/notafter/c", "/srv/c"]),
            (Some("/tmp/c"), "/srv/x.db", &service, "/tmp/c", &["/tmp/c"]),
        ] {
            let sockets = Sockets::new(configured, Path::new(store), environment);
            assert_eq!(sockets.own, Path::new(own));
            assert_eq!(
                sockets.candidates,
                candidates.iter().map(PathBuf::from).collect::<Vec<_>>()
            );
        }
    }
}
