//! `skyway serve`: one service as a process of its own.

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::cli::Serve;
use crate::config::Config;
use crate::listen::{self, Bound};
use crate::process;

/// Runs `service` until a signal, then drains.
///
/// # Errors
/// One line: a taken port, a database that does not open, or requests cut off while draining.
pub(crate) fn serve(service: &Serve, config: &Config) -> anyhow::Result<()> {
    process::make_data_dir(&config.data_dir)?;
    match service {
        Serve::Gateway { .. } => serve_gateway(config),
        Serve::Search { .. } => serve_search(config),
    }
}

fn serve_gateway(config: &Config) -> anyhow::Result<()> {
    let listener = listen::bind(
        "gateway",
        &config.gateway.listen,
        "SKYWAY_GATEWAY_LISTEN",
        "--listen",
    )?;
    let admin = config.gateway.admin_listen.as_ref();
    let admin = admin.map(|address| {
        let (variable, flag) = ("SKYWAY_GATEWAY_ADMIN_LISTEN", "--admin-listen");
        listen::bind("gateway admin", address, variable, flag)
    });
    let admin = admin.transpose()?;
    let endpoints = config.search.endpoints.clone();
    run(
        "gateway",
        listener.address().to_string(),
        config,
        async |shutdown| gateway(config, endpoints, listener, admin, shutdown).await,
    )
}

fn serve_search(config: &Config) -> anyhow::Result<()> {
    let listener = listen::bind(
        "search",
        &config.search.listen,
        "SKYWAY_SEARCH_LISTEN",
        "--listen",
    )?;
    run(
        "search",
        listener.address().to_string(),
        config,
        async |shutdown| search(config, listener, shutdown).await,
    )
}

/// Runs `work` with logs and traces under the name `service`, until it ends or a signal stops it.
fn run(
    service: &str,
    instance: String,
    config: &Config,
    work: impl AsyncFnOnce(CancellationToken) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    process::log_panics();
    let runtime = process::runtime(config)?;
    let served = runtime.block_on(async {
        let (dispatch, telemetry) = process::telemetry(service, instance, config)?;
        tracing::dispatcher::set_global_default(dispatch).context("telemetry")?;
        let shutdown = CancellationToken::new();
        let served = process::until_stopped(work(shutdown.clone()), &shutdown).await;
        telemetry.shutdown().await;
        served
    });
    // A stop at once must not wait for what still runs.
    runtime.shutdown_background();
    served
}

/// The search service on `listener`.
pub(crate) async fn search(
    config: &Config,
    listener: Bound,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    search::serve(config.search(), listener.into_tokio()?, shutdown)
        .await
        .context("search")
}

/// The gateway on `listener`, and its metrics on `admin`.
pub(crate) async fn gateway(
    config: &Config,
    search: mesh::client::Endpoints,
    listener: Bound,
    admin: Option<Bound>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let admin = admin.map(Bound::into_tokio).transpose()?;
    gateway::serve(
        config.gateway(search),
        listener.into_tokio()?,
        admin,
        shutdown,
    )
    .await
    .context("gateway")
}
