//! Rows to and from the types of the domain.

use sea_orm::{ActiveValue::Set, DbErr};

use super::entity::{booking, inventory};
use crate::domain::{
    booking::{Booking, Cabin, State},
    inventory::{CabinKey, Inventory},
};

pub(super) fn booking(row: booking::Model) -> Result<Booking, DbErr> {
    let seats = count(row.seats);
    // A hold that was given up before it was made has no cabin.
    let cabin = if seats == 0 {
        Cabin::Economy
    } else {
        cabin(&row.cabin)?
    };
    Ok(Booking {
        id: row.booking_id,
        locator: row.locator.unwrap_or_default(),
        trip: row.trip_id,
        user: row.user_id,
        flight: row.flight_id,
        cabin,
        seats,
        state: row
            .state
            .parse::<State>()
            .map_err(|_| unknown(&row.state))?,
        created: row.created,
        updated: row.updated,
        expires: row.expires,
    })
}

pub(super) fn bookings(rows: Vec<booking::Model>) -> Result<Vec<Booking>, DbErr> {
    rows.into_iter().map(booking).collect()
}

pub(super) fn inventory(row: inventory::Model) -> Result<Inventory, DbErr> {
    Ok(Inventory {
        key: CabinKey {
            cabin: cabin(&row.cabin)?,
            flight: row.flight_id,
        },
        capacity: count(row.capacity),
        held: count(row.held),
        sold: count(row.sold),
        version: u64::try_from(row.version).unwrap_or_default(),
        departure: row.departure_ms,
    })
}

pub(super) fn new_booking(booking: &Booking) -> booking::ActiveModel {
    booking::ActiveModel {
        booking_id: Set(booking.id.clone()),
        locator: Set(Some(booking.locator.clone())),
        trip_id: Set(booking.trip.clone()),
        user_id: Set(booking.user.clone()),
        flight_id: Set(booking.flight.clone()),
        cabin: Set(booking.cabin.as_str().to_owned()),
        seats: Set(integer(booking.seats)),
        state: Set(booking.state.as_str().to_owned()),
        created: Set(booking.created),
        updated: Set(booking.updated),
        expires: Set(booking.expires),
    }
}

/// Takes the place of a hold that must not be made any more.
pub(super) fn tombstone(id: &str, trip: &str, now: i64) -> booking::ActiveModel {
    booking::ActiveModel {
        booking_id: Set(id.to_owned()),
        locator: Set(None),
        trip_id: Set(trip.to_owned()),
        user_id: Set(String::new()),
        flight_id: Set(String::new()),
        cabin: Set(String::new()),
        seats: Set(0),
        state: Set(State::Released.as_str().to_owned()),
        created: Set(now),
        updated: Set(now),
        expires: Set(now),
    }
}

pub(super) fn new_inventory(
    key: &CabinKey,
    capacity: u32,
    departure: i64,
) -> inventory::ActiveModel {
    inventory::ActiveModel {
        flight_id: Set(key.flight.clone()),
        cabin: Set(key.cabin.as_str().to_owned()),
        capacity: Set(integer(capacity)),
        held: Set(0),
        sold: Set(0),
        version: Set(0),
        departure_ms: Set(departure),
    }
}

/// Seats as a column has them; there are never as many as do not fit.
pub(super) fn integer(seats: u32) -> i32 {
    i32::try_from(seats).unwrap_or(i32::MAX)
}

/// A check constraint keeps negative numbers out.
fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn cabin(name: &str) -> Result<Cabin, DbErr> {
    name.parse().map_err(|_| unknown(name))
}

fn unknown(name: &str) -> DbErr {
    DbErr::Type(format!("{name:?} is no cabin and no state"))
}
