//! What can be configured, with units and defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh::{auth::Auth, client::Endpoints};

use crate::proxies::Network;

/// Configuration of the gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where each service is, by the area of its contract: `search` for `skyway.search.v1`.
    pub endpoints: BTreeMap<String, Endpoints>,
    /// Origins whose pages may read answers. Default `*`, all of them: answers depend on what the
    /// request itself carries, never on cookies.
    pub cors_origins: Vec<String>,
    /// Bounds of what clients may send and keep open.
    pub limits: Limits,
    /// How streams are answered.
    pub streams: Streams,
    /// How users are known, and how services know that they were. None by default: only public
    /// methods are open.
    pub auth: Option<Auth>,
    /// Proxies whose `X-Forwarded-For` is believed, for limits per client. Default none.
    pub trusted_proxies: Vec<Network>,
    /// Time between saying "not ready" and no longer accepting connections, so that a load
    /// balancer notices first. Default 0 s.
    pub drain_wait: Duration,
    /// Time that running requests have to finish at shutdown. Default 30 s.
    pub grace: Duration,
}

/// Bounds of what clients may send and keep open.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once; more wait to be accepted. Default 10,000.
    pub connections: usize,
    /// Time from connecting to the end of the first request's head. Default 10 s.
    pub head: Duration,
    /// Time that a connection may stay open without a running request. Default 75 s, longer than
    /// the 60 s for which common load balancers keep theirs.
    pub idle: Duration,
    /// Time that a request's body may take to arrive. Default 30 s.
    pub body: Duration,
    /// Size of a request's body in bytes. Default 1 MiB.
    pub body_bytes: usize,
    /// Size of one message of a service's answer in bytes. Default 4 MiB.
    pub message_bytes: usize,
}

/// How streams are answered.
#[derive(Clone, Debug)]
pub struct Streams {
    /// Silence after which an event stream gets a comment, so that proxies keep it open. Default 15 s.
    pub keep_alive: Duration,
    /// Messages that one aggregated array may hold. Default 10,000.
    pub array_messages: usize,
    /// Size of one aggregated array in bytes. Default 8 MiB.
    pub array_bytes: usize,
    /// Time that an aggregated array may take to complete. Default 10 s.
    pub array: Duration,
}

impl Config {
    /// The defaults, with services at `endpoints` by the area of their contract.
    pub fn new(endpoints: impl IntoIterator<Item = (String, Endpoints)>) -> Self {
        Self {
            endpoints: endpoints.into_iter().collect(),
            cors_origins: vec!["*".to_owned()],
            limits: Limits::default(),
            streams: Streams::default(),
            auth: None,
            trusted_proxies: Vec::new(),
            drain_wait: Duration::ZERO,
            grace: Duration::from_secs(30),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            body: Duration::from_secs(30),
            body_bytes: 1 << 20,
            message_bytes: 4 << 20,
        }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(15),
            array_messages: 10_000,
            array_bytes: 8 << 20,
            array: Duration::from_secs(10),
        }
    }
}
