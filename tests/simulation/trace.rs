//! What crossed a seam, and when.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

/// Every crossing in order, one line each, with the virtual time since the play began.
#[derive(Debug)]
pub(crate) struct Trace {
    began: Instant,
    lines: Mutex<String>,
}

impl Trace {
    pub(crate) fn begin() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), lines: Mutex::default() })
    }

    /// Adds one crossing.
    pub(crate) fn note(&self, seam: &str, what: &str) {
        let millis = self.began.elapsed().as_millis();
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
        let mut lines = self.lines.lock().unwrap();
        writeln!(lines, "{days}d {hours:02}:{minutes:02}:{seconds:02}.{millis:03} {seam}: {what}")
            .unwrap();
    }

    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap().clone()
    }
}
