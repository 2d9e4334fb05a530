//! Stub.

use std::sync::Arc;

use super::Channel;
use crate::client::Deps;
use crate::config::{ChannelConfig, Fields};

pub(super) fn build(_: &ChannelConfig, _: Fields<'_>, _: &Deps) -> Option<Arc<dyn Channel>> {
    todo!()
}
