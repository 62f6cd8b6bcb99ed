//! Opening a database: bounded pools, settings that make the three kinds behave alike, migrations.
//!
//! | | `SQLite` | `PostgreSQL` | `MySQL`, `MariaDB` |
//! | --- | --- | --- | --- |
//! | writers | one connection, `BEGIN IMMEDIATE`: `SQLite` lets none wait that has read before | the pool | the pool |
//! | isolation | serialisable by nature | READ COMMITTED, its default | READ COMMITTED, set per connection: the default REPEATABLE READ locks gaps and so deadlocks where rows are only added |
//! | text | binary | binary | `utf8mb4_bin`, set for the database: the default takes "a" and "A" for one key |
//! | migrations | one transaction | advisory lock | `GET_LOCK`: its DDL knows no transactions |

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sqlx::{
        Executor,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use sea_orm_migration::{IntoSchemaManagerConnection, MigratorTrait};
use tracing::Span;

use crate::retry::is_locked;

/// How long a `SQLite` transaction waits for another one's; an import writes for a second or two.
const BUSY_TIMEOUT: Duration = Duration::from_mins(1);
/// Between two attempts to open a locked `SQLite` file.
const LOCKED_PAUSE: Duration = Duration::from_millis(20);
/// Readers of a `SQLite` file.
const SQLITE_READERS: u32 = 4;
/// How long a call waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that has been idle for so long is tried before it is used.
const SUSPECT_AFTER: Duration = Duration::from_secs(10);
/// A statement that takes longer is given up; an import takes seconds.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);
/// What every `PostgreSQL` connection begins with: a statement is planned once, since its plan does not depend on its
/// parameters, and pages cost little beside comparisons, since those that are worked on are in memory (decision 0013).
const POSTGRES_SESSION: [(&str, &str); 3] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("seq_page_cost", "0.1"),
    ("random_page_cost", "0.1"),
];
/// What every `MySQL` connection is told first; a lock that takes longer than 5 s is a deadlock by another name.
const MYSQL_SESSION: [&str; 2] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION innodb_lock_wait_timeout = 5",
];
/// Name of the lock under which replicas that start together migrate one after the other.
const MIGRATION_LOCK: &str = "skyway.migrations";

/// Which database to open.
#[derive(Clone, Debug)]
pub struct Options {
    /// `sqlite://PATH`, `postgres://USER:PASSWORD@HOST/DATABASE` or `mysql://…`.
    pub url: String,
    /// Variable that sets the URL, for messages: `SKYWAY_BOOKING_DATABASE_URL`.
    pub variable: &'static str,
    /// Connections at most; `SQLite` has its own number.
    pub max_connections: u32,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is of a kind that is not supported.
    #[error(
        "{variable}: {scheme:?} is not supported; write sqlite://PATH, postgres://USER:PASSWORD@HOST/DATABASE or mysql://USER:PASSWORD@HOST/DATABASE"
    )]
    Scheme {
        /// Variable that sets it.
        variable: &'static str,
        /// What its URL begins with.
        scheme: String,
    },
    /// It cannot be opened.
    #[error("{variable}: cannot open {url}")]
    Open {
        /// Variable that sets it.
        variable: &'static str,
        /// Its URL, without the password.
        url: String,
        /// Why.
        source: Cause,
    },
}

/// What the database or its driver said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }
}

/// An open database.
#[derive(Clone, Debug)]
pub struct Db {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
}

impl Db {
    /// Opens a database, an SQLite file also where there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// Where the URL is of another kind, or the database cannot be opened or migrated.
    pub async fn open<M: MigratorTrait>(options: &Options) -> Result<Self, OpenError> {
        known_scheme(options)?;
        let opened = open::<M>(options).await;
        opened.map_err(|source| cannot_open(options, &source))
    }

    /// For statements that only read.
    #[must_use]
    pub const fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For a statement that writes and is a transaction by itself: nobody waits for its beginning and its end.
    #[must_use]
    pub fn writer(&self) -> &DatabaseConnection {
        Span::current().record("db.system.name", self.system());
        &self.writer
    }

    /// Begins a transaction that writes. Dropped without a commit it changes nothing.
    ///
    /// # Errors
    /// Where no connection can be had.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        Span::current().record("db.system.name", self.system());
        begin(&self.writer).await
    }

    /// Begins a transaction that only reads, and sees everything as of one instant: what belongs together
    /// is not torn by a change between two statements. It needs no commit.
    ///
    /// # Errors
    /// Where no connection can be had.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        // A deferred transaction of SQLite is one by nature, and knows no levels.
        let levels = self.backend() != DbBackend::Sqlite;
        let options = TransactionOptions {
            isolation_level: levels.then_some(IsolationLevel::RepeatableRead),
            access_mode: levels.then_some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        };
        self.reader.begin_with_options(options).await
    }

    /// What kind of database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// Its name in OpenTelemetry's conventions.
    fn system(&self) -> &'static str {
        match self.backend() {
            DbBackend::MySql => "mysql",
            DbBackend::Postgres => "postgresql",
            _ => "sqlite",
        }
    }
}

/// Connects to a database and leaves it as it is, but for an `SQLite` file that is not there yet.
///
/// # Errors
/// Where the URL is of another kind, or the database does not answer.
pub async fn dial(options: &Options) -> Result<(), OpenError> {
    known_scheme(options)?;
    let answered = async { connect(options, 1).await?.ping().await }.await;
    answered.map_err(|source| cannot_open(options, &source))
}

fn known_scheme(options: &Options) -> Result<(), OpenError> {
    let scheme = options.url.split(':').next().unwrap_or_default();
    if ["sqlite", "postgres", "mysql"].contains(&scheme) {
        return Ok(());
    }
    Err(OpenError::Scheme {
        variable: options.variable,
        scheme: scheme.to_owned(),
    })
}

fn cannot_open(options: &Options, cause: &DbErr) -> OpenError {
    // As text: `DbErr` tells its own source too, and whoever prints the chain would tell it twice.
    let source = Cause(cause.to_string());
    OpenError::Open {
        variable: options.variable,
        url: without_password(&options.url),
        source,
    }
}

/// URL of an `SQLite` file.
#[must_use]
pub fn sqlite_url(path: &Path) -> String {
    // What would end the path in a URL is escaped.
    let path = path.display().to_string();
    let escaped = path
        .replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23");
    format!("sqlite://{escaped}")
}

/// `postgres://ada:***@db/booking`.
pub(crate) fn without_password(url: &str) -> String {
    let masked = url.split_once("://").and_then(|(scheme, rest)| {
        let (credentials, place) = rest.rsplit_once('@')?;
        let (user, _) = credentials.split_once(':')?;
        Some(format!("{scheme}://{user}:***@{place}"))
    });
    masked.unwrap_or_else(|| url.to_owned())
}

async fn open<M: MigratorTrait>(options: &Options) -> Result<Db, DbErr> {
    // A connection of its own: advisory locks belong to one, and DDL has time.
    let single = connect(options, 1).await?;
    migrate::<M>(&single).await?;
    if single.get_database_backend() == DbBackend::Sqlite {
        return Ok(Db {
            reader: connect(options, SQLITE_READERS).await?,
            writer: single,
        });
    }
    single.close().await?;
    let pool = connect(options, options.max_connections).await?;
    Ok(Db {
        reader: pool.clone(),
        writer: pool,
    })
}

async fn connect(options: &Options, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut settings = ConnectOptions::new(&options.url);
    settings
        .max_connections(connections)
        .sqlx_logging(false)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(SUSPECT_AFTER)
        .map_sqlx_postgres_opts(|options| options.options(POSTGRES_SESSION))
        .map_sqlx_sqlite_opts(|options| {
            options
                .create_if_missing(true)
                .busy_timeout(BUSY_TIMEOUT)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .foreign_keys(true)
        })
        .map_sqlx_sqlite_pool_opts(|options| options.acquire_timeout(BUSY_TIMEOUT))
        .map_sqlx_mysql_pool_opts(|options| {
            options.after_connect(|connection, _| {
                Box::pin(async move {
                    for setting in MYSQL_SESSION {
                        connection.execute(setting).await?;
                    }
                    Ok(())
                })
            })
        });
    if options.url.starts_with("postgres") {
        settings.statement_timeout(STATEMENT_TIMEOUT);
    }
    let started = Instant::now();
    loop {
        match Database::connect(settings.clone()).await {
            // Two that find a new file at once both switch it to WAL, and for that SQLite does not wait.
            Err(error) if is_locked(&error) && started.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(LOCKED_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Replicas may start at once: the second one waits and finds nothing left to do.
async fn migrate<M: MigratorTrait>(single: &DatabaseConnection) -> Result<(), DbErr> {
    match single.get_database_backend() {
        DbBackend::Postgres => {
            let lock = format!("SELECT pg_advisory_lock(hashtext('{MIGRATION_LOCK}'))");
            single.execute_unprepared(&lock).await?;
            up::<M, _>(single).await
            // The lock goes with the connection.
        }
        DbBackend::MySql => {
            // The name is the server's: databases beside each other need not wait for one another.
            let lock = format!("DO GET_LOCK(CONCAT('{MIGRATION_LOCK}.', MD5(DATABASE())), 60)");
            single.execute_unprepared(&lock).await?;
            single
                .execute_unprepared("ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
                .await?;
            up::<M, _>(single).await
        }
        _ => {
            let tx = begin(single).await?;
            up::<M, _>(&tx).await?;
            tx.commit().await
        }
    }
}

/// Takes the steps that are missing; says nothing where there are none.
async fn up<'c, M, C>(connection: &'c C) -> Result<(), DbErr>
where
    M: MigratorTrait,
    C: ConnectionTrait,
    &'c C: IntoSchemaManagerConnection<'c>,
{
    if M::get_pending_migrations(connection).await?.is_empty() {
        return Ok(());
    }
    M::up(connection, None).await
}

async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    connection.begin_with_options(options).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            (
                "postgres://ada:p@ss@db/booking",
                "postgres://ada:***@db/booking",
            ),
            ("postgres://ada@db/booking", "postgres://ada@db/booking"),
            ("sqlite:///data/a:b.db", "sqlite:///data/a:b.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn what_would_end_a_path_is_escaped() {
        assert_eq!(
            sqlite_url(Path::new("/a?b#c%/x.db")),
            "sqlite:///a%3Fb%23c%25/x.db"
        );
    }
}
