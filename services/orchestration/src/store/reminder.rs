//! Reminders: which trips are due, and saying so once.

use durable::{outbox, retry};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Set, sea_query::Expr,
};

use super::{
    entity::trip,
    row,
    sql::{SqlError, Store, bookings_of, event},
};
use crate::domain::{
    error::StoreError,
    notice::Notice,
    ports::ReminderStore,
    trip::{Trip, TripState},
};

impl Store {
    async fn due_once(&self, now: i64, ahead: i64, most: u64) -> Result<Vec<String>, SqlError> {
        let first_seen = Expr::col(trip::Column::Confirmed).add(ahead);
        let ids = trip::Entity::find()
            .filter(trip::Column::State.eq(TripState::Confirmed.as_str()))
            .filter(trip::Column::Departure.gt(now))
            .filter(trip::Column::Departure.lte(now.saturating_add(ahead)))
            .filter(trip::Column::Reminded.is_null())
            .filter(Expr::col(trip::Column::Departure).gt(first_seen))
            .order_by_asc(trip::Column::Departure)
            .order_by_asc(trip::Column::Id)
            .limit(most)
            .select_only()
            .column(trip::Column::Id)
            .into_tuple()
            .all(self.db.reader())
            .await?;
        Ok(ids)
    }

    async fn remind_once(
        &self,
        trip_ids: &[String],
        now: i64,
        notice: &(dyn Fn(&Trip) -> Notice + Sync),
    ) -> Result<u64, SqlError> {
        let tx = self.db.begin().await?;
        let mut reminded = Vec::new();
        for id in trip_ids {
            // Another replica may be here too, and a trip may have been cancelled since.
            let marked = trip::Entity::update_many()
                .set(trip::ActiveModel {
                    reminded: Set(Some(now)),
                    ..trip::ActiveModel::default()
                })
                .filter(trip::Column::Id.eq(id))
                .filter(trip::Column::State.eq(TripState::Confirmed.as_str()))
                .filter(trip::Column::Reminded.is_null())
                .exec(&tx)
                .await?;
            if marked.rows_affected > 0 {
                reminded.push(id.clone());
            }
        }
        let rows = trip::Entity::find()
            .filter(trip::Column::Id.is_in(reminded.iter().cloned()))
            .order_by_asc(trip::Column::Departure)
            .order_by_asc(trip::Column::Id)
            .all(&tx)
            .await?;
        let bookings = bookings_of(&tx, reminded).await?;
        let trips = row::trips(rows, bookings)?;
        let events = trips.iter().map(|trip| event(&trip.id, notice(trip)));
        outbox::append(&tx, now, events).await?;
        tx.commit().await?;
        self.log.wake();
        Ok(trips.len() as u64)
    }
}

impl ReminderStore for Store {
    async fn reminders_due(
        &self,
        now: i64,
        ahead: i64,
        most: u64,
    ) -> Result<Vec<String>, StoreError> {
        Ok(retry("trip.reminders_due", || self.due_once(now, ahead, most)).await?)
    }

    async fn remind(
        &self,
        trip_ids: &[String],
        now: i64,
        notice: &(dyn Fn(&Trip) -> Notice + Sync),
    ) -> Result<u64, StoreError> {
        if trip_ids.is_empty() {
            return Ok(0);
        }
        Ok(retry("trip.remind", || self.remind_once(trip_ids, now, notice)).await?)
    }
}
