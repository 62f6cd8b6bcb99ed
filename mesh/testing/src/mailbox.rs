//! A mail server that wants encryption and a password: `aiosmtpd`.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
};

use crate::{
    server::{Server, command, directory, free_port},
    tls::Authority,
};

/// Debian's own Python has the package.
const PYTHON: &str = "/usr/bin/python3";
const PROGRAM: &str = include_str!("mailbox.py");
/// Whom every Debian has.
const USER: &str = "mail";

/// A server that takes mails only encrypted, and only from `ada` with her password. It ends when the tests do.
#[derive(Debug)]
pub struct Mailbox {
    server: Server,
    inbox: PathBuf,
}

impl Mailbox {
    /// Starts one, with the authority's certificate for `localhost`.
    pub async fn start(authority: &Authority, password: &str) -> Self {
        let (inbox, port) = (directory(USER), free_port());
        let (certificate, key) = authority.server();
        let files = [&certificate, &key, &inbox].map(|file| file.display().to_string());
        let mut words = command(USER, Path::new(PYTHON));
        words.extend(["-c".to_owned(), PROGRAM.to_owned(), port.to_string()]);
        words.extend(files);
        words.push(password.to_owned());
        let listens = async || {
            let connects = |port| TcpStream::connect(("127.0.0.1", port));
            let both = connects(port).and_then(|_| connects(port + 10));
            both.map(drop).map_err(|error| error.to_string())
        };
        Self {
            server: Server::start_until(&words, &inbox, port, listens).await,
            inbox,
        }
    }

    /// Where it speaks STARTTLS.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.server.port
    }

    /// Where it speaks TLS from the first byte.
    #[must_use]
    pub const fn tls_port(&self) -> u16 {
        self.server.port + 10
    }

    /// The mails that it has accepted, as they came.
    #[must_use]
    pub fn received(&self) -> Vec<String> {
        let files = fs::read_dir(&self.inbox).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let mails = files.filter(|file| file.extension().is_some_and(|kind| kind == "eml"));
        mails
            .map(|mail| fs::read_to_string(mail).unwrap())
            .collect()
    }
}
