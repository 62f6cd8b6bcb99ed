//! Leases: who works on a trip, and how another one takes over.
//!
//! A claim is a conditional update, which all databases do alike; none needs to lock what it reads.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::{
    entity::trip,
    row,
    sql::{SqlError, Store, append, bookings_of},
};
use crate::domain::{
    ports::{Claimed, Lease, LogLine, Stranded},
    trip::TripState,
};

impl Store {
    pub(super) async fn attempt_once(
        &self,
        lease: &Lease,
        attempt: u32,
        line: Option<&LogLine>,
    ) -> Result<(), SqlError> {
        let tx = self.db.begin().await?;
        let kept = trip::Entity::update_many()
            .set(trip::ActiveModel {
                attempt: Set(i32::try_from(attempt).unwrap_or(i32::MAX)),
                lease_until: Set(lease.until),
                ..trip::ActiveModel::default()
            })
            .filter(trip::Column::Id.eq(&lease.trip_id))
            .filter(trip::Column::LeaseEpoch.eq(lease.epoch))
            .exec(&tx)
            .await?;
        if kept.rows_affected == 0 {
            return Err(SqlError::LeaseLost);
        }
        if let Some(line) = line {
            append(&tx, &lease.trip_id, line).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    pub(super) async fn stranded_once(
        &self,
        now: i64,
        most: u64,
    ) -> Result<Vec<Stranded>, SqlError> {
        let unfinished = TripState::ALL
            .into_iter()
            .filter(|state| !state.is_finished())
            .map(TripState::as_str);
        let rows = trip::Entity::find()
            .filter(trip::Column::State.is_in(unfinished))
            .filter(trip::Column::LeaseUntil.lte(now))
            .order_by_asc(trip::Column::LeaseUntil)
            .limit(most)
            .select_only()
            .columns([trip::Column::Id, trip::Column::LeaseEpoch])
            .into_tuple::<(String, i64)>()
            .all(self.db.reader())
            .await?;
        let stranded = |(trip_id, epoch)| Stranded { trip_id, epoch };
        Ok(rows.into_iter().map(stranded).collect())
    }

    pub(super) async fn claim_once(
        &self,
        stranded: &Stranded,
        owner: &str,
        now: i64,
        until: i64,
    ) -> Result<Option<Claimed>, SqlError> {
        let epoch = stranded.epoch + 1;
        let tx = self.db.begin().await?;
        trip::Entity::update_many()
            .set(trip::ActiveModel {
                lease_owner: Set(owner.to_owned()),
                lease_epoch: Set(epoch),
                lease_until: Set(until),
                ..trip::ActiveModel::default()
            })
            .filter(trip::Column::Id.eq(&stranded.trip_id))
            .filter(trip::Column::LeaseEpoch.eq(stranded.epoch))
            .filter(trip::Column::LeaseUntil.lte(now))
            .exec(&tx)
            .await?;
        let row = trip::Entity::find_by_id(&stranded.trip_id).one(&tx).await?;
        let bookings = bookings_of(&tx, [stranded.trip_id.clone()]).await?;
        tx.commit().await?;
        // Also ours where a first run of the same transaction has claimed it: nobody else has this owner.
        let Some(row) = row.filter(|row| row.lease_owner == owner && row.lease_epoch == epoch)
        else {
            return Ok(None);
        };
        let attempt = u32::try_from(row.attempt).map_err(|_| SqlError::Row("trips.attempt"))?;
        let Some(trip) = row::trips(vec![row], bookings)?.pop() else {
            return Ok(None);
        };
        Ok((!trip.state.is_finished()).then(|| Claimed {
            trip,
            lease: Lease {
                trip_id: stranded.trip_id.clone(),
                epoch,
                owner: owner.to_owned(),
                until,
            },
            attempt,
        }))
    }

    pub(super) async fn release_once(&self, lease: &Lease) -> Result<(), SqlError> {
        let tx = self.db.begin().await?;
        trip::Entity::update_many()
            .set(trip::ActiveModel {
                lease_until: Set(0),
                ..trip::ActiveModel::default()
            })
            .filter(trip::Column::Id.eq(&lease.trip_id))
            .filter(trip::Column::LeaseEpoch.eq(lease.epoch))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
