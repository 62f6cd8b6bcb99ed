//! Rows from trips, and trips from rows.

use std::collections::HashMap;

use sea_orm::Set;

use super::{
    entity::{booking, log, trip},
    sql::SqlError,
};
use crate::domain::{
    ports::{Lease, LogLine, Logged},
    trip::{
        Cabin, Failure, FailureReason, Passenger, Price, SeatState, Trip, TripBooking, TripState,
    },
};

/// Longest text for people that is kept, in characters.
const LONGEST_TEXT: usize = 500;

/// Cuts a text that came from elsewhere to what its column holds.
fn cut(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

const fn cabin_number(cabin: Cabin) -> i32 {
    match cabin {
        Cabin::Economy => 1,
        Cabin::PremiumEconomy => 2,
        Cabin::Business => 3,
        Cabin::First => 4,
    }
}

fn cabin(number: i32) -> Option<Cabin> {
    [
        Cabin::Economy,
        Cabin::PremiumEconomy,
        Cabin::Business,
        Cabin::First,
    ]
    .into_iter()
    .find(|cabin| cabin_number(*cabin) == number)
}

/// Names have no control characters, so that these two can part them.
fn passengers_text(passengers: &[Passenger]) -> String {
    let lines: Vec<String> = passengers
        .iter()
        .map(|passenger| format!("{}\t{}", passenger.given_name, passenger.family_name))
        .collect();
    lines.join("\n")
}

fn passengers(text: &str) -> Option<Vec<Passenger>> {
    text.split('\n')
        .map(|line| {
            let (given_name, family_name) = line.split_once('\t')?;
            Some(Passenger {
                given_name: given_name.to_owned(),
                family_name: family_name.to_owned(),
            })
        })
        .collect()
}

fn state(text: &str) -> Option<TripState> {
    TripState::ALL
        .into_iter()
        .find(|state| state.as_str() == text)
}

/// The row of a trip that has just been asked for.
pub(super) fn new_trip(trip: &Trip, request_key: &str, lease: &Lease) -> trip::ActiveModel {
    trip::ActiveModel {
        id: Set(trip.id.clone()),
        user_id: Set(trip.user_id.clone()),
        request_key: Set(request_key.to_owned()),
        state: Set(trip.state.as_str().to_owned()),
        cabin: Set(cabin_number(trip.cabin)),
        price_cents: Set(trip.price.cents),
        price_currency: Set(trip.price.currency.clone()),
        passengers: Set(passengers_text(&trip.passengers)),
        contact_email: Set(trip.contact_email.clone()),
        departure: Set(trip.departure),
        created: Set(trip.created),
        attempt: Set(1),
        lease_owner: Set(lease.owner.clone()),
        lease_epoch: Set(lease.epoch),
        lease_until: Set(lease.until),
        ..progress(trip)
    }
}

/// What changes of a trip as it moves on.
pub(super) fn progress(trip: &Trip) -> trip::ActiveModel {
    let failure = trip.failure.as_ref();
    trip::ActiveModel {
        state: Set(trip.state.as_str().to_owned()),
        failure_reason: Set(failure.map(|failure| failure.reason.as_str().to_owned())),
        failure_message: Set(failure.map(|failure| cut(&failure.message))),
        failure_flight: Set(failure.and_then(|failure| failure.flight_id.clone())),
        updated: Set(trip.updated),
        confirmed: Set(trip.confirmed),
        ..trip::ActiveModel::default()
    }
}

/// The rows of a trip's flights.
pub(super) fn bookings(trip: &Trip) -> impl Iterator<Item = booking::ActiveModel> {
    trip.bookings
        .iter()
        .zip(0..)
        .map(|(booking, position)| booking::ActiveModel {
            trip_id: Set(trip.id.clone()),
            position: Set(position),
            flight_id: Set(booking.flight_id.clone()),
            locator: Set(booking.locator.clone()),
            state: Set(booking.state.map(|state| state.as_str().to_owned())),
        })
}

/// The row of a line of log, with the trace in which it is written.
pub(super) fn line(trip_id: &str, line: &LogLine) -> log::ActiveModel {
    log::ActiveModel {
        id: sea_orm::NotSet,
        trip_id: Set(trip_id.to_owned()),
        time: Set(line.time),
        event: Set(line.event.to_owned()),
        state: Set(line.state.as_str().to_owned()),
        attempt: Set(i32::try_from(line.attempt).unwrap_or(i32::MAX)),
        detail: Set(cut(&line.detail)),
        trace_id: Set(durable::trace_id()),
    }
}

/// The line of a row.
pub(super) fn logged(row: log::Model) -> Result<Logged, SqlError> {
    Ok(Logged {
        time: row.time,
        state: state(&row.state).ok_or(SqlError::Row("trip_log.state"))?,
        attempt: u32::try_from(row.attempt).map_err(|_| SqlError::Row("trip_log.attempt"))?,
        event: row.event,
        detail: row.detail,
        trace_id: row.trace_id,
    })
}

/// The trips of rows, in their order. The rows of flights come in the order of travel.
pub(super) fn trips(
    rows: Vec<trip::Model>,
    bookings: Vec<booking::Model>,
) -> Result<Vec<Trip>, SqlError> {
    let mut of_trips: HashMap<String, Vec<TripBooking>> = HashMap::new();
    for row in bookings {
        let state = match &row.state {
            None => None,
            Some(text) => Some(
                SeatState::ALL
                    .into_iter()
                    .find(|state| state.as_str() == text)
                    .ok_or(SqlError::Row("trip_bookings.state"))?,
            ),
        };
        of_trips.entry(row.trip_id).or_default().push(TripBooking {
            flight_id: row.flight_id,
            locator: row.locator,
            state,
        });
    }
    rows.into_iter()
        .map(|row| {
            let bookings = of_trips.remove(&row.id).unwrap_or_default();
            trip(row, bookings)
        })
        .collect()
}

fn trip(row: trip::Model, bookings: Vec<TripBooking>) -> Result<Trip, SqlError> {
    let failure = match &row.failure_reason {
        None => None,
        Some(reason) => Some(Failure {
            reason: FailureReason::parse(reason).ok_or(SqlError::Row("trips.failure_reason"))?,
            message: row.failure_message.unwrap_or_default(),
            flight_id: row.failure_flight,
        }),
    };
    Ok(Trip {
        state: state(&row.state).ok_or(SqlError::Row("trips.state"))?,
        cabin: cabin(row.cabin).ok_or(SqlError::Row("trips.cabin"))?,
        passengers: passengers(&row.passengers).ok_or(SqlError::Row("trips.passengers"))?,
        price: Price {
            cents: row.price_cents,
            currency: row.price_currency,
        },
        id: row.id,
        user_id: row.user_id,
        bookings,
        contact_email: row.contact_email,
        failure,
        departure: row.departure,
        created: row.created,
        updated: row.updated,
        confirmed: row.confirmed,
    })
}
