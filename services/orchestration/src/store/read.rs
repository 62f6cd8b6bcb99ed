//! Trips as they are read: lists, logs, and pages for the audit.

use durable::retry;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::{
    entity::{key, log, trip},
    row,
    sql::{SqlError, Store, bookings_of},
};
use crate::domain::{
    error::StoreError,
    ports::{BOOK_TRIP, Logged, Place, TripReader},
    trip::Trip,
};

impl Store {
    async fn list_once(
        &self,
        user_id: Option<&str>,
        after: Option<&Place>,
        most: u64,
    ) -> Result<Vec<Trip>, SqlError> {
        let mut query = trip::Entity::find();
        if let Some(user_id) = user_id {
            query = query.filter(trip::Column::UserId.eq(user_id));
        }
        if let Some(place) = after {
            let same_time = Condition::all()
                .add(trip::Column::Created.eq(place.created))
                .add(trip::Column::Id.lt(&place.trip_id));
            query = query.filter(
                Condition::any()
                    .add(trip::Column::Created.lt(place.created))
                    .add(same_time),
            );
        }
        let newest_first = query
            .order_by_desc(trip::Column::Created)
            .order_by_desc(trip::Column::Id);
        self.trips(newest_first.limit(most)).await
    }

    /// The trips that a query finds, each with its flights as of the same instant.
    async fn trips(&self, query: Select<trip::Entity>) -> Result<Vec<Trip>, SqlError> {
        let tx = self.db.snapshot().await?;
        let rows = query.all(&tx).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids = rows.iter().map(|row| row.id.clone());
        let bookings = bookings_of(&tx, ids).await?;
        row::trips(rows, bookings)
    }

    async fn log_once(&self, trip_id: &str, most: u64) -> Result<Vec<Logged>, SqlError> {
        let rows = log::Entity::find()
            .filter(log::Column::TripId.eq(trip_id))
            .order_by_asc(log::Column::Id)
            .limit(most)
            .all(self.db.reader())
            .await?;
        rows.into_iter().map(row::logged).collect()
    }

    async fn page_once(&self, after: &str, most: u64) -> Result<Vec<Trip>, SqlError> {
        let by_id = trip::Entity::find()
            .filter(trip::Column::Id.gt(after))
            .order_by_asc(trip::Column::Id);
        self.trips(by_id.limit(most)).await
    }

    async fn keys_once(
        &self,
        after: &str,
        since: i64,
        most: u64,
    ) -> Result<Vec<(String, bool)>, SqlError> {
        let trips = trip::Entity::find()
            .filter(trip::Column::Id.gt(after))
            .filter(trip::Column::Created.gt(since))
            .order_by_asc(trip::Column::Id)
            .limit(most)
            .select_only()
            .columns([
                trip::Column::Id,
                trip::Column::UserId,
                trip::Column::RequestKey,
            ])
            .into_tuple::<(String, String, String)>()
            .all(self.db.reader())
            .await?;
        let ids = trips.iter().map(|(id, ..)| id.clone());
        let keys = key::Entity::find()
            .filter(key::Column::TripId.is_in(ids))
            .filter(key::Column::Method.eq(BOOK_TRIP))
            .all(self.db.reader())
            .await?;
        let named = |id: &str, user: &str, request_key: &str| {
            keys.iter().any(|row| {
                (
                    row.trip_id.as_str(),
                    row.user_id.as_str(),
                    row.request_key.as_str(),
                ) == (id, user, request_key)
            })
        };
        Ok(trips
            .into_iter()
            .map(|(id, user, request_key)| {
                let named = named(&id, &user, &request_key);
                (id, named)
            })
            .collect())
    }
}

impl TripReader for Store {
    async fn trip_list(
        &self,
        user_id: Option<&str>,
        after: Option<&Place>,
        most: u64,
    ) -> Result<Vec<Trip>, StoreError> {
        Ok(retry("trip.list", || self.list_once(user_id, after, most)).await?)
    }

    async fn log_list(&self, trip_id: &str, most: u64) -> Result<Vec<Logged>, StoreError> {
        Ok(retry("trip.log", || self.log_once(trip_id, most)).await?)
    }

    async fn trip_page(&self, after: &str, most: u64) -> Result<Vec<Trip>, StoreError> {
        Ok(retry("trip.page", || self.page_once(after, most)).await?)
    }

    async fn key_page(
        &self,
        after: &str,
        since: i64,
        most: u64,
    ) -> Result<Vec<(String, bool)>, StoreError> {
        Ok(retry("trip.keys", || self.keys_once(after, since, most)).await?)
    }
}
