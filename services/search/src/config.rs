//! What an operator can say about a search replica.

use std::{path::PathBuf, time::Duration};

use durable::{cron::SharedClock, sqlite_url};
use mesh::{client::Endpoints, seal::Key};

/// Configuration of a search replica.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where state is kept that has no other place: `./.skyway` by default.
    pub data_dir: PathBuf,
    /// `SKYWAY_SEARCH_DATABASE_URL`: database of the timetable, shared by all replicas; `search.db` in `data_dir` by default.
    pub database_url: Option<String>,
    /// Signs offers and page tokens, the same on all replicas; by default made at first start and kept in `offer.key` in `data_dir`.
    pub offer_key: Option<Key>,
    /// Whether an empty timetable is filled with the demonstration network; true by default.
    pub seed_demo: bool,
    /// Where booking is, whose seats are offered; by default nowhere: then every cabin is as large as the timetable says.
    pub booking: Option<Endpoints>,
    /// When all of booking's seats are read anew, a cron expression with seconds; every hour by default.
    pub reconcile_schedule: &'static str,
    /// How often a replica looks whether a timetable has been imported; 1 s by default.
    pub timetable_poll: Duration,
    /// The time that jobs go by: the system's by default.
    pub cron_clock: SharedClock,
    /// How it serves.
    pub server: mesh::server::Config,
}

impl Config {
    /// Defaults, with state in a directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            database_url: None,
            offer_key: None,
            seed_demo: true,
            booking: None,
            reconcile_schedule: "0 0 * * * *",
            timetable_poll: Duration::from_secs(1),
            cron_clock: SharedClock::default(),
            server: mesh::server::Config::new("search"),
        }
    }

    /// URL of the database, the default one included.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database_url
            .clone()
            .unwrap_or_else(|| sqlite_url(&self.data_dir.join("search.db")))
    }
}
