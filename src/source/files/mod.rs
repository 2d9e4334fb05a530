//! Certificates in files: PEM, DER, bundles and keystores, found by globs. The one scope is `all`.
//!
//! Reading order: `pattern` (what the configuration names), `walk` (which paths that leads to, and where it cannot look),
//! `disk` (the file system, as far as it is needed), `look` (what came of each place), `bundle` and `keystore` (the
//! certificates in a file), `page` (the answer), `hint` (what to do where reading is not allowed).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{Checkpoint, Context, Kind, Page, Slice, Source, SourceError, Window};
use crate::config::{Fields, Key, Secret, Shape, SourceConfig};

mod bundle;
mod disk;
mod hint;
mod keystore;
mod look;
mod page;
mod pattern;
mod walk;

use disk::{Disk, RealDisk};
use pattern::{Exclude, Pattern};

/// What `kind = "files"` is. Nothing is sent.
pub(super) const KIND: Kind = Kind {
    name: "files",
    about: "Certificates in files of this machine: PEM, DER, bundles, PKCS#7, PKCS#12 and JKS. Keys beside them are never kept.",
    options: &[
        Key::required(
            "paths",
            Shape::SomeTexts,
            "Paths and globs: `*`, `?` and `[…]` within a name, `**` for any folders, `{a,b}` for alternatives.",
        ),
        Key::new(
            "exclude",
            Shape::Texts,
            "What is left out, with everything below it. A glob that does not begin with `/` holds in every folder.",
        ),
        Key::new(
            "password",
            Shape::Secret,
            "Opens keystores. Without it they are counted as broken.",
        ),
    ],
    build,
    actions: &[],
    windowed: false,
    full_scan_default: None,
    fixed_scope: Some(SCOPE),
    serves: false,
    names_endpoints: false,
};

const SCOPE: &str = "all";

/// Before the glob in the key of a note that it matched something.
const MATCHED: &str = "glob ";

/// Builds the source, or reports what is wrong with its options.
fn build(config: &SourceConfig, fields: Fields<'_>, _: &Context<'_>) -> Option<Arc<dyn Source>> {
    Some(Arc::new(Files::new(options(config, fields)?, Arc::new(RealDisk))))
}

fn options(config: &SourceConfig, mut fields: Fields<'_>) -> Option<Options> {
    let patterns = paths(config, &mut fields);
    let exclude = exclude(&mut fields);
    let password = fields.secret("password").map(|secret| secret.value);
    fields.finish()?;
    Some(Options { patterns: patterns?, exclude: exclude?, password })
}

fn paths(config: &SourceConfig, fields: &mut Fields<'_>) -> Option<Vec<Pattern>> {
    let Some(paths) = fields.strings("paths") else {
        if super::is_absent(config, "paths") {
            let text = "`paths` is missing: give a list of paths or globs";
            fields.mistake(config.options.span.clone(), text);
        }
        return None;
    };
    if paths.value.is_empty() {
        fields.mistake(paths.span, "give at least one path or glob");
        return None;
    }
    let mut patterns = Vec::new();
    for path in &paths.value {
        match Pattern::new(path) {
            Ok(pattern) => patterns.push(pattern),
            Err(why) => fields.mistake(paths.span.clone(), why),
        }
    }
    Some(patterns)
}

fn exclude(fields: &mut Fields<'_>) -> Option<Exclude> {
    let Some(globs) = fields.strings("exclude") else { return Some(Exclude::default()) };
    match Exclude::new(&globs.value) {
        Ok(exclude) => Some(exclude),
        Err(why) => {
            fields.mistake(globs.span, why);
            None
        }
    }
}

/// What the configuration says.
struct Options {
    patterns: Vec<Pattern>,
    exclude: Exclude,
    password: Option<Secret>,
}

struct Files {
    options: Arc<Options>,
    disk: Arc<dyn Disk>,
    /// The globs that ever matched something, since they were configured.
    matched: Mutex<BTreeSet<String>>,
}

impl Files {
    fn new(options: Options, disk: Arc<dyn Disk>) -> Self {
        Self { options: Arc::new(options), disk, matched: Mutex::default() }
    }

    /// Looks at the file system where blocking is allowed.
    async fn blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Options, &dyn Disk) -> T + Send + 'static,
    ) -> Result<T, SourceError> {
        let (options, disk) = (Arc::clone(&self.options), Arc::clone(&self.disk));
        tokio::task::spawn_blocking(move || job(&options, &*disk))
            .await
            .map_err(|error| SourceError::Unavailable(format!("reading files stopped: {error}")))
    }

    fn matched(&self) -> BTreeSet<String> {
        self.matched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Source for Files {
    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
        Ok(vec![Slice::whole(&SCOPE.into(), window, u64::MAX, 0)])
    }

    async fn page(&self, _: &Slice, _: u64) -> Result<Page, SourceError> {
        let matched = self.matched();
        self.blocking(move |options, disk| page::read(options, disk, &matched)).await
    }

    async fn warnings(&self) -> Vec<String> {
        self.blocking(page::warnings).await.unwrap_or_else(|error| vec![error.to_string()])
    }

    fn restore(&self, _: &str, notes: &[Checkpoint]) {
        let mut matched = self.matched.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in notes {
            let Some(glob) = key.strip_prefix(MATCHED) else { continue };
            if value.is_some() {
                matched.insert(glob.to_owned());
            } else {
                matched.remove(glob);
            }
        }
    }
}

#[cfg(test)]
mod tests;
