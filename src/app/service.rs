//! What systemd is notified of, and the signals it sends.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Without a turn of the pipeline for this long, the watchdog is no longer fed. It turns once a minute at least; while it
/// waits for a store that cannot write now, the wait says so.
const SILENCE: Duration = Duration::from_secs(90);

/// How long a start may go on after it last said that it does.
const MORE_TIME: Duration = Duration::from_secs(30);

/// Notifies systemd, where there is one.
pub(super) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not notified");
    }
}

/// Asks systemd for more time while a part of the start takes long: a store of millions is brought up to date or read.
pub(super) async fn extending<T>(start: impl Future<Output = T>) -> T {
    tokio::pin!(start);
    let mut ticks = tokio::time::interval(MORE_TIME / 3);
    let more = u32::try_from(MORE_TIME.as_micros()).unwrap_or(u32::MAX);
    loop {
        tokio::select! {
            biased;
            done = &mut start => return done,
            _ = ticks.tick() => notify(&[NotifyState::ExtendTimeoutUsec(more)]),
        }
    }
}

/// Feeds systemd's watchdog for as long as the pipeline turns, until `stop`.
pub(super) fn watch(
    spine: &mut JoinSet<anyhow::Result<()>>,
    pulse: watch::Receiver<Instant>,
    stop: CancellationToken,
) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    spine.spawn(async move {
        let mut ticks = tokio::time::interval(limit / 3);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let silent = pulse.borrow().elapsed();
            if silent < SILENCE {
                notify(&[NotifyState::Watchdog]);
            } else {
                tracing::error!("the pipeline has not turned for {silent:?}");
            }
        }
        Ok(())
    });
}

/// Listens for SIGHUP: read the configuration again.
pub(super) fn hangups() -> anyhow::Result<Signal> {
    Ok(signal(SignalKind::hangup())?)
}

/// Resolves when the process is asked to end.
///
/// Listens from the call on, so that a signal is not lost while the daemon starts.
pub fn asked_to_end() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
            _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
        }
    })
}
