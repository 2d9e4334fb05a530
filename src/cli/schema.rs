//! `notafter schema`.

use super::{Console, Exit};
use crate::{channel, config, source};

/// Where the packages put what this command prints.
pub(super) const INSTALLED: &str = "/usr/share/notafter/notafter.schema.json";

/// Prints the JSON Schema of the configuration.
pub(super) fn print(console: &mut Console<'_>) -> anyhow::Result<Exit> {
    let schema = config::schema(&source::keys(), &channel::keys());
    writeln!(console.out, "{schema:#}")?;
    Ok(Exit::Done)
}
