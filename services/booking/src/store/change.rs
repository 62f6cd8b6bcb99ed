//! The transaction in which something happens to bookings: to all of them, or to none.

use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use super::{
    entity::booking,
    failure::Failure,
    row,
    sql::{Sql, update_cabin},
};
use crate::domain::{
    booking::Event,
    change::{self, Plan},
};

impl Sql {
    pub(super) async fn change_once(
        &self,
        event: Event,
        trip: Option<&str>,
        ids: &[String],
        now: i64,
    ) -> Result<Plan, Failure> {
        let tx = self.db.begin().await?;
        let found = booking::Entity::find()
            .filter(booking::Column::BookingId.is_in(ids))
            .order_by_asc(booking::Column::BookingId)
            .lock_exclusive()
            .all(&tx)
            .await?;
        let plan =
            change::plan(event, trip, ids, row::bookings(found)?, now).map_err(Failure::Refused)?;
        if !plan.tombstones.is_empty() {
            let trip = trip.unwrap_or_default();
            let rows = plan.tombstones.iter();
            booking::Entity::insert_many(rows.map(|id| row::tombstone(id, trip, now)))
                .exec_without_returning(&tx)
                .await?;
        }
        if !plan.changed.is_empty() {
            let state = event.leads_to().as_str();
            booking::Entity::update_many()
                .col_expr(booking::Column::State, Expr::value(state))
                .col_expr(booking::Column::Updated, Expr::value(now))
                .filter(booking::Column::BookingId.is_in(&plan.changed))
                .exec(&tx)
                .await?;
        }
        let mut cabins = Vec::with_capacity(plan.deltas.len());
        for (cabin, delta) in &plan.deltas {
            let update = update_cabin(cabin, *delta);
            let seats = self.updated(&tx, cabin, update).await?;
            let missing = || DbErr::RecordNotFound(format!("inventory of {cabin}"));
            cabins.push(seats.ok_or_else(missing)?);
        }
        self.commit(tx, now, cabins).await?;
        Ok(plan)
    }
}
