//! Trips in a database: making them and moving them on, one method one transaction.
//!
//! Every change of a trip names the epoch of its lease, and changes nothing where another replica
//! has claimed the trip since. A change whose answer was lost is made again by `durable::retry`;
//! the second run recognises what the first one did.

use durable::{Db, OpenError, Options, Transient, outbox, queue::SqlLog, retry};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, Set, SqlErr, sea_query::Expr,
};

use super::{
    entity::{booking, key, log, trip},
    keys,
    migration::Migrator,
    row,
};
use crate::domain::{
    error::StoreError,
    notice::Notice,
    ports::{Claimed, Created, KeyUse, Lease, LogLine, RequestKey, Stranded, TripStore},
    trip::{Trip, TripState},
};

/// Topic under which mail is told of trips.
pub(crate) const MAIL: &str = "mail";

/// The trips of a database.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) db: Db,
    pub(super) log: SqlLog,
}

/// What can go wrong in a transaction.
#[derive(Debug, thiserror::Error)]
pub(super) enum SqlError {
    #[error(transparent)]
    Database(#[from] DbErr),
    #[error("{0} holds what nobody has written")]
    Row(&'static str),
    #[error("the lease is lost")]
    LeaseLost,
}

impl Transient for SqlError {
    fn transient(&self) -> bool {
        matches!(self, Self::Database(error) if error.transient())
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::LeaseLost => Self::LeaseLost,
            SqlError::Database(_) | SqlError::Row(_) => Self::Database(Box::new(error)),
        }
    }
}

/// Whether a row with that key is there already.
pub(super) fn is_taken(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

impl Store {
    /// Opens a database and brings its schema up to date.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let db = Db::open::<Migrator>(options).await?;
        let log = SqlLog::new(db.clone());
        Ok(Self { db, log })
    }

    /// What mail is to be told, as it is written.
    #[must_use]
    pub const fn log(&self) -> &SqlLog {
        &self.log
    }

    async fn create_once(
        &self,
        trip: &Trip,
        key: &RequestKey,
        lease: &Lease,
        line: &LogLine,
    ) -> Result<Created, SqlError> {
        let tx = self.db.begin().await?;
        // The key comes first: of many requests with the same one, all but one wait here.
        let used = key::Entity::insert(keys::row(key, &trip.id, trip.created));
        if let Err(error) = used.exec_without_returning(&tx).await {
            if !is_taken(&error) {
                return Err(error.into());
            }
            tx.rollback().await?;
            return self.known(key, &trip.id).await;
        }
        trip::Entity::insert(row::new_trip(trip, &key.key, lease))
            .exec_without_returning(&tx)
            .await?;
        booking::Entity::insert_many(row::bookings(trip))
            .exec_without_returning(&tx)
            .await?;
        append(&tx, &trip.id, line).await?;
        tx.commit().await?;
        Ok(Created::New)
    }

    /// What a key that is taken was used for. For this very trip: then by a first run of the same transaction.
    async fn known(&self, key: &RequestKey, trip_id: &str) -> Result<Created, SqlError> {
        match keys::find(self.db.reader(), key).await? {
            Some(KeyUse { trip_id: known, .. }) if known == trip_id => Ok(Created::New),
            Some(known) => Ok(Created::Known(known)),
            // Forgotten in between, which only happens to keys of yesterday.
            None => Err(SqlError::Row("idempotency")),
        }
    }

    async fn get_once(&self, trip_id: &str) -> Result<Option<Trip>, SqlError> {
        let tx = self.db.snapshot().await?;
        let Some(row) = trip::Entity::find_by_id(trip_id).one(&tx).await? else {
            return Ok(None);
        };
        let bookings = bookings_of(&tx, [trip_id.to_owned()]).await?;
        Ok(row::trips(vec![row], bookings)?.pop())
    }

    async fn advance_once(
        &self,
        lease: &Lease,
        from: TripState,
        trip: &Trip,
        line: &LogLine,
        notice: Option<&Notice>,
    ) -> Result<(), SqlError> {
        let tx = self.db.begin().await?;
        let moved = trip::Entity::update_many()
            .set(trip::ActiveModel {
                attempt: Set(1),
                lease_until: Set(lease.until),
                ..row::progress(trip)
            })
            .filter(trip::Column::Id.eq(&trip.id))
            .filter(trip::Column::LeaseEpoch.eq(lease.epoch))
            .filter(trip::Column::State.eq(from.as_str()))
            .exec(&tx)
            .await?;
        if moved.rows_affected == 0 {
            tx.rollback().await?;
            return self.moved_before(lease, trip).await;
        }
        self.bookings_update(&tx, trip).await?;
        append(&tx, &trip.id, line).await?;
        let told = notice.map(|notice| event(&trip.id, notice.clone()));
        outbox::append(&tx, trip.updated, told).await?;
        tx.commit().await?;
        if notice.is_some() {
            self.log.wake();
        }
        Ok(())
    }

    /// Nothing was moved: that is fine where a first run of the same transaction has done it.
    async fn moved_before(&self, lease: &Lease, trip: &Trip) -> Result<(), SqlError> {
        let row = trip::Entity::find_by_id(&trip.id)
            .one(self.db.reader())
            .await?;
        match row {
            Some(row) if row.lease_epoch == lease.epoch && row.state == trip.state.as_str() => {
                Ok(())
            }
            _ => Err(SqlError::LeaseLost),
        }
    }

    async fn bookings_update(&self, tx: &DatabaseTransaction, trip: &Trip) -> Result<(), SqlError> {
        let of_trip =
            || booking::Entity::update_many().filter(booking::Column::TripId.eq(&trip.id));
        if trip.state == TripState::Confirming {
            // The only change in which they differ: each has got its locator.
            for row in row::bookings(trip) {
                let position = row.position.clone().unwrap();
                of_trip()
                    .filter(booking::Column::Position.eq(position))
                    .set(booking::ActiveModel {
                        locator: row.locator,
                        state: row.state,
                        ..booking::ActiveModel::default()
                    })
                    .exec(tx)
                    .await?;
            }
        } else if let Some(state) = trip.bookings.iter().find_map(|booking| booking.state) {
            of_trip()
                .filter(booking::Column::Locator.is_not_null())
                .col_expr(booking::Column::State, Expr::value(state.as_str()))
                .exec(tx)
                .await?;
        }
        Ok(())
    }

    async fn cancel_once(
        &self,
        trip: &Trip,
        owner: &str,
        until: i64,
        line: &LogLine,
    ) -> Result<Option<Lease>, SqlError> {
        let tx = self.db.begin().await?;
        let moved = trip::Entity::update_many()
            .set(trip::ActiveModel {
                attempt: Set(1),
                lease_owner: Set(owner.to_owned()),
                lease_until: Set(until),
                ..row::progress(trip)
            })
            .col_expr(
                trip::Column::LeaseEpoch,
                Expr::col(trip::Column::LeaseEpoch).add(1),
            )
            .filter(trip::Column::Id.eq(&trip.id))
            .filter(trip::Column::State.eq(TripState::Confirmed.as_str()))
            .exec(&tx)
            .await?;
        let row = trip::Entity::find_by_id(&trip.id).one(&tx).await?;
        // Also ours where a first run of the same transaction has taken it: nobody else has this owner.
        let Some(row) = row.filter(|row| row.lease_owner == owner) else {
            tx.rollback().await?;
            return Ok(None);
        };
        if moved.rows_affected > 0 {
            append(&tx, &trip.id, line).await?;
        }
        tx.commit().await?;
        Ok(Some(Lease {
            trip_id: row.id,
            epoch: row.lease_epoch,
            owner: row.lease_owner,
            until,
        }))
    }
}

/// What mail is to be told of a trip.
pub(super) fn event(trip_id: &str, notice: Notice) -> outbox::Event {
    outbox::Event {
        topic: MAIL,
        aggregate: trip_id.to_owned(),
        message_id: Some(notice.id),
        payload: notice.payload,
    }
}

/// Adds a line to a trip's log.
pub(super) async fn append(
    tx: &DatabaseTransaction,
    trip_id: &str,
    line: &LogLine,
) -> Result<(), DbErr> {
    log::Entity::insert(row::line(trip_id, line))
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// The flights of trips, in the order of travel.
pub(super) async fn bookings_of(
    db: &impl ConnectionTrait,
    trip_ids: impl IntoIterator<Item = String>,
) -> Result<Vec<booking::Model>, DbErr> {
    booking::Entity::find()
        .filter(booking::Column::TripId.is_in(trip_ids))
        .order_by_asc(booking::Column::TripId)
        .order_by_asc(booking::Column::Position)
        .all(db)
        .await
}

impl TripStore for Store {
    async fn key_find(&self, key: &RequestKey) -> Result<Option<KeyUse>, StoreError> {
        let find = || keys::find(self.db.reader(), key);
        Ok(retry("trip.key_find", find).await?)
    }

    async fn key_use(
        &self,
        key: &RequestKey,
        trip_id: &str,
        now: i64,
    ) -> Result<Created, StoreError> {
        Ok(retry("trip.key_use", || self.key_use_once(key, trip_id, now)).await?)
    }

    async fn key_forget(&self, key: &RequestKey, until: i64) -> Result<(), StoreError> {
        Ok(retry("trip.key_forget", || self.key_forget_once(key, until)).await?)
    }

    async fn trip_create(
        &self,
        trip: &Trip,
        key: &RequestKey,
        lease: &Lease,
        line: &LogLine,
    ) -> Result<Created, StoreError> {
        let create = || self.create_once(trip, key, lease, line);
        Ok(retry("trip.create", create).await?)
    }

    async fn trip_get(&self, trip_id: &str) -> Result<Option<Trip>, StoreError> {
        Ok(retry("trip.get", || self.get_once(trip_id)).await?)
    }

    async fn trip_advance(
        &self,
        lease: &Lease,
        from: TripState,
        trip: &Trip,
        line: &LogLine,
        notice: Option<&Notice>,
    ) -> Result<(), StoreError> {
        let advance = || self.advance_once(lease, from, trip, line, notice);
        Ok(retry("trip.advance", advance).await?)
    }

    async fn trip_attempt(
        &self,
        lease: &Lease,
        attempt: u32,
        line: Option<&LogLine>,
    ) -> Result<(), StoreError> {
        Ok(retry("trip.attempt", || self.attempt_once(lease, attempt, line)).await?)
    }

    async fn trip_cancel(
        &self,
        trip: &Trip,
        owner: &str,
        until: i64,
        line: &LogLine,
    ) -> Result<Option<Lease>, StoreError> {
        let cancel = || self.cancel_once(trip, owner, until, line);
        Ok(retry("trip.cancel", cancel).await?)
    }

    async fn trip_stranded(&self, now: i64, most: u64) -> Result<Vec<Stranded>, StoreError> {
        Ok(retry("trip.stranded", || self.stranded_once(now, most)).await?)
    }

    async fn trip_claim(
        &self,
        stranded: &Stranded,
        owner: &str,
        now: i64,
        until: i64,
    ) -> Result<Option<Claimed>, StoreError> {
        let claim = || self.claim_once(stranded, owner, now, until);
        Ok(retry("trip.claim", claim).await?)
    }

    async fn lease_release(&self, lease: &Lease) -> Result<(), StoreError> {
        Ok(retry("trip.lease_release", || self.release_once(lease)).await?)
    }
}
