//! The transaction that holds seats: of one cabin, for as many as wait.

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
    ports::Holds,
};

impl Sql {
    /// `simply` tries without looking first: nearly always nobody has asked before and the seats are there.
    pub(super) async fn hold_once(
        &self,
        cabin: &CabinKey,
        holds: &[NewHold],
        now: i64,
        simply: bool,
    ) -> Result<Option<Holds>, Failure> {
        let tx = self.db.begin().await?;
        let all = || holds.iter().map(|hold| hold.seats).sum();
        let taken = if simply {
            self.take(&tx, cabin, all(), now).await?
        } else {
            None
        };
        let (seats, decisions) = if let Some(seats) = taken {
            (seats, vec![Decision::Grant; holds.len()])
        } else if let Some(looked) = self.look(&tx, cabin, holds, now).await? {
            looked
        } else {
            tx.rollback().await?;
            return Ok(None);
        };
        let answers = self.answers(cabin, holds, decisions);
        let granted: Vec<_> = answers.iter().filter_map(Answer::granted).collect();
        if granted.is_empty() {
            tx.rollback().await?;
        } else {
            booking::Entity::insert_many(granted.into_iter().map(row::new_booking))
                .exec_without_returning(&tx)
                .await?;
            self.commit(tx, now, [seats]).await?;
        }
        Ok(Some(Answer::all(answers)))
    }

    /// Decides under the cabin's lock, and takes the seats that are granted. None where the cabin is not known.
    async fn look(
        &self,
        tx: &DatabaseTransaction,
        cabin: &CabinKey,
        holds: &[NewHold],
        now: i64,
    ) -> Result<Option<(Inventory, Vec<Decision>)>, Failure> {
        let Some(seats) = of_cabin(cabin).lock_exclusive().one(tx).await? else {
            return Ok(None);
        };
        let seats = row::inventory(seats)?;
        let ids = holds.iter().map(|hold| hold.id.as_str());
        let known = booking::Entity::find()
            .filter(booking::Column::BookingId.is_in(ids))
            .all(tx)
            .await?;
        let decisions = decide(&seats, &row::bookings(known)?, holds, now);
        let granted = decisions
            .iter()
            .zip(holds)
            .filter(|(decision, _)| **decision == Decision::Grant)
            .map(|(_, hold)| hold.seats)
            .sum();
        if granted == 0 {
            return Ok(Some((seats, decisions)));
        }
        let seats = self.take(tx, cabin, granted, now).await?;
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

    fn answers(
        &self,
        cabin: &CabinKey,
        holds: &[NewHold],
        decisions: Vec<Decision>,
    ) -> Vec<Answer> {
        let answer = |(hold, decision): (&NewHold, Decision)| match decision {
            Decision::Grant => {
                Answer::Granted(hold.booking(cabin, locator::from_random((self.random)())))
            }
            Decision::Answer(answer) => Answer::Known(answer),
            Decision::SameAs(place) => Answer::SameAs(place),
        };
        holds.iter().zip(decisions).map(answer).collect()
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
