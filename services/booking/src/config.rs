//! What an operator can say about a booking replica.

use std::{path::PathBuf, time::Duration};

use durable::cron::SharedClock;
use mesh::client::Endpoints;

/// Configuration of a booking replica.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where state is kept that has no other place: `./.skyway` by default.
    pub data_dir: PathBuf,
    /// `SKYWAY_BOOKING_DATABASE_URL`: database of seats and bookings, shared by all replicas; `booking.db` in `data_dir` by default.
    pub database_url: Option<String>,
    /// `SKYWAY_SEARCH_ENDPOINTS`: who knows the timetable.
    pub search: Endpoints,
    /// `SKYWAY_BOOKING_HOLD_TTL`: how long seats are held; 10 min by default. Booking a trip takes
    /// seconds, so that this is about trips that have died on their way.
    pub hold_ttl: Duration,
    /// When holds are looked through for those whose time is over, a cron expression with seconds; every 10 s by default.
    pub expire_schedule: &'static str,
    /// Connections to the database at most; 16 by default.
    pub max_connections: u32,
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
            search,
            hold_ttl: Duration::from_mins(10),
            expire_schedule: "*/10 * * * * *",
            max_connections: 16,
            cron_clock: SharedClock::default(),
            server: mesh::server::Config::new("booking"),
        }
    }

    /// URL of the database, the default one included.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database_url
            .clone()
            .unwrap_or_else(|| durable::sqlite_url(&self.data_dir.join("booking.db")))
    }
}
