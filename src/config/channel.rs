//! `[[channel]]`: where messages go.

use super::alerts::language;
use super::name::unique_name;
use super::source::options;
use super::{ChannelConfig, Fields};
use crate::expiry::Language;

/// Reads every `[[channel]]`; `default` is the language of those that do not say.
///
/// `names` holds the names of all, of those as well that cannot be kept.
pub(super) fn channels(
    root: &mut Fields<'_>,
    names: &mut Vec<String>,
    default: Language,
) -> Vec<ChannelConfig> {
    let mut channels = Vec::new();
    for (table, span) in root.list_of_tables("channel").unwrap_or_default() {
        channels.extend(channel(&mut root.inside(table, span), names, default));
    }
    channels
}

fn channel(
    fields: &mut Fields<'_>,
    names: &mut Vec<String>,
    default: Language,
) -> Option<ChannelConfig> {
    let name = unique_name(fields, names).unwrap_or_default();
    let kind = fields.required_string("kind");
    let language = language(fields).unwrap_or(default);
    let options = options(fields);
    fields.report_unknown();
    Some(ChannelConfig { name, kind: kind?, language, options })
}
