//! The promises of this service, checked against its own data and booking's.
//!
//! Trips go on while they are checked. What looks broken is therefore read again, and counts only
//! where it has not moved meanwhile.

use std::collections::{HashMap, HashSet};

use super::{
    error::StoreError,
    ports::{Seat, Seats, SeatsError, TripReader, TripStore},
    trip::{SeatState, Trip, TripState},
};

/// Trips read at once, and asked of booking at once.
const PAGE: usize = 200;
/// How many ids name what is broken.
const MOST_EXAMPLES: usize = 20;
/// How long a trip may stay in a state that it must leave, milliseconds; a lease is added.
const UNFINISHED_AT_MOST: i64 = 60_000;
/// Keys are forgotten after a day; those about to be are not checked, milliseconds.
const KEYS_OF_LAST: i64 = 23 * 60 * 60 * 1_000;

/// One promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// For people.
    pub promise: &'static str,
    /// Rows checked.
    pub rows: u64,
    /// Rows that break it.
    pub violations: u64,
    /// Which, at most twenty.
    pub examples: Vec<String>,
}

impl Check {
    const fn new(name: &'static str, promise: &'static str) -> Self {
        Self {
            name,
            promise,
            rows: 0,
            violations: 0,
            examples: Vec::new(),
        }
    }

    fn row(&mut self, id: &str, kept: bool) {
        self.rows += 1;
        if !kept {
            self.violations += 1;
            if self.examples.len() < MOST_EXAMPLES {
                self.examples.push(id.to_owned());
            }
        }
    }
}

/// Why an audit came to no end.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database failed.
    #[error("trips are unavailable")]
    Store(#[from] StoreError),
    /// Booking did not answer.
    #[error("booking can not be asked: {0}")]
    Seats(String),
}

/// Checks all trips. `now` and `lease` in milliseconds.
///
/// # Errors
/// Where the database or booking fails.
pub async fn run(
    reader: &impl TripReader,
    store: &impl TripStore,
    seats: &impl Seats,
    now: i64,
    lease: i64,
) -> Result<Vec<Check>, AuditError> {
    let mut finished = Check::new(
        "finished-within-a-minute",
        "no trip stays half done for longer than a minute and a lease",
    );
    let mut whole = Check::new(
        "booked-whole",
        "a booked trip has all its seats sold, and one that failed or was cancelled has none",
    );
    let mut after = String::new();
    loop {
        let trips = reader.trip_page(&after, PAGE as u64).await?;
        let Some(last) = trips.last() else {
            break;
        };
        after.clone_from(&last.id);
        let mut of_trips = seats_of(seats, &trips).await?;
        for trip in &trips {
            let overdue = now - trip.updated > UNFINISHED_AT_MOST + lease;
            finished.row(&trip.id, trip.state.is_finished() || !overdue);
            let seats = of_trips.remove(&trip.id).unwrap_or_default();
            let kept = is_whole(trip, &seats) || has_moved(store, trip).await?;
            whole.row(&trip.id, kept);
        }
    }
    Ok(vec![finished, one_trip_per_key(reader, now).await?, whole])
}

async fn one_trip_per_key(reader: &impl TripReader, now: i64) -> Result<Check, AuditError> {
    let mut check = Check::new(
        "one-trip-per-key",
        "an idempotency key has exactly one trip",
    );
    let mut after = String::new();
    loop {
        let page = reader
            .key_page(&after, now - KEYS_OF_LAST, PAGE as u64)
            .await?;
        let Some((last, _)) = page.last() else {
            return Ok(check);
        };
        after.clone_from(last);
        for (trip_id, is_named) in &page {
            check.row(trip_id, *is_named);
        }
    }
}

/// Booking's seats by trip.
async fn seats_of(
    seats: &impl Seats,
    trips: &[Trip],
) -> Result<HashMap<String, Vec<Seat>>, AuditError> {
    let ids: Vec<String> = trips.iter().map(|trip| trip.id.clone()).collect();
    let found = seats.of_trips(&ids).await.map_err(|error| {
        AuditError::Seats(match error {
            SeatsError::Refused(failure) => failure.message,
            SeatsError::Unclear(why) => why,
        })
    })?;
    let mut of_trips: HashMap<String, Vec<Seat>> = HashMap::new();
    for seat in found {
        of_trips.entry(seat.trip_id.clone()).or_default().push(seat);
    }
    Ok(of_trips)
}

/// Whether a trip has exactly the seats that its state promises.
fn is_whole(trip: &Trip, seats: &[Seat]) -> bool {
    let taken = seats.iter().filter(|seat| seat.state.takes_seats());
    match trip.state {
        TripState::Confirmed => {
            let expected: HashSet<String> = trip.hold_ids().into_iter().collect();
            let mut sold = HashSet::new();
            taken.fold(true, |whole, seat| {
                sold.insert(seat.hold_id.clone());
                whole && seat.state == SeatState::Confirmed
            }) && sold == expected
        }
        TripState::Failed | TripState::Cancelled => taken.count() == 0,
        // On its way: booking may be a step ahead.
        TripState::Holding
        | TripState::Confirming
        | TripState::Releasing
        | TripState::Cancelling => true,
    }
}

async fn has_moved(store: &impl TripStore, trip: &Trip) -> Result<bool, AuditError> {
    let now = store.trip_get(&trip.id).await?;
    Ok(now.is_none_or(|now| now.state != trip.state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trip::testing::trip;

    #[test]
    fn a_trip_has_all_its_seats_or_none() {
        use SeatState::{Cancelled as Returned, Confirmed as Sold, Held, Released};
        for (state, seats, whole) in [
            (TripState::Confirmed, &[Sold, Sold][..], true),
            (TripState::Confirmed, &[Sold], false),
            (TripState::Confirmed, &[Sold, Held], false),
            (TripState::Confirmed, &[Sold, Returned], false),
            (TripState::Confirmed, &[Sold, Sold, Sold], false),
            (TripState::Confirmed, &[], false),
            (TripState::Failed, &[], true),
            (TripState::Failed, &[Released, Released], true),
            (TripState::Failed, &[Released, Held], false),
            (TripState::Failed, &[Sold], false),
            (TripState::Cancelled, &[Returned, Returned], true),
            (TripState::Cancelled, &[Returned, Sold], false),
            (TripState::Holding, &[Held], true),
            (TripState::Cancelling, &[Returned, Sold], true),
        ] {
            let mut trip = trip("t", &["a", "b"]);
            trip.state = state;
            let seats: Vec<Seat> = seats
                .iter()
                .enumerate()
                .map(|(index, state)| Seat {
                    hold_id: trip.hold_id(index),
                    trip_id: "t".to_owned(),
                    locator: String::new(),
                    state: *state,
                })
                .collect();
            assert_eq!(is_whole(&trip, &seats), whole, "{state:?} {seats:?}");
        }
    }
}
