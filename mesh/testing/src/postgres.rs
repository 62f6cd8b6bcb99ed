//! `PostgreSQL`.

use std::process::Command;

use crate::server::{Server, command, directory, free_port, program, run};

const USER: &str = "postgres";

/// A server of our own.
#[derive(Debug)]
pub struct Postgres(Server);

impl Postgres {
    /// Starts one with these settings, for example `fsync=off`.
    pub async fn start(settings: &[&str]) -> Self {
        let directory = directory(USER);
        let data = directory.join("data");
        let words = command(USER, &program("initdb"));
        run(Command::new(&words[0])
            .args(&words[1..])
            .arg(format!("--pgdata={}", data.display()))
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ]));
        let port = free_port();
        let mut words = command(USER, &program("postgres"));
        words.extend([
            "-D".to_owned(),
            data.display().to_string(),
            "-p".to_owned(),
            port.to_string(),
        ]);
        let ours = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
        ];
        for setting in ours.iter().chain(settings) {
            words.extend(["-c".to_owned(), (*setting).to_owned()]);
        }
        let server = Server::start(&words, &directory, port, &url(port, "postgres")).await;
        Self(server)
    }

    /// URL of one of its databases.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(self.0.port, database)
    }

    /// Where it listens on this machine.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.0.port
    }
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}
