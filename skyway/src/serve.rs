//! `skyway serve`: one service as a process of its own.

use std::sync::Arc;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::cli::Serve;
use crate::config::{Config, Service, variable_of_key};
use crate::{listen, process, wire};

/// Runs `service` until a signal, then drains.
///
/// # Errors
/// One line: a taken port, a database that does not open, or requests cut off while draining.
pub(crate) fn serve(service: &Serve, config: &Config) -> anyhow::Result<()> {
    process::make_data_dir(&config.data_dir)?;
    match service {
        Serve::Gateway { .. } => gateway(config),
        Serve::Search { .. } => replica(Service::Search, config),
        Serve::Booking { .. } => replica(Service::Booking, config),
        Serve::Orchestration { .. } => replica(Service::Orchestration, config),
        Serve::Mail { .. } => replica(Service::Mail, config),
        Serve::Identity { .. } => replica(Service::Identity, config),
    }
}

fn gateway(config: &Config) -> anyhow::Result<()> {
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
    run(
        "gateway",
        listener.address().to_string(),
        config,
        async |shutdown| wire::gateway(config, &config.peers(), listener, admin, shutdown).await,
    )
}

fn replica(service: Service, config: &Config) -> anyhow::Result<()> {
    let variable = variable_of_key(&service.key("listen"));
    let address = config.listen(service);
    let listener = listen::bind(service.name(), address, &variable, "--listen")?;
    run(
        service.name(),
        listener.address().to_string(),
        config,
        async |shutdown| {
            // Who configures a first administrator knows the password.
            let admin_made = Arc::default();
            let peers = config.peers();
            wire::replica(service, config, &peers, &admin_made, listener, shutdown).await
        },
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
