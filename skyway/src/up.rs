//! `skyway up`: every service and the gateway in one process, and nothing to install.
//!
//! Each replica has an OS thread of its own with a single-threaded runtime, and logs and traces
//! under its own name: what differs from production is the wire between the machines, not the
//! code on both of its ends. They call each other over loopback like strangers.

use std::fmt::Write;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use mesh::client::Endpoints;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::listen::{self, Bound};
use crate::{probe, process, serve};

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
    let ports = Ports::bind(config)?;
    process::single_threaded()?.block_on(async {
        let shutdown = CancellationToken::new();
        let addresses = ports.addresses();
        let running = Parts::start(config, ports, &shutdown)?;
        process::until_stopped(running.run(addresses, config, started), &shutdown).await
    })
}

/// Every port of the process, taken before anything starts.
struct Ports {
    gateway: Bound,
    admin: Option<Bound>,
    search: Vec<Bound>,
}

/// Where a client on this machine finds what.
struct Addresses {
    gateway: SocketAddr,
    admin: Option<SocketAddr>,
    search: Vec<SocketAddr>,
}

impl Ports {
    fn bind(config: &Config) -> anyhow::Result<Self> {
        let (variable, flag) = ("SKYWAY_GATEWAY_LISTEN", "--gateway-listen");
        let gateway = listen::bind("gateway", &config.gateway.listen, variable, flag)?;
        let admin = config.gateway.admin_listen.as_ref().map(|address| {
            let (variable, flag) = ("SKYWAY_GATEWAY_ADMIN_LISTEN", "--gateway-admin-listen");
            listen::bind("gateway admin", address, variable, flag)
        });
        let search = (0..config.search.replicas.0).map(|index| {
            let (variable, flag) = ("SKYWAY_SEARCH_LISTEN", "--search-listen");
            let address = config.search.listen.replica(index);
            let address = address.with_context(|| {
                format!("search {}: {variable} leaves no port for it", index + 1)
            })?;
            Ok(listen::bind(
                &format!("search {}", index + 1),
                &address,
                variable,
                flag,
            )?)
        });
        Ok(Self {
            gateway,
            admin: admin.transpose()?,
            search: search.collect::<anyhow::Result<_>>()?,
        })
    }

    fn addresses(&self) -> Addresses {
        Addresses {
            gateway: self.gateway.reachable(),
            admin: self.admin.as_ref().map(Bound::reachable),
            search: self.search.iter().map(Bound::reachable).collect(),
        }
    }
}

impl Addresses {
    /// Completes when every part says that it is ready.
    async fn until_ready(&self) {
        for address in self.search.iter().chain([&self.gateway]) {
            probe::until_ready(*address).await;
        }
    }

    /// What listens where, and what to try first.
    fn table(&self, config: &Config, took: Duration) -> String {
        let mut table = format!(
            "\nSkyway {} is up, ready in {:.1} s\n\n",
            env!("CARGO_PKG_VERSION"),
            took.as_secs_f32()
        );
        let mut row = |name: &str, at: &str, serves: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "  {name:<10} {at:<26} {serves}");
        };
        row(
            "gateway",
            &format!("http://{}", self.gateway),
            "REST, /openapi.json",
        );
        if let Some(admin) = self.admin {
            row(
                "admin",
                &format!("http://{admin}"),
                "/metrics of the gateway",
            );
        }
        for (index, address) in self.search.iter().enumerate() {
            row(
                &format!("search {}", index + 1),
                &address.to_string(),
                "gRPC, reflection, /metrics",
            );
        }
        row(
            "data",
            &config.data_dir.display().to_string(),
            "timetable and keys",
        );
        let gateway = self.gateway;
        let tomorrow = (chrono::Utc::now() + chrono::Days::new(1)).date_naive();
        let search = self
            .search
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        let itineraries =
            format!("origin=JFK&destination=SEA&departureDate={tomorrow}&passengers=2&maxStops=1");
        let _ = write!(
            table,
            "\nTry:\n  curl '{gateway}/v1/airports?query=sao'\n  curl '{gateway}/v1/itineraries:search?{itineraries}'\n  \
             grpcurl -plaintext {search} list\n\nCtrl-C stops it.\n",
        );
        table
    }
}

/// How a part ended.
struct Ended {
    service: &'static str,
    result: anyhow::Result<()>,
}

/// The threads.
struct Parts {
    running: usize,
    ended: mpsc::Receiver<Ended>,
    /// Stops the gateway. Whoever else holds it stops the whole.
    gateway: CancellationToken,
    /// Stops the replicas: only when the gateway, which calls them, has drained.
    replicas: CancellationToken,
}

impl Parts {
    fn start(config: &Config, ports: Ports, gateway: &CancellationToken) -> anyhow::Result<Self> {
        let (gateway, replicas) = (gateway.clone(), CancellationToken::new());
        let config = Arc::new(config.clone());
        let running = ports.search.len() + 1;
        let (report, ended) = mpsc::channel(running);
        let endpoints = endpoints(&ports.search)?;
        for (index, listener) in ports.search.into_iter().enumerate() {
            let (config, shutdown) = (Arc::clone(&config), replicas.clone());
            let part = Part {
                label: format!("search {}", index + 1),
                service: "search",
                instance: listener.address(),
                config: Arc::clone(&config),
            };
            part.spawn(report.clone(), async move || {
                serve::search(&config, listener, shutdown).await
            })?;
        }
        let shutdown = gateway.clone();
        let part = Part {
            label: "gateway".to_owned(),
            service: "gateway",
            instance: ports.gateway.address(),
            config: Arc::clone(&config),
        };
        part.spawn(report, async move || {
            serve::gateway(&config, endpoints, ports.gateway, ports.admin, shutdown).await
        })?;
        Ok(Self {
            running,
            ended,
            gateway,
            replicas,
        })
    }

    /// Says when all are ready, and waits for all to end. One that fails stops the others.
    async fn run(
        mut self,
        addresses: Addresses,
        config: &Config,
        started: Instant,
    ) -> anyhow::Result<()> {
        tokio::select! {
            ready = tokio::time::timeout(START, addresses.until_ready()) => {
                ready.ok().with_context(|| format!("not ready after {} s", START.as_secs()))?;
                println!("{}", addresses.table(config, started.elapsed()));
            }
            Some(ended) = self.ended.recv() => return self.drain(ended).await,
            () = self.gateway.cancelled() => {}
        }
        match self.ended.recv().await {
            Some(ended) => self.drain(ended).await,
            None => Ok(()),
        }
    }

    /// Stops what still runs after the first part ended, and gives the first failure.
    async fn drain(mut self, first: Ended) -> anyhow::Result<()> {
        self.gateway.cancel();
        let mut result = Ok(());
        let mut next = Some(first);
        for left in (0..self.running).rev() {
            let Some(ended) = next else { break };
            if ended.service == "gateway" {
                self.replicas.cancel();
            }
            result = result.and(ended.result);
            next = if left > 0 {
                self.ended.recv().await
            } else {
                None
            };
        }
        result
    }
}

/// Where the gateway finds the replicas.
fn endpoints(search: &[Bound]) -> anyhow::Result<Endpoints> {
    let authorities = search
        .iter()
        .map(|bound| bound.reachable().to_string().parse());
    Ok(Endpoints::Static(
        authorities.collect::<Result<_, http::uri::InvalidUri>>()?,
    ))
}

/// One service's thread.
struct Part {
    label: String,
    service: &'static str,
    instance: SocketAddr,
    config: Arc<Config>,
}

impl Part {
    /// Runs `work` on a thread of its own and reports how it ended, a panic included.
    fn spawn<W>(self, report: mpsc::Sender<Ended>, work: W) -> anyhow::Result<()>
    where
        W: AsyncFnOnce() -> anyhow::Result<()> + Send + 'static,
    {
        let thread = thread::Builder::new().name(self.label.clone());
        let body = move || {
            let run = AssertUnwindSafe(|| self.run(work));
            let ended = std::panic::catch_unwind(run);
            let panicked = |_| {
                Err(anyhow::anyhow!(
                    "{} panicked; its log says where",
                    self.label
                ))
            };
            let (service, result) = (self.service, ended.unwrap_or_else(panicked));
            // Nobody listens any more after a stop at once.
            let _ = report.blocking_send(Ended { service, result });
        };
        thread.spawn(body).context("cannot start a thread")?;
        Ok(())
    }

    fn run(&self, work: impl AsyncFnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        process::single_threaded()?.block_on(async {
            let (dispatch, telemetry) =
                process::telemetry(self.service, self.instance.to_string(), &self.config)?;
            let default = tracing::dispatcher::set_default(&dispatch);
            let ended = work().await;
            telemetry.shutdown().await;
            drop(default);
            ended
        })
    }
}
