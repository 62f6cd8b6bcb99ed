//! What every process needs around its work: exit codes, signals, a data directory, logs and a runtime.

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;

use crate::config::{Config, ConfigError};

/// Exit code for wrong usage or settings, as in BSD's `sysexits.h`.
const USAGE: u8 = 64;

/// Prints what clap has to say: help and version are no failure.
pub(crate) fn usage(message: &clap::Error) -> ExitCode {
    // Nobody is left to tell where even this cannot be printed.
    let _ = message.print();
    ExitCode::from(if message.use_stderr() { USAGE } else { 0 })
}

/// Prints why the command failed, in one line.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("skyway: {error:#}");
    ExitCode::from(if error.is::<ConfigError>() { USAGE } else { 1 })
}

/// The environment, without what is not Unicode: no setting of ours can be.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Where the user's programs keep their settings, where there is a user with a home.
pub(crate) fn config_home() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let set = set.filter(|directory| directory.is_absolute());
    set.or_else(|| Some(std::env::home_dir()?.join(".config")))
}

/// Makes the data directory, readable by its owner alone. One that exists is left as it is.
pub(crate) fn make_data_dir(path: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(path);
    made.with_context(|| format!("data_dir: cannot make the directory {}", path.display()))
}

/// A runtime for one service: a thread of its own where one is asked for or only one CPU is
/// there (affinity counts), which saves the hops of a work-stealing pool.
pub(crate) fn runtime(config: &Config) -> anyhow::Result<Runtime> {
    let cpus = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = config.threads.map_or_else(cpus, |threads| threads.0.into());
    if threads == 1 {
        return single_threaded();
    }
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build();
    built.context("cannot start a runtime")
}

/// A runtime on the thread that calls it.
pub(crate) fn single_threaded() -> anyhow::Result<Runtime> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.context("cannot start a runtime")
}

/// Logs and traces of one replica of a service; `instance` tells it from the others. Call it on
/// the runtime that the replica runs on.
pub(crate) fn telemetry(
    service: &str,
    instance: String,
    config: &Config,
) -> anyhow::Result<(Dispatch, mesh::telemetry::Guard)> {
    let mut telemetry = mesh::telemetry::Config::new(service);
    telemetry.instance = instance;
    telemetry.log_format = config.log.format;
    telemetry.log_filter = Some(config.log.filter.clone());
    telemetry
        .otlp_endpoint
        .clone_from(&config.telemetry.otlp_endpoint);
    Ok(mesh::telemetry::subscriber(&telemetry)?)
}

/// Lets a panic be one event of the log, with its place, instead of lines beside it.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        if tracing::event_enabled!(tracing::Level::ERROR) {
            tracing::error!(
                panic.at = at,
                panic.message = message,
                "panicked: {message}"
            );
        } else {
            eprintln!("skyway: panicked at {at}: {message}");
        }
    }));
}

/// Whether people are looking.
pub(crate) fn on_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Signals to stop: Ctrl-C and `SIGTERM`.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on. Call it on a runtime.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .context("cannot listen for signals")?,
        })
    }

    /// Completes with the next signal.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Runs `work` to its end: the first signal cancels `shutdown`, so that it drains; the second one
/// does not wait for that.
///
/// # Errors
/// What `work` fails with, or that it was stopped before it had drained.
pub(crate) async fn until_stopped(
    work: impl Future<Output = anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = signals.next() => shutdown.cancel(),
    }
    tracing::info!("draining; another signal stops at once");
    tokio::select! {
        done = work => done,
        () = signals.next() => anyhow::bail!("stopped at once, with requests in flight"),
    }
}
