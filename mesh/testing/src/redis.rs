//! `Redis`.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::{
    server::{Server, command, directory, free_port, program},
    tls::Authority,
};

/// Whom Debian's package makes.
const USER: &str = "redis";
/// How far above the plain port the encrypted one is: free as well.
const TLS_ABOVE: u16 = 10;

/// A server of our own, which can be killed and started again with what it has saved.
#[derive(Debug)]
pub struct Redis(Server);

impl Redis {
    /// Starts one that keeps nothing when it is killed.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one that has every command on its disk (an append-only file) before it answers.
    pub async fn start_durable() -> Self {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// Starts one that speaks TLS as well, with the authority's certificate for `localhost`.
    pub async fn start_tls(authority: &Authority) -> Self {
        let port = free_port();
        let (certificate, key) = authority.server();
        let files = [certificate, key, authority.certificate()];
        let [certificate, key, authorities] = files.map(|file| file.display().to_string());
        let settings = [
            "--tls-port",
            &(port + TLS_ABOVE).to_string(),
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &authorities,
            "--tls-auth-clients",
            "no",
        ];
        Self::start_at(port, &settings).await
    }

    /// Starts one with these settings, for example `--maxmemory 10mb`.
    pub async fn start_with(settings: &[&str]) -> Self {
        Self::start_at(free_port(), settings).await
    }

    async fn start_at(port: u16, settings: &[&str]) -> Self {
        let directory = directory(USER);
        let mut words = command(USER, &program("redis-server"));
        let place = [
            "--port".to_owned(),
            port.to_string(),
            "--dir".to_owned(),
            directory.display().to_string(),
        ];
        words.extend(place);
        words.extend(["--bind", "127.0.0.1", "--save", ""].map(str::to_owned));
        words.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let ready = async || {
            answers(port)
                .then_some(())
                .ok_or_else(|| "no PONG".to_owned())
        };
        Self(Server::start_until(&words, &directory, port, ready).await)
    }

    /// How services are told of it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    /// How services are told of it where it speaks TLS.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("rediss://localhost:{}", self.0.port + TLS_ABOVE)
    }

    /// Where it listens on this machine.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.0.port
    }

    /// Kills it at once, as a crash would, and waits until it is gone.
    pub async fn kill(&self) {
        self.0.tell("kill");
        self.wait(false).await;
    }

    /// Starts it again on its port and directory, and waits until it has loaded what it had saved.
    pub async fn start_again(&self) {
        self.begin_again();
        self.wait(true).await;
    }

    /// Starts it again, and does not wait for it.
    pub fn begin_again(&self) {
        self.0.tell("start");
    }

    async fn wait(&self, running: bool) {
        let reached = async || {
            (answers(self.0.port) == running)
                .then_some(())
                .ok_or_else(|| format!("running is not {running}"))
        };
        self.0.wait_until("redis-server", reached).await;
    }
}

/// Whether it has loaded its data and takes commands.
fn answers(port: u16) -> bool {
    let ping = || -> std::io::Result<bool> {
        let mut connection = TcpStream::connect(("127.0.0.1", port))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        connection.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        connection.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG")
    };
    ping().unwrap_or(false)
}
