//! Messages to and from the types of the domain.

use contracts::{
    booking::v1::{Booking as BookingMessage, BookingState, Inventory as InventoryMessage},
    operations::v1::AuditCheck,
    search::v1::Cabin as CabinMessage,
};
use prost::Message;
use prost_types::Timestamp;

use crate::domain::{
    audit::Check,
    booking::{Booking, Cabin, State},
    inventory::Inventory,
};

pub(super) fn booking(booking: Booking) -> BookingMessage {
    BookingMessage {
        booking_id: booking.id,
        locator: booking.locator,
        flight_id: booking.flight,
        cabin: cabin(booking.cabin).into(),
        seats: booking.seats,
        state: state(booking.state).into(),
        trip_id: booking.trip,
        create_time: Some(timestamp(booking.created)),
        update_time: Some(timestamp(booking.updated)),
        expire_time: (booking.state == State::Held).then(|| timestamp(booking.expires)),
    }
}

pub(super) fn bookings(bookings: Vec<Booking>) -> Vec<BookingMessage> {
    bookings.into_iter().map(booking).collect()
}

/// The cabin that a request names; economy where it names none.
pub(super) fn wanted_cabin(cabin: CabinMessage) -> Cabin {
    match cabin {
        CabinMessage::Unspecified | CabinMessage::Economy => Cabin::Economy,
        CabinMessage::PremiumEconomy => Cabin::PremiumEconomy,
        CabinMessage::Business => Cabin::Business,
        CabinMessage::First => Cabin::First,
    }
}

fn cabin(cabin: Cabin) -> CabinMessage {
    match cabin {
        Cabin::Economy => CabinMessage::Economy,
        Cabin::PremiumEconomy => CabinMessage::PremiumEconomy,
        Cabin::Business => CabinMessage::Business,
        Cabin::First => CabinMessage::First,
    }
}

fn state(state: State) -> BookingState {
    match state {
        State::Held => BookingState::Held,
        State::Confirmed => BookingState::Confirmed,
        State::Cancelled => BookingState::Cancelled,
        State::Released => BookingState::Released,
        State::Expired => BookingState::Expired,
    }
}

fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp {
        seconds: milliseconds.div_euclid(1_000),
        nanos: i32::try_from(milliseconds.rem_euclid(1_000) * 1_000_000).unwrap_or_default(),
    }
}

pub(super) fn inventory(seats: &Inventory) -> InventoryMessage {
    InventoryMessage {
        flight_id: seats.key.flight.clone(),
        cabin: cabin(seats.key.cabin).into(),
        capacity: seats.capacity,
        held: seats.held,
        sold: seats.sold,
        version: seats.version,
    }
}

/// What the outbox tells about a cabin.
pub(crate) fn encode_inventory(seats: &Inventory) -> Vec<u8> {
    inventory(seats).encode_to_vec()
}

pub(super) fn check(check: Check) -> AuditCheck {
    AuditCheck {
        name: check.name.to_owned(),
        promise: check.promise.to_owned(),
        rows: check.rows,
        violations: check.violations,
        examples: check.examples,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::booking::testing;

    #[test]
    fn only_a_hold_says_when_it_runs_out() {
        let held = booking(testing::booking("b", State::Held));
        let expiry = Timestamp {
            seconds: 0,
            nanos: 100_000_000,
        };
        assert_eq!(held.expire_time, Some(expiry));
        let sold = booking(testing::booking("b", State::Confirmed));
        assert_eq!(
            (sold.expire_time, sold.state()),
            (None, BookingState::Confirmed)
        );
    }

    #[test]
    fn times_before_1970_count_backwards() {
        let expected = Timestamp {
            seconds: -1,
            nanos: 999_000_000,
        };
        assert_eq!(timestamp(-1), expected);
    }
}
