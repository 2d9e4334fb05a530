//! A kind of source for tests. This file and its line in the list of kinds are all that it takes to add one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Context, Kind, Page, Slice, Source, SourceError, Window};
use crate::client::Action;
use crate::config::{Fields, SourceConfig};

pub(super) const KIND: Kind = Kind {
    name: "example",
    about: "A provider without certificates.",
    options: &[],
    build,
    actions: &[Action::new("ListExamples")],
    windowed: true,
    full_scan_default: Some(Duration::from_hours(48)),
    fixed_scope: Some("everything"),
    serves: false,
    names_endpoints: false,
};

fn build(_: &SourceConfig, fields: Fields<'_>, _: &Context<'_>) -> Option<Arc<dyn Source>> {
    fields.finish()?;
    Some(Arc::new(Example))
}

/// A provider without certificates.
struct Example;

#[async_trait]
impl Source for Example {
    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
        Ok(vec![Slice::whole(&"everything".into(), window, u64::MAX, 0)])
    }

    async fn page(&self, _: &Slice, _: u64) -> Result<Page, SourceError> {
        Ok(Page::default())
    }
}
