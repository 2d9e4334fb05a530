//! What a reload would read.

use std::sync::Arc;

use crate::config::Config;

/// Reads the text of a configuration as a reload would, or returns every mistake in it. The first is what the file is called
/// in them. It looks at files that the text names, and so it blocks.
pub type Rehearsal = Arc<dyn Fn(&str, &str) -> Result<Rehearsed, String> + Send + Sync>;

/// A configuration that a reload would put into effect.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// The configuration.
    pub config: Arc<Config>,
    /// What of it only the next start does.
    pub until_restart: Vec<String>,
}
