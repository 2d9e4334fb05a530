//! Certificates in files: PEM, DER and bundles, found by globs. The one scope is `all`.

use std::sync::Arc;

use async_trait::async_trait;
use glob::Pattern;

use super::{Kind, Page, Slice, Source, SourceError, Window};
use crate::client::Deps;
use crate::config::{Fields, SourceConfig};

mod bundle;
mod read;

/// What `kind = "files"` is. Nothing is sent.
pub(super) const KIND: Kind = Kind {
    name: "files",
    build,
    actions: &[],
    windowed: false,
    full_scan_default: None,
    fixed_scope: Some(SCOPE),
};

const SCOPE: &str = "all";

/// Builds the source, or reports what is wrong with its options.
fn build(config: &SourceConfig, mut fields: Fields<'_>, _: &Deps) -> Option<Arc<dyn Source>> {
    let whole = fields.strings("paths");
    match &whole {
        None if super::is_absent(config, "paths") => {
            let text = "`paths` is missing: give a list of paths or globs";
            fields.mistake(config.options.span.clone(), text);
        }
        // Wrong, and reported.
        None => {}
        Some(paths) if paths.value.is_empty() => {
            fields.mistake(paths.span.clone(), "give at least one path or glob");
        }
        Some(paths) => {
            for path in &paths.value {
                if let Err(error) = Pattern::new(path) {
                    fields.mistake(paths.span.clone(), format!("`{path}` is not a glob: {error}"));
                }
            }
        }
    }
    fields.finish()?;
    Some(Arc::new(Files { globs: whole?.value.into() }))
}

struct Files {
    globs: Arc<[String]>,
}

#[async_trait]
impl Source for Files {
    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
        Ok(vec![Slice::whole(&SCOPE.into(), window, u64::MAX, 0)])
    }

    async fn page(&self, _: &Slice, _: u64) -> Result<Page, SourceError> {
        let globs = Arc::clone(&self.globs);
        tokio::task::spawn_blocking(move || read::all(&globs))
            .await
            .map_err(|error| SourceError::Unavailable(format!("reading files stopped: {error}")))
    }
}

#[cfg(test)]
mod tests;
