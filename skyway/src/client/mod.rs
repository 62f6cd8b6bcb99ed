//! What a traveller types: `login`, `search`, `book`, `trips`, `trip`, `cancel`, `mails`, `logout`; and
//! what an administrator does over the gateway: `cron`.
//!
//! The commands know REST alone, like any other client of the gateway, and work from any machine
//! that reaches one. They read the gateway's JSON as it is: a field that they do not know is not
//! theirs to show.

mod cron;
mod format;
mod mails;
mod rest;
mod search;
mod session;
mod trips;

use std::io::{self, Write};

use anyhow::Context;
use serde_json::Value;

use crate::cli::{Command, Cron};
use crate::config::Config;
use crate::process;

use rest::Rest;
use session::Sessions;

/// What every command works with.
struct Client<'a> {
    config: &'a Config,
    rest: Rest,
    sessions: Sessions,
}

/// Runs one of the traveller's commands.
///
/// # Errors
/// One line: what the gateway says against it, or that it cannot be reached.
pub(crate) fn run(command: &Command, config: &Config) -> anyhow::Result<()> {
    let gateway = config.gateway.url.to_string();
    let client = Client {
        config,
        rest: Rest::new(&gateway)?,
        sessions: Sessions::new(session_file(config)?, gateway),
    };
    process::single_threaded()?.block_on(async {
        match command {
            Command::Login(login) => client.login(login).await,
            Command::Logout(logout) => client.logout(logout).await,
            Command::Search(search) => client.search(search).await,
            Command::Book(book) => client.book(book).await,
            Command::Trips(trips) => client.trips(trips).await,
            Command::Trip(trip) => client.trip(trip).await,
            Command::Cancel(cancel) => client.cancel(cancel).await,
            Command::Mails(mails) => client.mails(mails).await,
            Command::Cron(Cron::List(list)) => client.cron_list(list).await,
            Command::Cron(Cron::Run(run)) => client.cron_run(run).await,
            other => anyhow::bail!("{other:?} asks no gateway"),
        }
    })
}

fn session_file(config: &Config) -> anyhow::Result<std::path::PathBuf> {
    if let Some(file) = &config.client.session_file {
        return Ok(file.into());
    }
    let directory = process::config_home().context(
        "there is no home directory to keep the session in; set SKYWAY_SESSION_FILE to a file",
    )?;
    Ok(directory.join("skyway").join("session.json"))
}

/// What somebody has written that becomes a part of a path: `what` it should be, and what lists them.
fn part<'a>(written: &'a str, what: &str, list: &str) -> anyhow::Result<&'a str> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let good = !written.is_empty() && written.chars().all(known);
    anyhow::ensure!(good, "{written:?} is no {what}; `{list}` lists them");
    Ok(written)
}

/// Prints for people, or the gateway's answer for programs.
fn show(json: bool, answer: &Value, text: impl FnOnce(&Value) -> String) -> anyhow::Result<()> {
    let text = if json {
        serde_json::to_string_pretty(answer)?
    } else {
        text(answer)
    };
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        // Whoever reads has seen enough, as `head` has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// A text of an answer, empty where there is none.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The items of a list in an answer, none where there is no list.
fn items<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_no_path() {
        for written in ["0198-ab_C", "expire-holds"] {
            assert_eq!(part(written, "trip", "skyway trips").unwrap(), written);
        }
        for written in ["", "..", "a/b", "a?b", "a:b", "é"] {
            let error = part(written, "trip", "skyway trips").unwrap_err();
            let expected = format!("{written:?} is no trip; `skyway trips` lists them");
            assert_eq!(error.to_string(), expected);
        }
    }
}
