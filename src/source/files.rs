//! Stub.

use std::sync::Arc;

use super::Source;
use crate::client::Deps;
use crate::config::{Fields, SourceConfig};

pub(super) fn build(_: &SourceConfig, _: Fields<'_>, _: &Deps) -> Option<Arc<dyn Source>> {
    todo!()
}
