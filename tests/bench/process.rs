//! Processes that are measured, as Linux tells of them.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::Instant;

/// Clock ticks in a second, the unit of `/proc/PID/stat`: 100 on every Linux that userland sees.
const TICKS: f64 = 100.0;

/// How long anything may take before a benchmark gives up.
const PATIENCE: Duration = Duration::from_mins(30);

/// A process of this program in another role; killed when it is dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
}

impl Process {
    /// Starts this program again with `arguments`.
    pub(crate) fn start(prepare: impl FnOnce(&mut Command)) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        prepare(&mut command);
        Ok(Self { child: command.spawn().context("cannot start this program again")? })
    }

    /// Returns the seconds of processor time that it has used, in its own code and in the kernel.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        // `utime` and `stime`.
        ticks(&self.child.id().to_string(), 11)
    }

    /// Returns the same of this process.
    pub(crate) fn of_itself() -> anyhow::Result<f64> {
        ticks("self", 11)
    }

    /// Returns the same of all processes that this one has started and waited for.
    pub(crate) fn of_children() -> anyhow::Result<f64> {
        // `cutime` and `cstime`.
        ticks("self", 13)
    }

    /// Returns its resident memory in MiB: now, and at its peak.
    pub(crate) fn memory(&self) -> anyhow::Result<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        Ok((field(&status, "VmRSS:")?, field(&status, "VmHWM:")?))
    }

    /// Returns the bytes that it has had the kernel write to disk.
    pub(crate) fn written(&self) -> anyhow::Result<f64> {
        let io = fs::read_to_string(format!("/proc/{}/io", self.child.id()))?;
        let bytes =
            io.lines().find_map(|line| line.strip_prefix("write_bytes:")?.trim().parse().ok());
        bytes.context("/proc/PID/io has no write_bytes")
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns the sum of two times of a process in seconds.
fn ticks(process: &str, first: usize) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in brackets, may hold anything; what follows it are numbers.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let mut ticks = after.split_whitespace().skip(first).take(2).map(str::parse::<f64>);
    match (ticks.next(), ticks.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok((user + system) / TICKS),
        _ => bail!("/proc/PID/stat is not as expected"),
    }
}

fn field(status: &str, name: &str) -> anyhow::Result<f64> {
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    Ok(kib.with_context(|| format!("/proc/PID/status has no {name}"))? / 1024.0)
}

/// Returns the resident memory of this process in MiB: now, and at its peak since [`forget_peak`].
pub(crate) fn own_memory() -> anyhow::Result<(f64, f64)> {
    let status = fs::read_to_string("/proc/self/status")?;
    Ok((field(&status, "VmRSS:")?, field(&status, "VmHWM:")?))
}

/// Makes the peak of this process's memory what it is now.
pub(crate) fn forget_peak() -> anyhow::Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("cannot reset the peak of memory")
}

/// Waits until `look` finds something, looking every `pause`.
pub(crate) fn wait_for<T>(
    what: &str,
    pause: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("never came true: {what}");
        }
        std::thread::sleep(pause);
    }
}

/// Returns the value below which a share of `values` lies.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share).ceil() as usize;
    values.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
