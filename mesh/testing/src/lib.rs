//! Real servers for tests: `PostgreSQL`, `MariaDB` and `SQLite`, a fresh database for each test, `Redis`, a
//! mail server that misbehaves as it is told, one that wants encryption and a password, and a clock that stands still.
//!
//! A test process starts each server once, when it is first asked for, on a port of its own and
//! without a disk to wait for; the server ends with the process, however that ends.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test that has no database has failed"
)]

pub mod clock;
mod mailbox;
mod mariadb;
mod postgres;
mod redis;
mod server;
pub mod smtp;
pub mod tls;

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait, Database as Connector};
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use self::{
    mailbox::Mailbox,
    mariadb::MariaDb,
    postgres::Postgres,
    redis::Redis,
    server::{free_port, program},
};

/// A fresh, empty database.
#[derive(Debug)]
pub struct Database {
    /// How services are told of it.
    pub url: String,
    /// Where an `SQLite` file is; removed when dropped.
    _directory: Option<TempDir>,
}

/// An `SQLite` file.
#[must_use]
pub fn sqlite() -> Database {
    let directory = TempDir::with_prefix("skyway-test-").unwrap();
    Database {
        url: format!("sqlite://{}/test.db", directory.path().display()),
        _directory: Some(directory),
    }
}

/// A database of the `PostgreSQL` server that this process's tests share.
pub async fn postgres() -> Database {
    static SERVER: OnceCell<Postgres> = OnceCell::const_new();
    let server = SERVER.get_or_init(|| Postgres::start(&["fsync=off"])).await;
    create(&server.url("postgres"), |name| server.url(name)).await
}

/// A database of the `MariaDB` server that this process's tests share.
pub async fn mariadb() -> Database {
    static SERVER: OnceCell<MariaDb> = OnceCell::const_new();
    let server = SERVER.get_or_init(MariaDb::start).await;
    create(&server.url("mysql"), |name| server.url(name)).await
}

/// The `Redis` server that this process's tests share; each keeps to keys of its own.
pub async fn redis() -> &'static Redis {
    static SERVER: OnceCell<Redis> = OnceCell::const_new();
    SERVER.get_or_init(Redis::start).await
}

/// Runs `body` on a fresh database of each kind, one after the other, and says which one it was
/// where it fails.
pub async fn each_database(body: impl AsyncFn(String)) {
    for (kind, database) in [
        ("SQLite", sqlite()),
        ("PostgreSQL", postgres().await),
        ("MariaDB", mariadb().await),
    ] {
        let named = Named(kind);
        body(database.url.clone()).await;
        drop(named);
    }
}

/// Says which database it was, if dropped by a panic.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- it was on {}", self.0);
        }
    }
}

/// Makes a database with a name that nobody has used.
async fn create(admin: &str, url: impl Fn(&str) -> String) -> Database {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let connection = Connector::connect(admin).await.unwrap();
    let statement = format!("CREATE DATABASE {name}");
    connection.execute_unprepared(&statement).await.unwrap();
    connection.close().await.unwrap();
    Database {
        url: url(&name),
        _directory: None,
    }
}
