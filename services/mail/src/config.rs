//! What an operator can say about a mail replica.

use std::path::PathBuf;

use durable::cron::SharedClock;
use mesh::client::Endpoints;

use crate::domain::retry::Schedule;

/// Configuration of a mail replica.
#[derive(Clone)]
pub struct Config {
    /// Where state is kept that has no other place: `./.skyway` by default.
    pub data_dir: PathBuf,
    /// `SKYWAY_MAIL_DATABASE_URL`: database of the sent-log, shared by all replicas; `mail.db` in `data_dir` by default.
    pub database_url: Option<String>,
    /// Connections to the database at most; 16 by default.
    pub max_connections: u32,
    /// `REDIS_URL`: the process queue, shared with those who order mails; the file `queue.db` in `data_dir` by default.
    pub queue_url: Option<String>,
    /// `SKYWAY_SEARCH_ENDPOINTS`: who knows when flights leave.
    pub search: Endpoints,
    /// `SMTP_URL`: the mail server, `smtp://`, `smtps://` or `smtp://…?tls=required`; mails are files in `mail` in `data_dir` by default.
    pub smtp_url: Option<String>,
    /// `SKYWAY_MAIL_FROM`: whom mails come from; `Skyway <trips@skyway.local>` by default.
    pub from: String,
    /// `SKYWAY_MAIL_REPLY_TO`: where answers go; to the sender by default.
    pub reply_to: Option<String>,
    /// `SKYWAY_MAIL_RATE`: mails per second over all replicas; 50 by default.
    pub rate: f64,
    /// `SKYWAY_MAIL_BURST`: turns that add up while there is nothing to send; 50 by default.
    pub burst: u32,
    /// `SKYWAY_MAIL_CONCURRENCY`: mails that a replica works on at once; 32 by default.
    pub concurrency: usize,
    /// `SKYWAY_MAIL_DOMAIN_CONCURRENCY`: those of them that may go to one domain; 16 by default.
    pub domain_concurrency: usize,
    /// When mails that were not accepted are tried again: 8 tries, 1 s to 5 min apart.
    pub retry: Schedule,
    /// The time that jobs go by: the system's by default.
    pub cron_clock: SharedClock,
    /// How it serves, and by whom it is called.
    pub server: mesh::server::Config,
}

impl Config {
    /// Defaults, with state in a directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, search: Endpoints) -> Self {
        Self {
            data_dir: data_dir.into(),
            database_url: None,
            max_connections: 16,
            queue_url: None,
            search,
            smtp_url: None,
            from: "Skyway <trips@skyway.local>".to_owned(),
            reply_to: None,
            rate: 50.0,
            burst: 50,
            concurrency: 32,
            domain_concurrency: 16,
            retry: Schedule::default(),
            cron_clock: SharedClock::default(),
            server: mesh::server::Config::new("mail"),
        }
    }

    /// URL of the database, the default one included.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database_url
            .clone()
            .unwrap_or_else(|| durable::sqlite_url(&self.data_dir.join("mail.db")))
    }

    /// URL of the process queue, the default one included.
    #[must_use]
    pub fn queue_url(&self) -> String {
        self.queue_url
            .clone()
            .unwrap_or_else(|| durable::sqlite_url(&self.data_dir.join("queue.db")))
    }
}
