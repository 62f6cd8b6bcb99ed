//! Reminds travellers of trips that depart within a day, each once.
//!
//! Whoever booked on the last day has just been told and is not reminded.

use std::time::Duration;

use crate::domain::{
    error::StoreError,
    notice::{Notice, Occasion},
    ports::ReminderStore,
    trip::Trip,
};

/// How long before departure travellers are reminded.
const AHEAD: Duration = Duration::from_hours(24);
/// Trips of one transaction.
const BATCH: u64 = 100;

/// Writes a reminder for every trip that is due, and gives how many. `now` in Unix milliseconds; `mail` encodes
/// what mail is told.
///
/// # Errors
/// Where the database fails; what has been written until then stays.
pub(crate) async fn run(
    store: &impl ReminderStore,
    now: i64,
    mail: fn(Occasion, &Trip) -> Vec<u8>,
) -> Result<u64, StoreError> {
    let notice = |trip: &Trip| Notice {
        id: Occasion::DepartsSoon.message_id(&trip.id),
        payload: mail(Occasion::DepartsSoon, trip),
    };
    let ahead = i64::try_from(AHEAD.as_millis()).unwrap_or(i64::MAX);
    let mut all = 0;
    loop {
        let due = store.reminders_due(now, ahead, BATCH).await?;
        all += store.remind(&due, now, &notice).await?;
        if (due.len() as u64) < BATCH {
            return Ok(all);
        }
    }
}
