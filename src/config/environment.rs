//! What the process was started with. Nothing else in the program asks for an environment variable.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The environment variables, of the process or of a test.
#[derive(Clone)]
pub struct Environment {
    variable: Arc<Lookup>,
}

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// Returns the environment of this process. A variable that is not UTF-8 counts as not set.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub fn process() -> Self {
        Self { variable: Arc::new(|name| std::env::var(name).ok()) }
    }

    /// Returns an environment that holds these variables and no other.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let variables: BTreeMap<String, String> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { variable: Arc::new(move |name| variables.get(name).cloned()) }
    }

    /// Returns the value of a variable that is set.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    /// Returns the directory that systemd keeps for the state of the service.
    pub(super) fn state_directory(&self) -> Option<PathBuf> {
        // systemd joins several directories with colons; the first is the service's own.
        let directories = self.variable("STATE_DIRECTORY")?;
        let first = directories.split(':').next().filter(|first| !first.is_empty())?;
        Some(PathBuf::from(first))
    }

    /// Returns the directory that systemd makes for the service while it runs.
    pub(super) fn runtime_directory(&self) -> Option<PathBuf> {
        let directories = self.variable("RUNTIME_DIRECTORY")?;
        let first = directories.split(':').next().filter(|first| !first.is_empty())?;
        Some(PathBuf::from(first))
    }

    /// Returns the directory that systemd keeps the service's credentials in.
    pub(super) fn credentials_directory(&self) -> Option<PathBuf> {
        self.variable("CREDENTIALS_DIRECTORY").filter(|path| !path.is_empty()).map(PathBuf::from)
    }
}

impl fmt::Debug for Environment {
    /// Shows nothing: a variable may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
