//! What an operator can say about an identity replica.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use durable::cron::SharedClock;
use mesh::seal::Key;

/// Configuration of an identity replica.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where state is kept that has no other place: `./.skyway` by default.
    pub data_dir: PathBuf,
    /// `SKYWAY_IDENTITY_DATABASE_URL`: shared by all replicas; `identity.db` in `data_dir` by default.
    pub database_url: Option<String>,
    /// Secret that all signing keys are made from, the same on all replicas; by default made at
    /// first start and kept in `identity.key` in `data_dir`.
    pub key: Option<Key>,
    /// An administrator who is made at start where there is none of that address; none by default.
    pub admin: Option<Admin>,
    /// Becomes true where this replica has made that administrator: whoever chose the password can
    /// then show it.
    pub admin_made: Arc<AtomicBool>,
    /// How long an access token is good for; 15 min by default.
    pub access_ttl: Duration,
    /// How long a session lasts that is not refreshed; 30 d by default.
    pub refresh_ttl: Duration,
    /// How long one key signs; 30 d by default.
    pub key_rotation: Duration,
    /// Connections to the database at most; 8 by default.
    pub max_connections: u32,
    /// How often somebody may try to sign up or in.
    pub limits: Limits,
    /// The time that jobs go by: the system's by default.
    pub cron_clock: SharedClock,
    /// How it serves. Without `auth`, nobody is known and only public methods are open.
    pub server: mesh::server::Config,
}

/// The first administrator.
#[derive(Clone, PartialEq, Eq)]
pub struct Admin {
    /// `SKYWAY_IDENTITY_ADMIN_EMAIL`: mail address to sign in with.
    pub email: String,
    /// `SKYWAY_IDENTITY_ADMIN_PASSWORD`: 8 to 128 characters.
    pub password: String,
}

impl fmt::Debug for Admin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Admin")
            .field("email", &self.email)
            .field("password", &"***")
            .finish()
    }
}

/// How often somebody may try to sign up or in.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// With one mail address; 10 at once and then one in 6 s by default.
    pub per_account: Rate,
    /// From one network address; 100 at once and then 5 per second by default.
    pub per_address: Rate,
}

/// A number of attempts at once, and how often one is added.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// At once; at least one.
    pub burst: u32,
    /// Time until one more is added.
    pub every: Duration,
}

impl Config {
    /// Defaults, with state in a directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            database_url: None,
            key: None,
            admin: None,
            admin_made: Arc::default(),
            access_ttl: Duration::from_mins(15),
            refresh_ttl: Duration::from_hours(30 * 24),
            key_rotation: Duration::from_hours(30 * 24),
            max_connections: 8,
            limits: Limits::default(),
            cron_clock: SharedClock::default(),
            server: mesh::server::Config::new("identity"),
        }
    }

    /// URL of the database, the default one included.
    #[must_use]
    pub fn database_url(&self) -> String {
        let default = || durable::sqlite_url(&self.data_dir.join("identity.db"));
        self.database_url.clone().unwrap_or_else(default)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_account: Rate {
                burst: 10,
                every: Duration::from_secs(6),
            },
            per_address: Rate {
                burst: 100,
                every: Duration::from_millis(200),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let admin = Admin {
            email: "ada@example.com".to_owned(),
            password: "secret-1815".to_owned(),
        };
        let shown = format!("{admin:?}");
        assert!(
            shown.contains("ada@example.com") && !shown.contains("secret-1815"),
            "{shown}"
        );
    }
}
