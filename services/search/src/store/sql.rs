//! The timetable in a database: one method is one transaction.
//!
//! Several replicas, and an import beside them, share the tables. Every change happens in one
//! transaction that also counts the version up: whoever sees a version sees exactly its patterns.

use std::time::{Duration, Instant};

use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection,
    DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, RuntimeErr, Set,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sea_query::OnConflict,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use sea_orm_migration::MigratorTrait;

use super::{
    entity::{pattern, timetable},
    migration::Migrator,
};
use crate::domain::{
    airport::{AirportId, Airports, Code},
    day::Day,
    pattern::{Carrier, Pattern, Weekdays, overlay},
};

/// Rows per statement: 18 values each, and SQLite takes 32,766 per statement.
const ROWS_PER_INSERT: usize = 1_500;
/// Rows read at once.
const ROWS_PER_READ: u64 = 8_192;
/// How long a transaction waits for another one's; an import writes for a second or two.
const BUSY_TIMEOUT: Duration = Duration::from_mins(1);

/// Between two attempts to open a locked database.
const LOCKED_PAUSE: Duration = Duration::from_millis(20);

/// Where a timetable came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Made from the data that ships with the program.
    Demonstration,
    /// Read from files.
    Import,
}

impl Source {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Demonstration => "demonstration",
            Self::Import => "import",
        }
    }
}

/// The database failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is of a kind that is not supported.
    #[error(
        "SKYWAY_SEARCH_DATABASE_URL: {scheme:?} is not supported; write sqlite://PATH, for example sqlite://./.skyway/search.db"
    )]
    Scheme {
        /// What its URL begins with.
        scheme: String,
    },
    /// It cannot be opened.
    #[error("SKYWAY_SEARCH_DATABASE_URL: cannot open {url}")]
    Open {
        /// Its URL.
        url: String,
        /// Why.
        source: DbErr,
    },
    /// It refused a statement.
    #[error("the search database failed")]
    Database(#[from] DbErr),
    /// It holds what this program never wrote.
    #[error(
        "the search database has a pattern that cannot be read: row {id} of patterns, column {column}"
    )]
    Row {
        /// Primary key.
        id: i64,
        /// Which column.
        column: &'static str,
    },
}

/// An open database.
#[derive(Clone, Debug)]
pub struct Store(DatabaseConnection);

impl Store {
    /// Opens the database at `sqlite:` URL, creating it where there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// Where the URL is of another kind, or the database cannot be opened.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let scheme = url.split(':').next().unwrap_or_default();
        if scheme != "sqlite" {
            return Err(StoreError::Scheme {
                scheme: scheme.to_owned(),
            });
        }
        let failed = |source| StoreError::Open {
            url: url.to_owned(),
            source,
        };
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(2)
            .sqlx_logging(false)
            .acquire_timeout(BUSY_TIMEOUT)
            .map_sqlx_sqlite_opts(|options| {
                options
                    .create_if_missing(true)
                    .busy_timeout(BUSY_TIMEOUT)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
            });
        let started = Instant::now();
        let store = loop {
            match Database::connect(options.clone()).await {
                // Two that find a new file at once both switch it to WAL, and for that SQLite does not wait.
                Err(error) if is_locked(&error) && started.elapsed() < BUSY_TIMEOUT => {
                    tokio::time::sleep(LOCKED_PAUSE).await;
                }
                outcome => break Self(outcome.map_err(failed)?),
            }
        };
        store.migrate().await.map_err(failed)?;
        Ok(store)
    }

    /// Version of the timetable; none where there is no timetable yet.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn timetable_version(&self) -> Result<Option<i64>, StoreError> {
        version(&self.0).await
    }

    /// The timetable and its version; none where there is no timetable yet.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn timetable_load(&self) -> Result<Option<(i64, Vec<Pattern>)>, StoreError> {
        // In one transaction: an import between the two would give patterns of another version.
        let tx = self.0.begin().await?;
        let Some(version) = version(&tx).await? else {
            return Ok(None);
        };
        let patterns = patterns_load(&tx).await?;
        tx.commit().await?;
        Ok(Some((version, patterns)))
    }

    /// Fills an empty timetable; false where there is one already, for example because another replica was faster.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn timetable_seed(&self, patterns: &[Pattern]) -> Result<bool, StoreError> {
        let tx = self.begin_writing().await?;
        if version(&tx).await?.is_some() {
            return Ok(false);
        }
        write(&tx, patterns, 1, Source::Demonstration).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Replaces the timetable; gives its new version.
    ///
    /// # Errors
    /// Where the database fails; then nothing has changed.
    pub async fn timetable_replace(&self, patterns: &[Pattern]) -> Result<i64, StoreError> {
        let tx = self.begin_writing().await?;
        let next = version(&tx).await?.unwrap_or_default() + 1;
        write(&tx, patterns, next, Source::Import).await?;
        tx.commit().await?;
        Ok(next)
    }

    /// Lays patterns over those of the timetable; gives its new version.
    ///
    /// # Errors
    /// Where the database fails; then nothing has changed.
    pub async fn timetable_merge(&self, patterns: Vec<Pattern>) -> Result<i64, StoreError> {
        let tx = self.begin_writing().await?;
        let next = version(&tx).await?.unwrap_or_default() + 1;
        let merged = overlay(patterns_load(&tx).await?, patterns);
        write(&tx, &merged, next, Source::Import).await?;
        tx.commit().await?;
        Ok(next)
    }

    /// Replicas may start at once: the second one waits and finds nothing left to do.
    async fn migrate(&self) -> Result<(), DbErr> {
        let tx = self.begin_writing().await?;
        Migrator::up(&tx, None).await?;
        tx.commit().await
    }

    /// A transaction that writes says so at once: `SQLite` lets none wait that has read before.
    async fn begin_writing(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.0.begin_with_options(options).await
    }
}

fn is_locked(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    // SQLITE_BUSY.
    let code = cause
        .as_database_error()
        .map(sea_orm::sqlx::error::DatabaseError::code);
    code.flatten().is_some_and(|code| code == "5")
}

async fn version(db: &impl ConnectionTrait) -> Result<Option<i64>, StoreError> {
    let row = timetable::Entity::find_by_id(timetable::ID).one(db).await?;
    Ok(row.map(|row| row.version))
}

async fn patterns_load(db: &impl ConnectionTrait) -> Result<Vec<Pattern>, StoreError> {
    let mut patterns = Vec::new();
    let mut last = 0;
    loop {
        let rows = pattern::Entity::find()
            .filter(pattern::Column::Id.gt(last))
            .order_by_asc(pattern::Column::Id)
            .limit(ROWS_PER_READ)
            .all(db)
            .await?;
        let Some(row) = rows.last() else {
            return Ok(patterns);
        };
        last = row.id;
        for row in &rows {
            patterns.push(from_row(row).map_err(|column| StoreError::Row { id: row.id, column })?);
        }
    }
}

async fn write(
    tx: &DatabaseTransaction,
    patterns: &[Pattern],
    version: i64,
    source: Source,
) -> Result<(), StoreError> {
    pattern::Entity::delete_many().exec(tx).await?;
    for chunk in patterns.chunks(ROWS_PER_INSERT) {
        pattern::Entity::insert_many(chunk.iter().map(to_row))
            .exec_without_returning(tx)
            .await?;
    }
    let row = timetable::ActiveModel {
        id: Set(timetable::ID),
        version: Set(version),
        source: Set(source.as_str().to_owned()),
    };
    let again = OnConflict::column(timetable::Column::Id)
        .update_columns([timetable::Column::Version, timetable::Column::Source])
        .to_owned();
    timetable::Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

fn to_row(row: &Pattern) -> pattern::ActiveModel {
    let code = |airport: AirportId| Set(Airports::embedded().get(airport).code.to_string());
    pattern::ActiveModel {
        id: sea_orm::NotSet,
        carrier: Set(row.carrier.to_string()),
        number: Set(row.number.into()),
        origin: code(row.origin),
        destination: code(row.destination),
        departure: Set(row.departure.into()),
        arrival: Set(row.arrival.into()),
        arrival_day: Set(row.arrival_day.into()),
        weekdays: Set(row.weekdays.0.into()),
        effective_from: Set((row.from > Day::MIN).then(|| row.from.to_string())),
        effective_to: Set((row.to < Day::MAX).then(|| row.to.to_string())),
        economy_seats: Set(row.seats[0].into()),
        economy_fare: Set(row.fares[0].into()),
        premium_economy_seats: Set(row.seats[1].into()),
        premium_economy_fare: Set(row.fares[1].into()),
        business_seats: Set(row.seats[2].into()),
        business_fare: Set(row.fares[2].into()),
        first_seats: Set(row.seats[3].into()),
        first_fare: Set(row.fares[3].into()),
    }
}

/// The pattern of a row, or the column that says what no pattern can.
fn from_row(row: &pattern::Model) -> Result<Pattern, &'static str> {
    let airport = |code: &str| Code::parse(code).and_then(|code| Airports::embedded().find(code));
    let day =
        |text: &Option<String>, otherwise| text.as_deref().map_or(Some(otherwise), Day::parse);
    let minute = |minute: i32| u16::try_from(minute).ok().filter(|minute| *minute < 1_440);
    let seats = [
        row.economy_seats,
        row.premium_economy_seats,
        row.business_seats,
        row.first_seats,
    ];
    let fares = [
        row.economy_fare,
        row.premium_economy_fare,
        row.business_fare,
        row.first_fare,
    ];
    if seats.iter().any(|seats| u16::try_from(*seats).is_err()) {
        return Err("…_seats");
    }
    if fares.iter().any(|fare| u32::try_from(*fare).is_err()) {
        return Err("…_fare");
    }
    Ok(Pattern {
        carrier: Carrier::parse(&row.carrier).ok_or("carrier")?,
        number: u16::try_from(row.number)
            .ok()
            .filter(|number| (1..=9_999).contains(number))
            .ok_or("number")?,
        origin: airport(&row.origin).ok_or("origin")?,
        destination: airport(&row.destination).ok_or("destination")?,
        departure: minute(row.departure).ok_or("departure")?,
        arrival: minute(row.arrival).ok_or("arrival")?,
        arrival_day: i8::try_from(row.arrival_day)
            .ok()
            .filter(|days| (-1..=2).contains(days))
            .ok_or("arrival_day")?,
        weekdays: u8::try_from(row.weekdays)
            .map(Weekdays)
            .map_err(|_| "weekdays")?,
        from: day(&row.effective_from, Day::MIN).ok_or("effective_from")?,
        to: day(&row.effective_to, Day::MAX).ok_or("effective_to")?,
        seats: seats.map(|seats| u16::try_from(seats).unwrap_or_default()),
        fares: fares.map(|fare| u32::try_from(fare).unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pattern::testing::pattern;

    fn url(dir: &tempfile::TempDir) -> String {
        format!("sqlite://{}/search.db", dir.path().display())
    }

    fn rows() -> Vec<Pattern> {
        vec![
            pattern("AS21 JFK-SEA 10:00-13:15"),
            pattern("B61 JFK-NRT 23:59-00:00+2 17 2026-12-01 2027-01-31"),
        ]
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&url(&dir)).await.unwrap();
        assert_eq!(
            (
                store.timetable_version().await.unwrap(),
                store.timetable_load().await.unwrap()
            ),
            (None, None)
        );
        assert_eq!(store.timetable_replace(&rows()).await.unwrap(), 1);
        let again = Store::open(&url(&dir)).await.unwrap();
        assert_eq!(again.timetable_load().await.unwrap(), Some((1, rows())));
        assert_eq!(again.timetable_replace(&rows()[..1]).await.unwrap(), 2);
        assert_eq!(
            store.timetable_load().await.unwrap(),
            Some((2, rows()[..1].to_vec()))
        );
    }

    #[tokio::test]
    async fn merging_replaces_flights_of_the_same_name() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&url(&dir)).await.unwrap();
        store.timetable_replace(&rows()).await.unwrap();
        let other = pattern("AS21 JFK-PDX 12:00-15:15");
        store.timetable_merge(vec![other.clone()]).await.unwrap();
        assert_eq!(
            store.timetable_load().await.unwrap(),
            Some((2, vec![rows()[1].clone(), other]))
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_replicas_that_start_at_once_one_seeds() {
        for _ in 0..5 {
            let dir = tempfile::tempdir().unwrap();
            let url = url(&dir);
            let mut starts = tokio::task::JoinSet::new();
            for _ in 0..4 {
                let url = url.clone();
                starts.spawn(async move {
                    let store = Store::open(&url).await.unwrap();
                    let first = store.timetable_seed(&rows()).await.unwrap();
                    (first, store.timetable_load().await.unwrap().unwrap())
                });
            }
            let seen = starts.join_all().await;
            assert_eq!(seen.iter().filter(|(first, _)| *first).count(), 1);
            assert!(seen.iter().all(|(_, loaded)| *loaded == (1, rows())));
        }
    }

    #[tokio::test]
    async fn another_kind_of_database_is_refused_by_the_name_of_its_key() {
        let error = Store::open("postgres://db/search").await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("SKYWAY_SEARCH_DATABASE_URL: \"postgres\" is not supported"),
            "{error}"
        );
        let error = Store::open("sqlite:///no/such/dir/search.db")
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "SKYWAY_SEARCH_DATABASE_URL: cannot open sqlite:///no/such/dir/search.db"
        );
        assert!(std::error::Error::source(&error).is_some());
    }
}
