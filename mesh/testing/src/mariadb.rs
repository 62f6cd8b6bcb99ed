//! `MariaDB`, which stands for `MySQL`.

use std::process::Command;

use crate::server::{Server, command, directory, free_port, program, run};

const USER: &str = "mysql";
/// Somebody who may connect over TCP; the administrator may not.
const ACCOUNT: &str = "CREATE USER IF NOT EXISTS 'skyway'@'%' IDENTIFIED BY 'skyway';\nGRANT ALL ON *.* TO 'skyway'@'%' WITH GRANT OPTION;\n";

/// A server of our own.
#[derive(Debug)]
pub struct MariaDb(Server);

impl MariaDb {
    /// Starts one.
    pub async fn start() -> Self {
        let directory = directory(USER);
        let data = directory.join("data");
        let words = command(USER, &program("mariadb-install-db"));
        run(Command::new(&words[0])
            .args(&words[1..])
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .args([
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ]));
        let account = directory.join("account.sql");
        std::fs::write(&account, ACCOUNT).unwrap();
        let port = free_port();
        let mut words = command(USER, &program("mariadbd"));
        words.extend([
            "--no-defaults".to_owned(),
            format!("--datadir={}", data.display()),
            format!("--socket={}", data.join("socket").display()),
            format!("--init-file={}", account.display()),
            format!("--port={port}"),
        ]);
        let ours = [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=200",
            "--innodb-flush-log-at-trx-commit=0",
        ];
        words.extend(ours.map(str::to_owned));
        let server = Server::start(&words, &directory, port, &url(port, "mysql")).await;
        Self(server)
    }

    /// URL of one of its databases.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(self.0.port, database)
    }
}

fn url(port: u16, database: &str) -> String {
    format!("mysql://skyway:skyway@127.0.0.1:{port}/{database}")
}
