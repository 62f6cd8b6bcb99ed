//! What an operator can say about an orchestration replica.

use std::path::PathBuf;

use durable::cron::SharedClock;
use mesh::{client::Endpoints, seal::Key};

use crate::saga::Options;

/// Configuration of an orchestration replica.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where state is kept that has no other place: `./.skyway` by default.
    pub data_dir: PathBuf,
    /// `SKYWAY_ORCHESTRATION_DATABASE_URL`: database of the trips, shared by all replicas; `orchestration.db` in `data_dir` by default.
    pub database_url: Option<String>,
    /// Connections to it at most; 16 by default.
    pub max_connections: u32,
    /// Where search is.
    pub search: Endpoints,
    /// Where booking is.
    pub booking: Endpoints,
    /// Where mail is; none where nobody sends mails: then what is to be told waits in the database.
    pub mail: Option<Endpoints>,
    /// `REDIS_URL`: the process queue, shared with mail; the file `queue.db` in `data_dir` by default.
    pub queue_url: Option<String>,
    /// Opens offers, the same as search signs them with; by default made at first start and kept in `offer.key` in `data_dir`.
    pub offer_key: Option<Key>,
    /// How patient sagas are.
    pub saga: Options,
    /// The time that jobs go by: the system's by default.
    pub cron_clock: SharedClock,
    /// How it serves, and how it is known: calls to search, booking and mail are signed as `orchestration`.
    pub server: mesh::server::Config,
}

impl Config {
    /// Defaults, with state in a directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, search: Endpoints, booking: Endpoints) -> Self {
        Self {
            data_dir: data_dir.into(),
            database_url: None,
            max_connections: 16,
            search,
            booking,
            mail: None,
            queue_url: None,
            offer_key: None,
            saga: Options::default(),
            cron_clock: SharedClock::default(),
            server: mesh::server::Config::new("orchestration"),
        }
    }

    /// URL of the database, the default one included.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database_url
            .clone()
            .unwrap_or_else(|| durable::sqlite_url(&self.data_dir.join("orchestration.db")))
    }

    /// URL of the queue, the default one included.
    #[must_use]
    pub fn queue_url(&self) -> String {
        self.queue_url
            .clone()
            .unwrap_or_else(|| durable::sqlite_url(&self.data_dir.join("queue.db")))
    }
}
