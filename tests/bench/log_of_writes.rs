//! How many transactions a store wrote, as its write-ahead log tells: each ends with a frame that says how large the file is.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

/// How often it is looked: between two looks the log is not begun anew more than once.
const PAUSE: Duration = Duration::from_millis(2);
/// Bytes before the first frame, and before the page of each.
const HEADER: u64 = 32;
const FRAME: u64 = 24;

/// What was written.
#[derive(Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) count: u64,
    pub(crate) pages: u64,
}

/// Somebody who looks at the log of a store.
pub(crate) struct Writes {
    thread: JoinHandle<anyhow::Result<Written>>,
    over: Arc<AtomicBool>,
}

impl Writes {
    /// Begins to look at the log of the store in this file.
    pub(crate) fn follow(store: PathBuf) -> Self {
        let over = Arc::<AtomicBool>::default();
        let is_over = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut path = store.into_os_string();
            path.push("-wal");
            let mut log = Log { file: File::open(path)?, salts: None, next: 0 };
            log.look(&mut Written::default())?;
            let mut written = Written::default();
            while !is_over.load(Ordering::SeqCst) {
                std::thread::sleep(PAUSE);
                log.look(&mut written)?;
            }
            Ok(written)
        });
        Self { thread, over }
    }

    /// Returns what was written since.
    pub(crate) fn end(self) -> anyhow::Result<Written> {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().map_err(|_| anyhow!("nobody looked at the log any more"))?
    }
}

struct Log {
    file: File,
    /// What every frame carries since the log was begun.
    salts: Option<[u8; 8]>,
    /// The next frame.
    next: u64,
}

impl Log {
    /// Counts the frames that were written since the last look.
    fn look(&mut self, written: &mut Written) -> anyhow::Result<()> {
        let mut header = [0; HEADER as usize];
        if self.file.read_exact_at(&mut header, 0).is_err() {
            return Ok(());
        }
        let page = u64::from(number(&header, 8)?);
        let salts: [u8; 8] = header.get(16..24).context("no salts")?.try_into()?;
        if self.salts != Some(salts) {
            (self.salts, self.next) = (Some(salts), 0);
        }
        let mut frame = [0; FRAME as usize];
        loop {
            let at = HEADER + self.next * (FRAME + page);
            let is_there = self.file.read_exact_at(&mut frame, at).is_ok();
            if !is_there || frame.get(8..16) != Some(&salts) {
                return Ok(());
            }
            self.next += 1;
            written.pages += 1;
            written.count += u64::from(number(&frame, 4)? != 0);
        }
    }
}

fn number(bytes: &[u8], at: usize) -> anyhow::Result<u32> {
    let bytes = bytes.get(at..at + 4).context("too short")?;
    Ok(u32::from_be_bytes(bytes.try_into()?))
}
