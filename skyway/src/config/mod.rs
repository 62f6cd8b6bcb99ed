//! The configuration: every key with its unit, default and variable, read once and handed down.
//!
//! `docs/skyway.toml` shows the same keys to the operator; a test keeps the two alike. A key
//! `section.key` is the variable `SKYWAY_SECTION_KEY`. Nothing below this module reads the
//! environment.

mod mails;
mod secret;
mod sections;
mod services;
mod source;
mod value;

use std::path::{Path, PathBuf};

use figment::Figment;
use serde::Deserialize;

use sections::{
    Booking, Client, Gateway, Identity, Log, Mail, Mesh, Orchestration, Queue, Search, Telemetry,
};

pub(crate) use secret::masked;
pub(crate) use sections::Service;
pub(crate) use services::Peers;
pub(crate) use source::{ConfigError, Flag, variable_of_key};
pub(crate) use value::Listen;
use value::{Count, Span};

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
    /// What the services of one mesh share.
    pub(crate) mesh: Mesh,
    /// The queue of work between services.
    pub(crate) queue: Queue,
    /// The REST gateway.
    pub(crate) gateway: Gateway,
    /// The search service.
    pub(crate) search: Search,
    /// The booking service.
    pub(crate) booking: Booking,
    /// The orchestration service.
    pub(crate) orchestration: Orchestration,
    /// The mail service.
    pub(crate) mail: Mail,
    /// The identity service.
    pub(crate) identity: Identity,
    /// The commands that a traveller types.
    pub(crate) client: Client,
}

/// Names of the sections, so that a variable's name can be split.
const SECTIONS: [&str; 11] = [
    "log",
    "telemetry",
    "mesh",
    "queue",
    "gateway",
    "search",
    "booking",
    "orchestration",
    "mail",
    "identity",
    "client",
];

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(".skyway"),
            threads: None,
            drain_wait: Span(std::time::Duration::ZERO),
            grace: Span(std::time::Duration::from_secs(30)),
            log: Log::default(),
            telemetry: Telemetry::default(),
            mesh: Mesh::default(),
            queue: Queue::default(),
            gateway: Gateway::default(),
            search: Search::default(),
            booking: Booking::default(),
            orchestration: Orchestration::default(),
            mail: Mail::default(),
            identity: Identity::default(),
            client: Client::default(),
        }
    }
}

/// One key as it is in effect.
#[derive(Debug)]
pub(crate) struct Row {
    /// The key, `section.key`.
    pub(crate) key: String,
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
        let row = |(key, value): (String, String)| Row {
            origin: source::origin(&self.figment, &key),
            key,
            value,
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
    flags: Vec<Flag>,
) -> Result<Loaded, ConfigError> {
    let figment = source::merge(file, environment, flags, &SECTIONS)?;
    let config: Config = match figment.extract() {
        Ok(config) => config,
        Err(error) => return Err(source::explain(&figment, &error)),
    };
    config.check_admin()?;
    Ok(Loaded { config, figment })
}

impl Config {
    /// An administrator is an address and a password, or none.
    fn check_admin(&self) -> Result<(), ConfigError> {
        let (email, password) = (&self.identity.admin_email, &self.identity.admin_password);
        let (given, missing) = match (email, password) {
            (Some(_), None) => ("identity.admin_email", "identity.admin_password"),
            (None, Some(_)) => ("identity.admin_password", "identity.admin_email"),
            _ => return Ok(()),
        };
        Err(ConfigError(format!(
            "{}: is none; {} needs it",
            variable_of_key(missing),
            variable_of_key(given)
        )))
    }

    /// Every key, `section.key`, with its value for people.
    fn values(&self) -> Vec<(String, String)> {
        let threads = self.threads.map(|count| count.to_string());
        let threads = threads.unwrap_or_else(|| "one per CPU".to_owned());
        let top = [
            ("data_dir", self.data_dir.display().to_string()),
            ("threads", threads),
            ("drain_wait", self.drain_wait.to_string()),
            ("grace", self.grace.to_string()),
        ];
        let mut sections = vec![
            ("log", self.log.values()),
            ("telemetry", self.telemetry.values()),
            ("mesh", self.mesh.values()),
            ("queue", self.queue.values()),
            ("gateway", self.gateway.values()),
        ];
        sections.extend(Service::ALL.map(|service| (service.name(), self.values_of(service))));
        sections.push(("client", self.client.values()));
        let keys = sections.into_iter().flat_map(|(section, values)| {
            let key = move |(key, value)| (format!("{section}.{key}"), value);
            values.into_iter().map(key)
        });
        let top = top.map(|(key, value)| (key.to_owned(), value));
        top.into_iter().chain(keys).collect()
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

    fn flag(key: &str, name: &str, value: &str) -> Flag {
        let [key, name, value] = [key, name, value].map(str::to_owned);
        Flag { key, name, value }
    }

    fn load_toml(
        toml: &str,
        environment: &[(&str, &str)],
        flags: Vec<Flag>,
    ) -> Result<Loaded, String> {
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
        let flags = vec![flag("data_dir", "--data-dir", "/flag")];
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
            ("mail.endpoints", "static://127.0.0.1:50054", "default"),
            ("queue.url", "none", "default"),
        ] {
            let expected = (key.to_owned(), value.to_owned(), origin.to_owned());
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
            ("SKYWAY_SESSION_FILE", "/s.json"),
            ("SKYWAY_GATEWAY_URL", "http://skyway.example"),
            ("REDIS_URL", "redis://cache:6379"),
            ("SMTP_URL", "smtp://mail:1025"),
            ("SKYWAY_MAIL_RATE", "12.5"),
            ("SKYWAY_MAIL_FROM", "trips@skyway.example"),
            ("SKYWAY_MAIL_LISTEN", "0.0.0.0:50054"),
        ];
        let config = load_toml("", &environment, vec![]).unwrap().config;
        assert_eq!(
            config.telemetry.otlp_endpoint.as_deref(),
            Some("http://127.0.0.1:4317")
        );
        assert_eq!(config.log.filter, "debug");
        assert_eq!(config.client.session_file.as_deref(), Some("/s.json"));
        assert_eq!(config.gateway.url.to_string(), "http://skyway.example");
        assert_eq!(config.queue_url().as_deref(), Some("redis://cache:6379"));
        assert_eq!(config.mail.smtp_url.unwrap().reveal(), "smtp://mail:1025");
        assert_eq!((config.mail.rate.0, config.mail.burst.0), (12.5, 50));
        assert_eq!(config.mail.from.to_string(), "trips@skyway.example");
        assert_eq!(config.mail.listen.to_string(), "0.0.0.0:50054");
    }

    #[test]
    fn what_is_secret_is_masked() {
        let key = "0a".repeat(32);
        let environment = [
            (
                "SKYWAY_BOOKING_DATABASE_URL",
                "postgres://ada:s3cret@db/booking",
            ),
            ("SKYWAY_IDENTITY_ADMIN_EMAIL", "ada@example.com"),
            ("SKYWAY_IDENTITY_ADMIN_PASSWORD", "s3cret"),
            ("SKYWAY_IDENTITY_KEY", &key),
            ("SKYWAY_MESH_KEY", &key),
            ("REDIS_URL", "rediss://:s3cret@cache:6379/1"),
            ("SMTP_URL", "smtps://ada:s3cret@mail"),
            ("SKYWAY_MAIL_DATABASE_URL", "mysql://ada:s3cret@db/mail"),
            ("SKYWAY_PASSWORD", "s3cret"),
            ("SKYWAY_SEARCH_OFFER_KEY", &key),
        ];
        let loaded = load_toml("", &environment, vec![]).unwrap();
        for (variable, _) in environment {
            let rows = loaded.rows();
            let row = rows.iter().find(|row| row.origin == variable).unwrap();
            let masked = row.value.contains("***") || row.key == "identity.admin_email";
            assert!(masked, "{row:?}");
            for secret in ["s3cret", &key] {
                assert!(!row.value.contains(secret), "{row:?}");
            }
        }
        let debug = format!("{:?}", loaded.config);
        assert!(
            !debug.contains("s3cret") && !debug.contains(&key),
            "{debug}"
        );
    }

    #[track_caller]
    fn refuses(cases: &[Case]) {
        for (toml, environment, expected) in cases {
            assert_eq!(
                load_toml(toml, environment, vec![]).unwrap_err(),
                *expected,
                "{toml} {environment:?}"
            );
        }
    }

    #[test]
    fn a_mistake_in_what_mails_need_is_too() {
        refuses(&[
            (
                "",
                &[("REDIS_URL", "cache:6379")],
                "REDIS_URL: not the URL of a queue; write redis://user:password@host:6379, or rediss:// for TLS",
            ),
            (
                "",
                &[("SMTP_URL", "mail")],
                "SMTP_URL: not the URL of a mail server; write smtp://host:25, smtp://user:password@host:587?tls=required or smtps://user:password@host",
            ),
            (
                "[mail]\nrate = 0",
                &[],
                "mail.rate in FILE: \"0\" is not a number above 0 and at most 10000",
            ),
            (
                "",
                &[("SKYWAY_MAIL_FROM", "Skyway")],
                "SKYWAY_MAIL_FROM: \"Skyway\" is not a mail address; write trips@example.com or Skyway <trips@example.com>",
            ),
            (
                "",
                &[("SKYWAY_MAIL_BURST", "0")],
                "SKYWAY_MAIL_BURST: \"0\" is not a number from 1 to 10000",
            ),
        ]);
    }

    #[test]
    fn a_mistake_is_one_line_that_names_its_key() {
        let address = "write host:port, for example 127.0.0.1:50051";
        refuses(&[
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
                "search.listn in FILE: no such key; known here: listen, replicas, endpoints, database_url, offer_key, demonstration, live_seats",
            ),
            (
                "serch = 1",
                &[],
                "serch in FILE: no such key; known here: data_dir, threads, drain_wait, grace, log, telemetry, mesh, queue, gateway, search, booking, orchestration, mail, identity, client",
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
                "SKYWAY_SEARCH_LISTN: no such key; known here: listen, replicas, endpoints, database_url, offer_key, demonstration, live_seats",
            ),
            (
                "",
                &[("SKYWAY_DATADIR", "x")],
                "SKYWAY_DATADIR: no such key; known here: data_dir, threads, drain_wait, grace, log, telemetry, mesh, queue, gateway, search, booking, orchestration, mail, identity, client",
            ),
            (
                "",
                &[("SKYWAY_MESH_KEY", "s3cret")],
                "SKYWAY_MESH_KEY: not a key; write 64 hexadecimal digits, as `openssl rand -hex 32` makes them",
            ),
            (
                "",
                &[("SKYWAY_IDENTITY_ADMIN_EMAIL", "ada@example.com")],
                "SKYWAY_IDENTITY_ADMIN_PASSWORD: is none; SKYWAY_IDENTITY_ADMIN_EMAIL needs it",
            ),
        ]);
        let flags = vec![flag("grace", "--grace", "10")];
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
            assert!(
                row.origin.ends_with("skyway.toml"),
                "{key} is not in docs/skyway.toml"
            );
            assert_eq!((row.key, row.value), (key, value));
        }
    }
}
