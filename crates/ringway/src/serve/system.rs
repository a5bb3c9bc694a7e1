//! What the operating system has to do with: signals, the limit of open files, the host's name.

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Settings;

/// What a process ends with that is told to go at once, as a shell would say it: 128 and SIGINT's number.
const EXIT_AT_ONCE: i32 = 130;

/// A token that the first SIGTERM or SIGINT cancels. The second one ends the process at once.
///
/// # Errors
/// When signals cannot be waited for.
pub(super) fn shutdown_signals() -> anyhow::Result<CancellationToken> {
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate()).context("SIGTERM")?,
        interrupt: signal(SignalKind::interrupt()).context("SIGINT")?,
    };
    let shutdown = CancellationToken::new();
    let cancelled = shutdown.clone();
    tokio::spawn(async move {
        let name = signals.next().await;
        // Told first: whoever waits for the token tells what follows.
        tracing::info!(signal = name, "shutdown: begins; a second signal ends the process at once");
        cancelled.cancel();
        let name = signals.next().await;
        tracing::warn!(signal = name, "shutdown: at once");
        std::process::exit(EXIT_AT_ONCE);
    });
    Ok(shutdown)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            biased;
            // Both are cancel-safe.
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Every client is an open file, and the usual limit of 1,024 is for processes of another kind. The system's own limit
/// for the process stays.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => {
            tracing::debug!(open_files_max = ?limit.maximum, "as many files may be open as the system allows");
        }
        Err(error) => {
            tracing::warn!(%error, open_files_max = ?limit.current, "the limit of open files stays low");
        }
    }
}

/// The host's name, for a gateway that was given none.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// On how many threads the process runs. If nothing is said: half as many as there are processors, rounded up, so that a gateway
/// and a worker may share a machine.
pub(super) fn threads(settings: &Settings) -> usize {
    let half = || std::thread::available_parallelism().map_or(1, |count| count.get().div_ceil(2));
    settings.node.threads.unwrap_or_else(half)
}

/// What a process runs on. One thread needs nothing that several share.
///
/// # Errors
/// The system's, such as that there may be no further threads.
pub(super) fn runtime(threads: usize) -> std::io::Result<Runtime> {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build()
}
