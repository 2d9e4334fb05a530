//! What one record of a scan is about.

use std::sync::Arc;

use crate::expiry::{Kind, Part, ScopeId, WindowName};
use crate::source::{Slice, Window};
use crate::store::ScanRecord;

/// Names a part of a scope that is read by itself: one kind of certificate of one window, or all kinds together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WindowKey {
    pub(super) source: Arc<str>,
    pub(super) scope: Arc<str>,
    pub(super) window: WindowName,
    /// The kind of certificate that is listed apart, if it is.
    pub(super) kind: Option<Kind>,
}

impl WindowKey {
    /// Returns the key of a slice of a source.
    pub(super) fn of(source: &Arc<str>, slice: &Slice) -> Self {
        let (source, scope) = (Arc::clone(source), Arc::clone(&slice.scope));
        Self { source, scope, window: window_name(slice.window), kind: slice.kind }
    }

    /// Returns the key of a stored record; `None` for one of another version.
    pub(super) fn of_record(scan: &ScanRecord) -> Option<Self> {
        let (window, kind) = match scan.window.split_once('/') {
            Some((window, kind)) => (window, Some(Kind::from_word(kind)?)),
            None => (scan.window.as_str(), None),
        };
        let (source, scope) = (Arc::from(scan.source.as_str()), Arc::from(scan.scope.as_str()));
        Some(Self { source, scope, window: WindowName::from_word(window)?, kind })
    }

    /// Returns how the store names the window.
    pub(super) fn stored_window(&self) -> String {
        let window = self.window.as_str();
        self.kind.map_or_else(|| window.to_owned(), |kind| format!("{window}/{kind}"))
    }

    /// Returns the first key that a window of a scope can have.
    pub(super) fn first(source: &str, scope: &str, window: WindowName) -> Self {
        Self { source: source.into(), scope: scope.into(), window, kind: None }
    }

    /// Returns whether it is about the scope.
    pub(super) fn is_of(&self, source: &str, scope: &str) -> bool {
        *self.source == *source && *self.scope == *scope
    }
}

/// Returns the part of a scope that a slice is, in the words of the core.
pub(super) fn part(scope: ScopeId, slice: &Slice) -> Part {
    let window = window_name(slice.window);
    Part { scope, kind: slice.kind, span: slice.within, window, coverage: slice.coverage }
}

pub(super) const fn window_name(window: Window) -> WindowName {
    match window {
        Window::Near { .. } => WindowName::Near,
        Window::All => WindowName::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::Timestamp;

    fn record(window: &str) -> ScanRecord {
        ScanRecord {
            source: "iot".to_owned(),
            scope: "mqtt-1/a".to_owned(),
            window: window.to_owned(),
            started: Timestamp::from_seconds(0),
            ended: Timestamp::from_seconds(0),
            proven: false,
            reported: 0,
            collected: 0,
            last_proven: None,
            error: None,
        }
    }

    #[test]
    fn a_key_comes_back_from_the_store_as_it_was() {
        for window in [WindowName::All, WindowName::Near] {
            for kind in [None, Some(Kind::Device), Some(Kind::Ca)] {
                let key = WindowKey { kind, ..WindowKey::first("iot", "mqtt-1/a", window) };
                assert_eq!(WindowKey::of_record(&record(&key.stored_window())), Some(key));
            }
        }
        for other in ["", "far", "near/", "near/router"] {
            assert_eq!(WindowKey::of_record(&record(other)), None, "{other}");
        }
    }
}
