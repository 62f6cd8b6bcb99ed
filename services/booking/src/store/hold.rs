//! The transaction that holds seats: of a cabin or some, for as many as wait.

use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::Expr,
};

use super::{
    entity::{booking, inventory},
    failure::Failure,
    row,
    sql::{Sql, of_cabin, update_cabin},
};
use crate::domain::{
    booking::Booking,
    error::HoldError,
    hold::{Decision, NewHold, decide},
    inventory::{CabinKey, Delta, Inventory},
    locator,
    ports::{Holds, Lot},
};

impl Sql {
    /// `simply` tries without looking first: nearly always nobody has asked before and the seats are there.
    pub(super) async fn hold_once(
        &self,
        lots: &[Lot],
        now: i64,
        simply: bool,
    ) -> Result<Vec<Option<Holds>>, Failure> {
        let tx = self.db.begin().await?;
        let mut cabins = Vec::with_capacity(lots.len());
        let mut outcomes = Vec::with_capacity(lots.len());
        let mut granted: Vec<Booking> = Vec::new();
        for lot in lots {
            let decided = self.decided(&tx, lot, &granted, now, simply).await?;
            let Some((seats, decisions)) = decided else {
                outcomes.push(None);
                continue;
            };
            let answers = self.answers(lot, decisions);
            let before = granted.len();
            granted.extend(answers.iter().filter_map(Answer::granted).cloned());
            if granted.len() > before {
                cabins.push(seats);
            }
            outcomes.push(Some(Answer::all(answers)));
        }
        if granted.is_empty() {
            tx.rollback().await?;
        } else {
            booking::Entity::insert_many(granted.iter().map(row::new_booking))
                .exec_without_returning(&tx)
                .await?;
            self.commit(tx, now, cabins).await?;
        }
        Ok(outcomes)
    }

    /// Decides about a lot, and takes the seats that are granted. None where the cabin is not known.
    async fn decided(
        &self,
        tx: &DatabaseTransaction,
        lot: &Lot,
        granted: &[Booking],
        now: i64,
        simply: bool,
    ) -> Result<Option<(Inventory, Vec<Decision>)>, Failure> {
        if simply {
            let all = lot.holds.iter().map(|hold| hold.seats).sum();
            if let Some(seats) = self.take(tx, &lot.cabin, all, now).await? {
                return Ok(Some((seats, vec![Decision::Grant; lot.holds.len()])));
            }
        }
        self.look(tx, lot, granted, now).await
    }

    /// The same under the cabin's lock. `granted` are holds of other cabins in this transaction, which the
    /// database does not know yet.
    async fn look(
        &self,
        tx: &DatabaseTransaction,
        lot: &Lot,
        granted: &[Booking],
        now: i64,
    ) -> Result<Option<(Inventory, Vec<Decision>)>, Failure> {
        let Some(seats) = of_cabin(&lot.cabin).lock_exclusive().one(tx).await? else {
            return Ok(None);
        };
        let seats = row::inventory(seats)?;
        let ids = lot.holds.iter().map(|hold| hold.id.as_str());
        let known = booking::Entity::find()
            .filter(booking::Column::BookingId.is_in(ids))
            .all(tx)
            .await?;
        let mut known = row::bookings(known)?;
        known.extend_from_slice(granted);
        let decisions = decide(&seats, &known, &lot.holds, now);
        let wanted = decisions
            .iter()
            .zip(&lot.holds)
            .filter(|(decision, _)| **decision == Decision::Grant)
            .map(|(_, hold)| hold.seats)
            .sum();
        if wanted == 0 {
            return Ok(Some((seats, decisions)));
        }
        let seats = self.take(tx, &lot.cabin, wanted, now).await?;
        Ok(Some((seats.ok_or(Failure::Conflict)?, decisions)))
    }

    /// Takes seats where they are all left and the flight has not departed; none otherwise.
    async fn take(
        &self,
        tx: &DatabaseTransaction,
        cabin: &CabinKey,
        seats: u32,
        now: i64,
    ) -> Result<Option<Inventory>, DbErr> {
        use inventory::Column::{Capacity, DepartureMs, Held, Sold};
        let seats = row::integer(seats);
        let after = Expr::col(Held).add(Expr::col(Sold)).add(seats);
        let update = update_cabin(
            cabin,
            Delta {
                held: seats,
                sold: 0,
            },
        )
        .filter(DepartureMs.gt(now))
        .filter(after.lte(Expr::col(Capacity)));
        self.updated(tx, cabin, update).await
    }

    fn answers(&self, lot: &Lot, decisions: Vec<Decision>) -> Vec<Answer> {
        let answer = |(hold, decision): (&NewHold, Decision)| match decision {
            Decision::Grant => {
                Answer::Granted(hold.booking(&lot.cabin, locator::from_random((self.random)())))
            }
            Decision::Answer(answer) => Answer::Known(answer),
            Decision::SameAs(place) => Answer::SameAs(place),
        };
        lot.holds.iter().zip(decisions).map(answer).collect()
    }
}

/// An answer on its way through the transaction.
enum Answer {
    Granted(Booking),
    Known(Result<Booking, HoldError>),
    SameAs(usize),
}

impl Answer {
    fn granted(&self) -> Option<&Booking> {
        match self {
            Self::Granted(booking) => Some(booking),
            Self::Known(_) | Self::SameAs(_) => None,
        }
    }

    fn all(answers: Vec<Self>) -> Holds {
        let mut holds = Holds::with_capacity(answers.len());
        for answer in answers {
            let hold = match answer {
                Self::Granted(booking) => Ok(booking),
                Self::Known(known) => known,
                // It stands before this one.
                Self::SameAs(place) => holds[place].clone(),
            };
            holds.push(hold);
        }
        holds
    }
}
