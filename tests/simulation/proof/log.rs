//! What crossed a seam, and when: as a digest, and as lines where somebody wants to read them.

use std::sync::Mutex;

use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How much is kept of a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Digest,
    Lines,
}

pub(crate) struct Log {
    keep: Keep,
    began: Instant,
    kept: Mutex<(u64, String)>,
}

impl Log {
    pub(crate) fn begin(keep: Keep) -> Self {
        Self { keep, began: Instant::now(), kept: Mutex::default() }
    }

    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if self.keep == Keep::Nothing {
            return;
        }
        let millis = self.began.elapsed().as_millis();
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        let seconds = seconds % 60;
        let line = format!("{days}d {hours:02}:{minutes:02}:{seconds:02}.{millis:03} {}\n", line());
        let mut kept = self.kept.lock().unwrap();
        kept.0 = xxh3_64_with_seed(line.as_bytes(), kept.0);
        if self.keep == Keep::Lines {
            kept.1.push_str(&line);
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        self.kept.lock().unwrap().0
    }

    pub(crate) fn lines(&self) -> String {
        self.kept.lock().unwrap().1.clone()
    }
}
