//! `skyway up`: every service and the gateway in one process, and nothing to install.
//!
//! Each replica has an OS thread of its own with a single-threaded runtime, and logs and traces
//! under its own name: what differs from production is the wire between the machines, not the
//! code on both of its ends. They call each other over loopback like strangers.

mod admin;
mod parts;
mod ports;

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::process;

use admin::FirstAdmin;
use parts::Parts;
use ports::{Addresses, Ports};

/// How long the parts may take to become ready before that counts as a failure.
const START: Duration = Duration::from_mins(1);

/// Runs everything until a signal, then drains.
///
/// # Errors
/// One line: a taken port, or the first part that failed. The others are stopped with it.
pub(crate) fn up(config: &Config) -> anyhow::Result<()> {
    let started = Instant::now();
    process::log_panics();
    process::make_data_dir(&config.data_dir)?;
    let taken = Ports::bind(config)?;
    let admin = FirstAdmin::of(config)?;
    let config = &admin.config;
    process::single_threaded()?.block_on(async {
        let shutdown = CancellationToken::new();
        let addresses = taken.addresses();
        let parts = Parts::start(config, taken, &admin.made, &shutdown)?;
        let run = run(parts, addresses, &admin, started, &shutdown);
        process::until_stopped(run, &shutdown).await
    })
}

/// Says when all are ready, and waits for all to end. One that fails stops the others.
async fn run(
    mut parts: Parts,
    addresses: Addresses,
    admin: &FirstAdmin,
    started: Instant,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let ready = tokio::time::timeout(START, addresses.until_ready());
    let ready = tokio::select! {
        ready = ready => Some(ready),
        ended = parts.first_ended() => return parts.drain(ended).await,
        () = shutdown.cancelled() => None,
    };
    if let Some(ready) = ready {
        ready.with_context(|| format!("not ready after {} s", START.as_secs()))?;
        println!("{}", table(&addresses, admin, started.elapsed()));
    }
    let ended = parts.first_ended().await;
    parts.drain(ended).await
}

/// What listens where, and what to try first.
fn table(addresses: &Addresses, admin: &FirstAdmin, took: Duration) -> String {
    let mut table = format!(
        "\nSkyway {} is up, ready in {:.1} s\n\n",
        env!("CARGO_PKG_VERSION"),
        took.as_secs_f32()
    );
    let mut row = |name: &str, at: &str, serves: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "  {name:<15} {at:<26} {serves}");
    };
    let gateway = addresses.gateway;
    row(
        "gateway",
        &format!("http://{gateway}"),
        "REST, /openapi.json",
    );
    if let Some(admin) = addresses.admin {
        let at = format!("http://{admin}");
        row("admin", &at, "/metrics of the gateway");
    }
    for (label, address) in &addresses.replicas {
        row(label, &address.to_string(), "gRPC, reflection, /metrics");
    }
    let config = &admin.config;
    let data_dir = config.data_dir.display().to_string();
    row("data", &data_dir, "databases and keys");
    if let Some((email, password)) = admin.to_show() {
        let _ = writeln!(
            table,
            "\nAdministrator made: {email}, password {password}\nIt is shown this once and kept nowhere in clear."
        );
    }
    let tomorrow = (chrono::Utc::now() + chrono::Days::new(1)).date_naive();
    let itineraries =
        format!("origin=JFK&destination=SEA&departureDate={tomorrow}&passengers=2&maxStops=1");
    let replica = addresses.replicas.first();
    let replica = replica.map(|(_, address)| address.to_string());
    // The client commands find this gateway by themselves where it is the one they are set to ask.
    let set = config.gateway.url.to_string();
    let at = match format!("http://{gateway}") {
        url if url == set => String::new(),
        url => format!(" --gateway {url}"),
    };
    let _ = write!(
        table,
        "\nTry:\n  curl '{gateway}/v1/airports?query=sao'\n  curl '{gateway}/v1/itineraries:search?{itineraries}'\n  \
         grpcurl -plaintext {} list\n  skyway login you@example.com --sign-up{at}\n  skyway search JFK SEA {tomorrow}{at}\n\
         \nCtrl-C stops it.\n",
        replica.unwrap_or_default()
    );
    table
}
