//! Seats and bookings in a database: one method is one transaction.
//!
//! Locks are taken in one order: bookings, then cabins by name. A hold takes its cabins first, but
//! only adds bookings. Where two transactions block each other all the same, the database ends one and
//! it is done again.

use durable::{
    Db, OpenError, Options,
    outbox::{self, Event as OutboxEvent},
    queue::SqlLog,
    retry,
};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, DbBackend, DbErr, EntityTrait, ExprTrait,
    QueryFilter, QueryOrder, QuerySelect, Select, UpdateMany, sea_query::Expr,
};

use super::{
    audit,
    entity::{booking, inventory},
    failure::{Failure, unavailable},
    migration::Migrator,
    row,
};
use crate::domain::{
    audit::Check,
    booking::{Booking, Event, State, Viewer},
    error::ChangeError,
    inventory::{CabinKey, Delta, Inventory},
    ports::{Cursor, Holds, Lot, Store, StoreError},
};

/// Topic of the outbox where every change of a cabin's seats is told.
pub const INVENTORY: &str = "inventory";
/// Holds that one transaction ends at most: their cabins are locked meanwhile.
const EXPIRED_AT_ONCE: u64 = 200;

/// The database of bookings.
#[derive(Clone, Debug)]
pub struct Sql {
    pub(super) db: Db,
    log: SqlLog,
    encode: fn(&Inventory) -> Vec<u8>,
    pub(super) random: fn() -> u64,
}

impl Sql {
    /// Opens the database. `encode` makes an event of a cabin's seats; `random` draws locators.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub async fn open(
        options: &Options,
        encode: fn(&Inventory) -> Vec<u8>,
        random: fn() -> u64,
    ) -> Result<Self, OpenError> {
        let db = Db::open::<Migrator>(options).await?;
        Ok(Self {
            log: SqlLog::new(db.clone()),
            db,
            encode,
            random,
        })
    }

    /// The database, for what is kept beside the bookings.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// Where the events of topic [`INVENTORY`] can be followed.
    #[must_use]
    pub const fn log(&self) -> &SqlLog {
        &self.log
    }

    /// The cabin as an update has left it; none where the update did not apply.
    pub(super) async fn updated(
        &self,
        tx: &DatabaseTransaction,
        cabin: &CabinKey,
        update: UpdateMany<inventory::Entity>,
    ) -> Result<Option<Inventory>, DbErr> {
        let row = if self.db.backend() == DbBackend::MySql {
            // Neither MySQL nor MariaDB gives back what it has updated. The row is locked now.
            if update.exec(tx).await?.rows_affected == 0 {
                None
            } else {
                of_cabin(cabin).one(tx).await?
            }
        } else {
            update.exec_with_returning(tx).await?.pop()
        };
        row.map(row::inventory).transpose()
    }

    /// Commits changes of cabins, and tells of them.
    pub(super) async fn commit(
        &self,
        tx: DatabaseTransaction,
        now: i64,
        cabins: impl IntoIterator<Item = Inventory>,
    ) -> Result<(), DbErr> {
        let events: Vec<_> = cabins
            .into_iter()
            .map(|seats| OutboxEvent {
                topic: INVENTORY,
                aggregate: seats.key.to_string(),
                message_id: None,
                payload: (self.encode)(&seats),
            })
            .collect();
        outbox::append(&tx, now, events).await?;
        tx.commit().await?;
        self.log.wake();
        Ok(())
    }
}

/// The row of a cabin.
pub(super) fn of_cabin(cabin: &CabinKey) -> Select<inventory::Entity> {
    inventory::Entity::find_by_id((cabin.flight.clone(), cabin.cabin.as_str().to_owned()))
}

/// Adds to the counts of a cabin, and one to its version.
pub(super) fn update_cabin(cabin: &CabinKey, delta: Delta) -> UpdateMany<inventory::Entity> {
    use inventory::Column::{Cabin, FlightId, Held, Sold, Version};
    let mut update = inventory::Entity::update_many();
    for (column, change) in [(Held, delta.held), (Sold, delta.sold)] {
        if change != 0 {
            update = update.col_expr(column, Expr::col(column).add(change));
        }
    }
    update
        .col_expr(Version, Expr::col(Version).add(1))
        .filter(FlightId.eq(cabin.flight.as_str()))
        .filter(Cabin.eq(cabin.cabin.as_str()))
}

impl Store for Sql {
    async fn hold_lots(&self, lots: &[Lot], now: i64) -> Result<Vec<Option<Holds>>, StoreError> {
        let mut simply = true;
        retry("booking.hold", || {
            // What went wrong may be that somebody has asked before: then it must look.
            let first = std::mem::take(&mut simply);
            self.hold_once(lots, now, first)
        })
        .await
        .map_err(unavailable)
    }

    async fn open_cabin(
        &self,
        cabin: &CabinKey,
        capacity: u32,
        departure: i64,
    ) -> Result<(), StoreError> {
        use inventory::Column::{Cabin, FlightId};
        let open = async || {
            let tx = self.db.begin().await?;
            inventory::Entity::insert(row::new_inventory(cabin, capacity, departure))
                .on_conflict_do_nothing_on([FlightId, Cabin])
                .exec_without_returning(&tx)
                .await?;
            tx.commit().await
        };
        retry("booking.open_cabin", open).await.map_err(unavailable)
    }

    async fn change(
        &self,
        event: Event,
        trip: &str,
        ids: &[String],
        now: i64,
    ) -> Result<Vec<Booking>, ChangeError> {
        let name = match event {
            Event::Confirm => "booking.confirm",
            Event::Release => "booking.release",
            Event::Cancel => "booking.cancel",
            Event::Expire => "booking.expire",
        };
        match retry(name, || self.change_once(event, Some(trip), ids, now)).await {
            Ok(plan) => Ok(plan.bookings),
            Err(Failure::Refused(error)) => Err(error),
            Err(failure) => Err(unavailable(failure).into()),
        }
    }

    async fn expire(&self, now: i64) -> Result<(u64, bool), StoreError> {
        let overdue = booking::Entity::find()
            .filter(booking::Column::State.eq(State::Held.as_str()))
            .filter(booking::Column::Expires.lte(now))
            .order_by_asc(booking::Column::Expires)
            .limit(EXPIRED_AT_ONCE)
            .select_only()
            .column(booking::Column::BookingId);
        let ids: Vec<String> = retry("booking.overdue", || {
            overdue.clone().into_tuple().all(self.db.reader())
        })
        .await
        .map_err(unavailable)?;
        if ids.is_empty() {
            return Ok((0, false));
        }
        let expire = || self.change_once(Event::Expire, None, &ids, now);
        let plan = retry("booking.expire", expire).await.map_err(unavailable)?;
        Ok((
            plan.changed.len() as u64,
            ids.len() as u64 == EXPIRED_AT_ONCE,
        ))
    }

    async fn booking(&self, locator: &str) -> Result<Option<Booking>, StoreError> {
        let find = booking::Entity::find().filter(booking::Column::Locator.eq(locator));
        let found = retry("booking.get", || find.clone().one(self.db.reader()))
            .await
            .map_err(unavailable)?;
        found.map(row::booking).transpose().map_err(unavailable)
    }

    async fn bookings(
        &self,
        viewer: &Viewer,
        after: Option<&Cursor>,
        limit: u64,
    ) -> Result<Vec<Booking>, StoreError> {
        use booking::Column::{BookingId, Created, Seats, UserId};
        let mut find = booking::Entity::find()
            .filter(Seats.gt(0))
            .order_by_desc(Created)
            .order_by_desc(BookingId)
            .limit(limit);
        if let Viewer::User(user) = viewer {
            find = find.filter(UserId.eq(user.as_str()));
        }
        if let Some(after) = after {
            let tied = Condition::all()
                .add(Created.eq(after.created))
                .add(BookingId.lt(after.id.as_str()));
            find = find.filter(Condition::any().add(Created.lt(after.created)).add(tied));
        }
        let found = retry("booking.list", || find.clone().all(self.db.reader())).await;
        found.and_then(row::bookings).map_err(unavailable)
    }

    async fn trip_bookings(&self, trips: &[String]) -> Result<Vec<Booking>, StoreError> {
        let find = booking::Entity::find()
            .filter(booking::Column::TripId.is_in(trips))
            .filter(booking::Column::Seats.gt(0));
        let found = retry("booking.list_trips", || find.clone().all(self.db.reader())).await;
        found.and_then(row::bookings).map_err(unavailable)
    }

    async fn inventory(
        &self,
        after: Option<&CabinKey>,
        now: i64,
        limit: u64,
    ) -> Result<Vec<Inventory>, StoreError> {
        use inventory::Column::{Cabin, DepartureMs, FlightId, Held, Sold};
        let mut find = inventory::Entity::find()
            .filter(DepartureMs.gt(now))
            .filter(Expr::col(Held).add(Expr::col(Sold)).gt(0))
            .order_by_asc(FlightId)
            .order_by_asc(Cabin)
            .limit(limit);
        if let Some(after) = after {
            let tied = Condition::all()
                .add(FlightId.eq(after.flight.as_str()))
                .add(Cabin.gt(after.cabin.as_str()));
            find = find.filter(
                Condition::any()
                    .add(FlightId.gt(after.flight.as_str()))
                    .add(tied),
            );
        }
        let found = retry("booking.inventory", || find.clone().all(self.db.reader()))
            .await
            .map_err(unavailable)?;
        found
            .into_iter()
            .map(row::inventory)
            .collect::<Result<_, _>>()
            .map_err(unavailable)
    }

    async fn trim_events(&self, before: i64) -> Result<u64, StoreError> {
        outbox::trim(&self.db, INVENTORY, before)
            .await
            .map_err(unavailable)
    }

    async fn audit(&self, now: i64) -> Result<Vec<Check>, StoreError> {
        audit::checks(self.db.reader(), now)
            .await
            .map_err(unavailable)
    }
}
