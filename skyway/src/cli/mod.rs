//! The command line. Flags are not parsed into values here: they become settings like any other,
//! so that a bad value reads the same wherever it was written.

mod client;
mod serve;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Flag;

pub(crate) use client::{
    Book, Cancel, Cron, CronList, CronRun, Login, Logout, Mails, Search, Trip, Trips,
};
pub(crate) use serve::{Serve, Up};

const EXAMPLES: &str = "\
Examples:
  skyway up                                        everything on this machine: http://localhost:8080
  skyway import flights.csv                        a timetable instead of the demonstration one
  skyway check                                     the settings in effect, and whether what they name answers

  skyway login ada@example.com --sign-up           an account; then, over the gateway:
  skyway search JFK SEA 2026-12-01 --return 2026-12-08 --passengers 2
  skyway book 1 --passenger 'Ada Lovelace' --passenger 'Grace Hopper'
  skyway trips                                     also: skyway trip ID, skyway cancel ID, skyway mails, skyway logout

  skyway serve search --listen 0.0.0.0:50051       one replica, as in production
  skyway serve booking --database-url postgres://skyway@db/booking --search-endpoints dns://search:50051
  skyway serve gateway --listen 0.0.0.0:8080 --search-endpoints dns://search:50051
  skyway audit                                     whether every service keeps its promises
  skyway cron list                                 what they do by the clock, for administrators; also: skyway cron run NAME

Every setting is a key of skyway.toml, a variable SKYWAY_<SECTION>_<KEY>, or a flag; the last of these wins.
OTEL_EXPORTER_OTLP_ENDPOINT, REDIS_URL, RUST_LOG and SMTP_URL are honoured. Exit codes: 0 done, 1 failed, 64 wrong usage or setting.";

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
    Up(Box<Up>),
    /// Runs one service, configured for production
    #[command(subcommand)]
    Serve(Serve),
    /// Loads a timetable from CSV files: Skyway's own format, or the US DOT's on-time data
    Import(Import),
    /// Prints the settings in effect, secrets masked, and dials everything that they name
    Check,
    /// Has every service check its promises against its data; fails where one is broken
    Audit(Audit),
    /// Prints the header that lets an operator call what only services may, with grpcurl -H
    MeshHeader(MeshHeader),
    /// Signs in, or signs up and in
    Login(Login),
    /// Signs out
    Logout(Logout),
    /// Finds flights
    Search(Search),
    /// Books an offer of the last search
    Book(Book),
    /// Lists your trips
    Trips(Trips),
    /// Shows a trip, its flights as they are now, and all that has happened to it
    Trip(Trip),
    /// Cancels a trip and gives its seats back
    Cancel(Cancel),
    /// Lists mails about your trips, and how far they are
    Mails(Mails),
    /// Lists what services do by the clock, or runs it now; for administrators
    #[command(subcommand)]
    Cron(Cron),
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

/// Flags of `skyway audit`.
#[derive(Args, Debug)]
pub(crate) struct Audit {
    /// Print the reports as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `skyway mesh-header`.
#[derive(Args, Debug)]
#[command(
    after_help = "It is good for calls of this method within a minute. Example:\n  \
                  METHOD=skyway.operations.v1.AuditService/RunAudit\n  \
                  grpcurl -plaintext -H \"$(skyway mesh-header $METHOD)\" 127.0.0.1:50052 $METHOD"
)]
pub(crate) struct MeshHeader {
    /// The method to call, package.Service/Method
    #[arg(value_name = "METHOD")]
    pub(crate) method: String,
    /// Name under which the calls appear in logs
    #[arg(long, value_name = "NAME", default_value = "operator")]
    pub(crate) service: String,
}

/// A flag that sets a key: the key, the flag's name and what was written, if it was.
type Setting<'a> = (String, String, Option<&'a String>);

/// Ties a flag to the key that it sets.
fn setting<'a>(
    key: impl Into<String>,
    flag: &str,
    value: impl Into<Option<&'a String>>,
) -> Setting<'a> {
    (key.into(), flag.to_owned(), value.into())
}

impl Cli {
    /// The settings file that was named.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        self.common.config.clone()
    }

    /// Every setting given as a flag: its key, the flag and what was written.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let common = vec![
            setting("data_dir", "--data-dir", &self.common.data_dir),
            setting("log.format", "--log-format", &self.common.log_format),
        ];
        let own = match &self.command {
            Command::Up(up) => up.settings(),
            Command::Serve(serve) => serve.settings(),
            Command::Import(import) => vec![setting(
                "search.database_url",
                "--database-url",
                &import.database_url,
            )],
            Command::Login(login) => login.gateway.settings(),
            Command::Logout(logout) => logout.gateway.settings(),
            Command::Search(search) => search.gateway.settings(),
            Command::Book(book) => book.gateway.settings(),
            Command::Trips(trips) => trips.gateway.settings(),
            Command::Trip(trip) => trip.gateway.settings(),
            Command::Cancel(cancel) => cancel.gateway.settings(),
            Command::Mails(mails) => mails.gateway.settings(),
            Command::Cron(cron) => cron.settings(),
            Command::Check | Command::Audit(_) | Command::MeshHeader(_) => vec![],
        };
        let given = |(key, name, value): Setting| {
            let value = value?.clone();
            Some(Flag { key, name, value })
        };
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
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str, &'a str)]);
        let cases: [Case; 9] = [
            (
                "up --data-dir /d --search-replicas=3 --booking-listen h:1 --mail-listen h:2 --identity-replicas 2",
                &[
                    ("data_dir", "--data-dir", "/d"),
                    ("search.replicas", "--search-replicas", "3"),
                    ("booking.listen", "--booking-listen", "h:1"),
                    ("mail.listen", "--mail-listen", "h:2"),
                    ("identity.replicas", "--identity-replicas", "2"),
                ],
            ),
            (
                "serve search --listen h:1 --booking-endpoints dns://b:1",
                &[
                    ("search.listen", "--listen", "h:1"),
                    ("booking.endpoints", "--booking-endpoints", "dns://b:1"),
                ],
            ),
            (
                "serve orchestration --database-url u --search-endpoints s --booking-endpoints b --mail-endpoints m --identity-endpoints i",
                &[
                    ("orchestration.database_url", "--database-url", "u"),
                    ("search.endpoints", "--search-endpoints", "s"),
                    ("booking.endpoints", "--booking-endpoints", "b"),
                    ("mail.endpoints", "--mail-endpoints", "m"),
                    ("identity.endpoints", "--identity-endpoints", "i"),
                ],
            ),
            (
                "serve mail --listen h:1 --search-endpoints s",
                &[
                    ("mail.listen", "--listen", "h:1"),
                    ("search.endpoints", "--search-endpoints", "s"),
                ],
            ),
            (
                "serve identity --threads 2",
                &[("threads", "--threads", "2")],
            ),
            (
                "serve gateway --listen h:1 --log-format json --orchestration-endpoints o",
                &[
                    ("log.format", "--log-format", "json"),
                    ("gateway.listen", "--listen", "h:1"),
                    ("orchestration.endpoints", "--orchestration-endpoints", "o"),
                ],
            ),
            (
                "trips --gateway http://h:1",
                &[("gateway.url", "--gateway", "http://h:1")],
            ),
            (
                "cron run expire-holds --gateway http://h:1",
                &[("gateway.url", "--gateway", "http://h:1")],
            ),
            ("audit --json", &[]),
        ];
        for (arguments, expected) in cases {
            let arguments = ["skyway"].into_iter().chain(arguments.split(' '));
            let flags = Cli::try_parse_from(arguments).unwrap().flags();
            let flags: Vec<_> = flags
                .iter()
                .map(|flag| (flag.key.as_str(), flag.name.as_str(), flag.value.as_str()))
                .collect();
            assert_eq!(flags, expected);
        }
    }
}
