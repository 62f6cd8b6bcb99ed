//! Whole Skyways: `up` in one process, or a process per service.

use std::path::Path;
use std::sync::{Arc, Weak};

use testing::free_port;
use tokio::sync::Mutex;

use super::http::Rest;
use super::process::Process;
use super::wait;

/// A running `skyway up`, ready.
#[derive(Debug)]
pub(crate) struct Up {
    pub(crate) process: Process,
    gateway: String,
    /// Where the replicas of search serve gRPC.
    pub(crate) search: Vec<String>,
    /// Where booking, orchestration, mail and identity do.
    pub(crate) booking: String,
    pub(crate) orchestration: String,
    pub(crate) mail: String,
    pub(crate) identity: String,
    /// Where the gateway's metrics are.
    pub(crate) admin: String,
}

impl Up {
    /// Starts one of its own for a test that stops or watches it.
    pub(crate) async fn start(environment: &[(&str, &str)]) -> Self {
        let search = free_port();
        let (gateway, admin) = (free_port(), free_port());
        let others = [free_port(), free_port(), free_port(), free_port()];
        let [booking, orchestration, mail, identity] =
            others.map(|port| format!("127.0.0.1:{port}"));
        let listen = [gateway, admin, search].map(|port| format!("127.0.0.1:{port}"));
        let [gateway, admin, first] = listen;
        let flags = [
            "up",
            "--gateway-listen",
            &gateway,
            "--gateway-admin-listen",
            &admin,
            "--search-listen",
            &first,
            "--booking-listen",
            &booking,
            "--orchestration-listen",
            &orchestration,
            "--mail-listen",
            &mail,
            "--identity-listen",
            &identity,
        ];
        let mut process = Process::start(&flags, environment);
        wait::until("skyway up to say that it is up", async || {
            assert!(
                process.is_running(),
                "skyway up ended: {}",
                process.output("stderr")
            );
            process.output("stdout").contains("Ctrl-C").then_some(())
        })
        .await;
        Self {
            process,
            gateway,
            search: vec![first, format!("127.0.0.1:{}", search + 10)],
            booking,
            orchestration,
            mail,
            identity,
            admin,
        }
    }

    /// A client of the gateway. Each test has its own: connections end with the runtime of a test.
    pub(crate) fn rest(&self) -> Rest {
        Rest::new(&self.gateway)
    }

    /// One for all tests that only ask. It ends with the last of them that runs.
    pub(crate) async fn shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<Up>> = Mutex::const_new(Weak::new());
        let mut running = RUNNING.lock().await;
        if let Some(up) = running.upgrade() {
            return up;
        }
        let up = Arc::new(Self::start(&[]).await);
        *running = Arc::downgrade(&up);
        up
    }
}

/// A search without a booking service whose seats it would follow.
const ALONE: (&str, &str) = ("SKYWAY_SEARCH_LIVE_SEATS", "false");

/// A `skyway serve search`, ready.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) process: Process,
    /// Where it serves gRPC.
    pub(crate) address: String,
    arguments: Vec<String>,
}

impl Replica {
    /// Starts one over the data directory that all replicas share.
    pub(crate) async fn start(data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let data_dir = data_dir.to_str().unwrap();
        let arguments = [
            "serve",
            "search",
            "--listen",
            &address,
            "--data-dir",
            data_dir,
        ]
        .map(str::to_owned);
        let environment = [environment, &[ALONE]].concat();
        let process = start(&arguments, &environment);
        let replica = Self {
            process,
            address,
            arguments: arguments.to_vec(),
        };
        ready(&replica.address).await;
        replica
    }

    /// Starts it again where it was, after it was killed.
    pub(crate) async fn restart(&mut self) {
        self.process = start(&self.arguments, &[ALONE]);
        ready(&self.address).await;
    }

    /// Calls that it has answered, health and reflection left out.
    pub(crate) async fn calls(&self) -> u64 {
        calls(&self.address).await
    }
}

/// Calls of search that the service at `address` has answered, by its own count.
pub(crate) async fn calls(address: &str) -> u64 {
    let metrics = Rest::new(address).text("/metrics").await;
    let counts = metrics.lines().filter(|line| {
        line.starts_with("rpc_server_duration_seconds_count{")
            && line.contains("skyway.search.v1.SearchService")
    });
    counts
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

/// A `skyway serve gateway` over `replicas`, ready. Nobody asks it for anything but search.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) rest: Rest,
}

impl Gateway {
    pub(crate) async fn start(replicas: &[&Replica], environment: &[(&str, &str)]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let addresses: Vec<&str> = replicas
            .iter()
            .map(|replica| replica.address.as_str())
            .collect();
        let endpoints = format!("static://{}", addresses.join(","));
        let arguments = [
            "serve",
            "gateway",
            "--listen",
            &address,
            "--admin-listen",
            "none",
            "--search-endpoints",
            &endpoints,
        ];
        let nobody = ["BOOKING", "ORCHESTRATION", "MAIL", "IDENTITY"]
            .map(|service| (format!("SKYWAY_{service}_ENDPOINTS"), endpoints.clone()));
        let nobody = nobody
            .each_ref()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let environment = [environment, &nobody].concat();
        let process = start(&arguments.map(str::to_owned), &environment);
        ready(&address).await;
        Self {
            process,
            rest: Rest::new(&address),
        }
    }
}

fn start(arguments: &[String], environment: &[(&str, &str)]) -> Process {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Process::start(&arguments, environment)
}

/// Waits until `GET /readyz` answers 200.
pub(crate) async fn ready(address: &str) {
    let rest = Rest::new(address);
    wait::until("readiness", async || rest.is_ready().await.then_some(())).await;
}
