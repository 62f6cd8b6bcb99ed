//! The sections of the configuration that are no service: logs, traces, the gateway, the mesh, the
//! queue, and the commands that a traveller types.

mod services;

use gateway::Network;
use mesh::telemetry::LogFormat;
use serde::Deserialize;

pub(crate) use services::{Booking, Identity, Mail, Orchestration, Search, Service};

use super::secret::{self, Key, Secret, SecretUrl};
use super::value::{self, GatewayUrl, List, Listen, none_or};

/// Keys of a section, without its name, with their values for people.
pub(super) type Values = Vec<(&'static str, String)>;

/// What is logged, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// `text`, `json`, or `auto`: text on a terminal, else JSON. Default auto.
    #[serde(deserialize_with = "value::text")]
    pub(crate) format: LogFormat,
    /// Which events are logged, in the syntax of `RUST_LOG`, which sets it. Default info.
    #[serde(deserialize_with = "value::text")]
    pub(crate) filter: String,
}

/// Where traces go.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Telemetry {
    /// An OTLP/gRPC collector, for example `http://127.0.0.1:4317`, as in
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, which sets it. Default none: no traces.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) otlp_endpoint: Option<String>,
}

/// What the services of one mesh share.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mesh {
    /// Key by which services know each other, the same for all of them: 64 hexadecimal digits.
    /// Default none: made at first start and kept in `mesh.key` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) key: Option<Key>,
}

/// The queue of work, such as mails, between those who order it and those who do it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Queue {
    /// A Redis, as in `REDIS_URL`, which sets it. Default none: the file `queue.db` in the data
    /// directory, which the services on one machine share.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) url: Option<SecretUrl<secret::Queue>>,
}

/// The REST gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Gateway {
    /// Where REST is served. Default 127.0.0.1:8080.
    #[serde(deserialize_with = "value::text")]
    pub(crate) listen: Listen,
    /// Where metrics are served, apart from the public port; `none` for nowhere. Default 127.0.0.1:8081.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) admin_listen: Option<Listen>,
    /// Origins whose pages may read answers, separated by commas; `*` for all. Default `*`.
    #[serde(deserialize_with = "value::text")]
    pub(crate) cors_origins: List<String>,
    /// Proxies whose `X-Forwarded-For` is believed, so that limits per client count travellers and
    /// not the load balancer: networks, separated by commas. Default none.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) trusted_proxies: Option<List<Network>>,
    /// Where `skyway login`, `search`, `book` and the like find the gateway. Default `http://127.0.0.1:8080`.
    #[serde(deserialize_with = "value::text")]
    pub(crate) url: GatewayUrl,
}

/// The commands that a traveller types.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Client {
    /// File that keeps who is signed in, made with mode 0600; `SKYWAY_SESSION_FILE` sets it.
    /// Default: `skyway/session.json` in the user's configuration directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) session_file: Option<String>,
    /// Password that `skyway login` sends instead of asking; `SKYWAY_PASSWORD` sets it. Default none.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) password: Option<Secret>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            filter: "info".to_owned(),
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            listen: Listen::loopback(8080),
            admin_listen: Some(Listen::loopback(8081)),
            cors_origins: List(vec!["*".to_owned()]),
            trusted_proxies: None,
            url: GatewayUrl::loopback(8080),
        }
    }
}

impl Log {
    pub(super) fn values(&self) -> Values {
        let format = match self.format {
            LogFormat::Auto => "auto",
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        vec![
            ("format", format.to_owned()),
            ("filter", self.filter.clone()),
        ]
    }
}

impl Telemetry {
    pub(super) fn values(&self) -> Values {
        let endpoint = self.otlp_endpoint.as_deref().map(secret::masked);
        vec![("otlp_endpoint", none_or(endpoint.as_ref()))]
    }
}

impl Mesh {
    pub(super) fn values(&self) -> Values {
        vec![("key", secret::or_none(self.key.as_ref()))]
    }
}

impl Queue {
    pub(super) fn values(&self) -> Values {
        vec![("url", none_or(self.url.as_ref()))]
    }
}

impl Gateway {
    pub(super) fn values(&self) -> Values {
        vec![
            ("listen", self.listen.to_string()),
            ("admin_listen", none_or(self.admin_listen.as_ref())),
            ("cors_origins", self.cors_origins.to_string()),
            ("trusted_proxies", none_or(self.trusted_proxies.as_ref())),
            ("url", self.url.to_string()),
        ]
    }
}

impl Client {
    pub(super) fn values(&self) -> Values {
        vec![
            ("session_file", none_or(self.session_file.as_ref())),
            ("password", secret::or_none(self.password.as_ref())),
        ]
    }
}
