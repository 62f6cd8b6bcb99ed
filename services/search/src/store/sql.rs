//! The timetable in a database: one method is one transaction.
//!
//! Several replicas, and an import beside them, share the tables. Every change happens in one
//! transaction that also counts the version up: whoever sees a version sees exactly its patterns.

use durable::{Db, OpenError, Options, Transient, retry};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set, sea_query::OnConflict,
};

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
/// One replica asks for little, and an import is one transaction.
const CONNECTIONS: u32 = 4;

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
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
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

impl Transient for StoreError {
    fn transient(&self) -> bool {
        matches!(self, Self::Database(error) if error.transient())
    }
}

/// An open database.
#[derive(Clone, Debug)]
pub struct Store(Db);

impl Store {
    /// Opens the database at `url`, an `SQLite` file also where there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// Where the URL is of an unknown kind, or the database cannot be opened.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = Options {
            url: url.to_owned(),
            variable: "SKYWAY_SEARCH_DATABASE_URL",
            max_connections: CONNECTIONS,
        };
        Ok(Self(Db::open::<Migrator>(&options).await?))
    }

    /// The database, for what is kept beside the timetable.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.0
    }

    /// Version of the timetable; none where there is no timetable yet.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn timetable_version(&self) -> Result<Option<i64>, StoreError> {
        let row = timetable::Entity::find_by_id(timetable::ID);
        Ok(row.one(self.0.reader()).await?.map(|row| row.version))
    }

    /// The timetable and its version; none where there is no timetable yet.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn timetable_load(&self) -> Result<Option<(i64, Vec<Pattern>)>, StoreError> {
        let mut before = self.timetable_version().await?;
        while let Some(version) = before {
            let patterns = patterns_load(self.0.reader()).await;
            // An import in between: what was read may be some of each.
            let after = self.timetable_version().await?;
            if after == before {
                return Ok(Some((version, patterns?)));
            }
            before = after;
        }
        Ok(None)
    }

    /// Fills an empty timetable; false where there is one already, for example because another replica was faster.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn timetable_seed(&self, patterns: &[Pattern]) -> Result<bool, StoreError> {
        let seeded = retry("search.seed", async || {
            let (tx, version) = self.begin_writing().await?;
            if version > 0 {
                return Ok(false);
            }
            write(&tx, patterns, 1, Source::Demonstration).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(true)
        });
        seeded.await
    }

    /// Replaces the timetable; gives its new version.
    ///
    /// # Errors
    /// Where the database fails; then nothing has changed.
    pub async fn timetable_replace(&self, patterns: &[Pattern]) -> Result<i64, StoreError> {
        let replaced = retry("search.replace", async || {
            let (tx, version) = self.begin_writing().await?;
            write(&tx, patterns, version + 1, Source::Import).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(version + 1)
        });
        replaced.await
    }

    /// Lays patterns over those of the timetable; gives its new version.
    ///
    /// # Errors
    /// Where the database fails; then nothing has changed.
    pub async fn timetable_merge(&self, patterns: &[Pattern]) -> Result<i64, StoreError> {
        let merged = retry("search.merge", async || {
            let (tx, version) = self.begin_writing().await?;
            let merged = overlay(patterns_load(&tx).await?, patterns.to_vec());
            write(&tx, &merged, version + 1, Source::Import).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(version + 1)
        });
        merged.await
    }

    /// A transaction that no other writer of the timetable runs beside, and the version it begins
    /// with; 0 where there is no timetable yet.
    async fn begin_writing(&self) -> Result<(DatabaseTransaction, i64), StoreError> {
        let tx = self.0.begin().await?;
        let none = timetable::ActiveModel {
            id: Set(timetable::ID),
            version: Set(0),
            source: Set(String::new()),
        };
        // The row is there to be locked; it goes with a transaction that is not committed.
        timetable::Entity::insert(none)
            .on_conflict_do_nothing_on([timetable::Column::Id])
            .exec_without_returning(&tx)
            .await?;
        let row = timetable::Entity::find_by_id(timetable::ID);
        let row = row.lock_exclusive().one(&tx).await?;
        Ok((tx, row.map_or(0, |row| row.version)))
    }
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

    fn rows() -> Vec<Pattern> {
        vec![
            pattern("AS21 JFK-SEA 10:00-13:15"),
            pattern("B61 JFK-NRT 23:59-00:00+2 17 2026-12-01 2027-01-31"),
        ]
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_written_is_read() {
        testing::each_database(async |url| {
            let store = Store::open(&url).await.unwrap();
            assert_eq!(store.timetable_version().await.unwrap(), None);
            assert_eq!(store.timetable_load().await.unwrap(), None);
            assert_eq!(store.timetable_replace(&rows()).await.unwrap(), 1);
            let again = Store::open(&url).await.unwrap();
            assert_eq!(again.timetable_load().await.unwrap(), Some((1, rows())));
            assert_eq!(again.timetable_replace(&rows()[..1]).await.unwrap(), 2);
            let loaded = store.timetable_load().await.unwrap();
            assert_eq!(loaded, Some((2, rows()[..1].to_vec())));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn merging_replaces_flights_of_the_same_name() {
        testing::each_database(async |url| {
            let store = Store::open(&url).await.unwrap();
            store.timetable_replace(&rows()).await.unwrap();
            let other = pattern("AS21 JFK-PDX 12:00-15:15");
            let merged = store.timetable_merge(std::slice::from_ref(&other)).await;
            assert_eq!(merged.unwrap(), 2);
            let loaded = store.timetable_load().await.unwrap();
            assert_eq!(loaded, Some((2, vec![rows()[1].clone(), other])));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_replicas_that_start_at_once_one_seeds() {
        testing::each_database(async |url| {
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
        })
        .await;
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_had_is_told_by_the_name_of_its_key() {
        for (url, text) in [
            (
                "oracle://db/search",
                "SKYWAY_SEARCH_DATABASE_URL: \"oracle\" is not supported; write sqlite://PATH, postgres://USER:PASSWORD@HOST/DATABASE or mysql://USER:PASSWORD@HOST/DATABASE",
            ),
            (
                "sqlite:///no/such/dir/search.db",
                "SKYWAY_SEARCH_DATABASE_URL: cannot open sqlite:///no/such/dir/search.db",
            ),
        ] {
            let error = Store::open(url).await.unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }
}
