//! The configuration: every key with its unit, default and variable, read once and handed down.
//!
//! `docs/skyway.toml` shows the same keys to the operator; a test keeps the two alike. A key
//! `section.key` is the variable `SKYWAY_SECTION_KEY`. Nothing below this module reads the
//! environment.

mod services;
mod source;
mod value;

use std::path::{Path, PathBuf};

use figment::Figment;
use http::uri::Authority;
use mesh::client::Endpoints;
use mesh::telemetry::LogFormat;
use serde::Deserialize;

pub(crate) use source::{ConfigError, Flags, variable_of_key};
pub(crate) use value::{Count, DatabaseUrl, Key, List, Listen, Span, Switch, masked};

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Directory of state and keys, made with mode 0700. Default `.skyway`.
    #[serde(deserialize_with = "value::text")]
    pub(crate) data_dir: PathBuf,
    /// Threads that one `serve` process uses, 1 to 1024. Default: the CPUs that it may run on.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) threads: Option<Count<1, 1024>>,
    /// How long to keep serving, while saying "not ready", before a stop. As long as load
    /// balancers need to notice; default 0s.
    #[serde(deserialize_with = "value::text")]
    pub(crate) drain_wait: Span,
    /// How long requests in flight may take to finish after that. Default 30s.
    #[serde(deserialize_with = "value::text")]
    pub(crate) grace: Span,
    /// What is logged, and how.
    pub(crate) log: Log,
    /// Where traces go.
    pub(crate) telemetry: Telemetry,
    /// The REST gateway.
    pub(crate) gateway: Gateway,
    /// The search service.
    pub(crate) search: Search,
}

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
    pub(crate) cors_origins: List,
}

/// The search service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Search {
    /// Where gRPC is served; in `up`, replica k listens 10·k higher. Default 127.0.0.1:50051.
    #[serde(deserialize_with = "value::text")]
    pub(crate) listen: Listen,
    /// Replicas that `up` runs, 1 to 64. Default 2.
    #[serde(deserialize_with = "value::text")]
    pub(crate) replicas: Count<1, 64>,
    /// Where `serve gateway` finds the service: `static://host:port,host:port` or
    /// `dns://host:port`, every address of which is a replica. Default `static://127.0.0.1:50051`.
    #[serde(deserialize_with = "value::text")]
    pub(crate) endpoints: Endpoints,
    /// Database of the timetable. Default: `search.db` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) database_url: Option<DatabaseUrl>,
    /// Key that signs offers and page tokens, the same for all replicas: 64 hexadecimal digits.
    /// Default none: made at first start and kept in `offer.key` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) offer_key: Option<Key>,
    /// Whether an empty timetable is filled with the demonstration network. Default true.
    #[serde(deserialize_with = "value::text")]
    pub(crate) demonstration: Switch,
}

/// Names of the sections, so that a variable's name can be split.
const SECTIONS: [&str; 4] = ["log", "telemetry", "gateway", "search"];

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(".skyway"),
            threads: None,
            drain_wait: Span(std::time::Duration::ZERO),
            grace: Span(std::time::Duration::from_secs(30)),
            log: Log::default(),
            telemetry: Telemetry::default(),
            gateway: Gateway::default(),
            search: Search::default(),
        }
    }
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
        }
    }
}

impl Default for Search {
    fn default() -> Self {
        Self {
            listen: Listen::loopback(50051),
            replicas: Count(2),
            endpoints: Endpoints::Static(vec![Authority::from_static("127.0.0.1:50051")]),
            database_url: None,
            offer_key: None,
            demonstration: Switch(true),
        }
    }
}

/// One key as it is in effect.
#[derive(Debug)]
pub(crate) struct Row {
    /// The key, `section.key`.
    pub(crate) key: &'static str,
    /// Its value; secrets are masked.
    pub(crate) value: String,
    /// The flag, variable or file that set it, or `default`.
    pub(crate) origin: String,
}

/// The configuration together with where each value came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What is in effect.
    pub(crate) config: Config,
    figment: Figment,
}

impl Loaded {
    /// Every key in the order of `docs/skyway.toml`.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let values = self.config.values();
        let row = |(key, value)| Row {
            key,
            value,
            origin: source::origin(&self.figment, key),
        };
        values.into_iter().map(row).collect()
    }
}

/// Reads the configuration.
///
/// `file` must exist where it is given; else `skyway.toml` of the working directory is read if
/// there is one.
///
/// # Errors
/// One line for the first key that is unknown or holds a bad value, or a file that is no TOML.
pub(crate) fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: Flags,
) -> Result<Loaded, ConfigError> {
    let figment = source::merge(file, environment, flags, &SECTIONS)?;
    match figment.extract() {
        Ok(config) => Ok(Loaded { config, figment }),
        Err(error) => Err(source::explain(&figment, &error)),
    }
}

impl Config {
    fn values(&self) -> Vec<(&'static str, String)> {
        let none = || "none".to_owned();
        vec![
            ("data_dir", self.data_dir.display().to_string()),
            (
                "threads",
                self.threads
                    .map_or_else(|| "one per CPU".to_owned(), |count| count.to_string()),
            ),
            ("drain_wait", self.drain_wait.to_string()),
            ("grace", self.grace.to_string()),
            ("log.format", log_format(self.log.format).to_owned()),
            ("log.filter", self.log.filter.clone()),
            (
                "telemetry.otlp_endpoint",
                self.telemetry
                    .otlp_endpoint
                    .as_deref()
                    .map_or_else(none, value::masked),
            ),
            ("gateway.listen", self.gateway.listen.to_string()),
            (
                "gateway.admin_listen",
                self.gateway
                    .admin_listen
                    .as_ref()
                    .map_or_else(none, ToString::to_string),
            ),
            (
                "gateway.cors_origins",
                self.gateway.cors_origins.to_string(),
            ),
            ("search.listen", self.search.listen.to_string()),
            ("search.replicas", self.search.replicas.to_string()),
            ("search.endpoints", self.search.endpoints.to_string()),
            (
                "search.database_url",
                value::masked(&self.search().database_url()),
            ),
            (
                "search.offer_key",
                if self.search.offer_key.is_some() {
                    "***"
                } else {
                    "none"
                }
                .to_owned(),
            ),
            (
                "search.demonstration",
                self.search.demonstration.to_string(),
            ),
        ]
    }
}

fn log_format(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Auto => "auto",
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file, an environment, and the line that they cost.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn load_toml(toml: &str, environment: &[(&str, &str)], flags: Flags) -> Result<Loaded, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("skyway.toml");
        std::fs::write(&file, toml).unwrap();
        let loaded = load(Some(&file), env(environment).into_iter(), flags);
        loaded.map_err(|error| {
            error
                .to_string()
                .replace(&file.display().to_string(), "FILE")
        })
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let toml =
            "data_dir = \"/file\"\nthreads = 3\n[search]\nreplicas = 4\nlisten = \"127.0.0.1:1\"\n";
        let environment = [
            ("SKYWAY_SEARCH_REPLICAS", "5"),
            ("SKYWAY_DATA_DIR", "/environment"),
            ("HOME", "/root"),
        ];
        let flags = vec![("data_dir", "--data-dir", "/flag".to_owned())];
        let loaded = load_toml(toml, &environment, flags).unwrap();
        let shown: Vec<_> = loaded
            .rows()
            .into_iter()
            .map(|row| (row.key, row.value, row.origin))
            .collect();
        for (key, value, origin) in [
            ("data_dir", "/flag", "--data-dir"),
            ("search.replicas", "5", "SKYWAY_SEARCH_REPLICAS"),
            ("search.endpoints", "static://127.0.0.1:50051", "default"),
            ("search.database_url", "sqlite:///flag/search.db", "default"),
        ] {
            let expected = (key, value.to_owned(), origin.to_owned());
            assert!(shown.contains(&expected), "{expected:?} in {shown:?}");
        }
        let (_, listen, origin) = shown.iter().find(|row| row.0 == "search.listen").unwrap();
        assert_eq!(listen, "127.0.0.1:1");
        assert!(origin.ends_with("skyway.toml"), "{origin}");
    }

    #[test]
    fn well_known_variables_are_honoured() {
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"),
            ("RUST_LOG", "debug"),
        ];
        let config = load_toml("", &environment, vec![]).unwrap().config;
        assert_eq!(
            config.telemetry.otlp_endpoint.as_deref(),
            Some("http://127.0.0.1:4317")
        );
        assert_eq!(config.log.filter, "debug");
    }

    #[test]
    fn a_mistake_is_one_line_that_names_its_key() {
        let address = "write host:port, for example 127.0.0.1:50051";
        let cases: [Case; 9] = [
            (
                "[search]\nlisten = 1",
                &[],
                &format!("search.listen in FILE: \"1\" is not an address; {address}"),
            ),
            (
                "[search]\nlisten = [1]",
                &[],
                "search.listen in FILE: sequence is not a text, a number, true or false",
            ),
            (
                "[search]\nlistn = 1",
                &[],
                "search.listn in FILE: no such key; known here: listen, replicas, endpoints, database_url, offer_key, demonstration",
            ),
            (
                "serch = 1",
                &[],
                "serch in FILE: no such key; known here: data_dir, threads, drain_wait, grace, log, telemetry, gateway, search",
            ),
            (
                "search = 1",
                &[],
                "search in FILE: signed int `1` is not struct Search",
            ),
            (
                "[search",
                &[],
                "FILE: TOML parse error at line 1, column 8: invalid table header: expected `.`, `]`",
            ),
            (
                "",
                &[("SKYWAY_SEARCH_LISTEN", "here")],
                &format!("SKYWAY_SEARCH_LISTEN: \"here\" is not an address; {address}"),
            ),
            (
                "",
                &[("SKYWAY_SEARCH_LISTN", "x:1")],
                "SKYWAY_SEARCH_LISTN: no such key; known here: listen, replicas, endpoints, database_url, offer_key, demonstration",
            ),
            (
                "",
                &[("SKYWAY_DATADIR", "x")],
                "SKYWAY_DATADIR: no such key; known here: data_dir, threads, drain_wait, grace, log, telemetry, gateway, search",
            ),
        ];
        for (toml, environment, expected) in cases {
            assert_eq!(
                load_toml(toml, environment, vec![]).unwrap_err(),
                expected,
                "{toml} {environment:?}"
            );
        }
        let flags = vec![("grace", "--grace", "10".to_owned())];
        let error = load_toml("", &[], flags).unwrap_err();
        assert_eq!(
            error,
            "--grace: \"10\" is not a duration; write a number and its unit: 250ms, 10s, 5m, 1h"
        );
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let error = load(
            Some(Path::new("/nowhere/skyway.toml")),
            env(&[]).into_iter(),
            vec![],
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "--config: /nowhere/skyway.toml is not a file"
        );
    }

    #[test]
    fn the_example_file_shows_every_key_with_its_default() {
        let example = include_str!("../../../docs/skyway.toml");
        let loaded = load_toml(example, &[], vec![]).unwrap();
        let defaults = Config::default().values();
        for (row, (key, value)) in loaded.rows().into_iter().zip(defaults) {
            assert_eq!((row.key, row.value), (key, value));
            assert!(
                row.origin.ends_with("skyway.toml"),
                "{key} is not in docs/skyway.toml"
            );
        }
    }
}
