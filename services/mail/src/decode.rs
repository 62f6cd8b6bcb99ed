//! What orchestration has put into the queue, as the domain has it.

use contracts::{
    google::r#type::Money,
    orchestration::v1::{self as message, TripEventKind},
    search::v1::Cabin,
};
use prost::Message;

use crate::domain::{
    event::{Booking, Event, Price, Trip},
    mail::Kind,
};

/// Flights of a trip at most; search makes four, there and back with two stops each at most six.
const MOST_FLIGHTS: usize = 16;
/// Travellers of a trip at most.
const MOST_PASSENGERS: usize = 16;
/// Longest id of a trip or user.
const LONGEST_ID: usize = 64;
/// Longest address (RFC 5321).
const LONGEST_ADDRESS: usize = 254;

/// Why bytes are not an event that a mail can tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// They are not the message.
    #[error("the message is not a skyway.orchestration.v1.TripEvent")]
    NotAnEvent,
    /// The message lacks what a mail needs.
    #[error("the event has no {0}")]
    Missing(&'static str),
    /// The message has more than a mail can hold.
    #[error("the event has too long a {0}")]
    TooLong(&'static str),
}

/// Reads an event.
pub(crate) fn event(bytes: &[u8]) -> Result<Event, DecodeError> {
    let event = message::TripEvent::decode(bytes).map_err(|_| DecodeError::NotAnEvent)?;
    let kind = match event.kind() {
        TripEventKind::Unspecified => return Err(DecodeError::Missing("kind")),
        TripEventKind::Confirmed => Kind::TripConfirmed,
        TripEventKind::Cancelled => Kind::TripCancelled,
        TripEventKind::DepartsSoon => Kind::DepartureReminder,
    };
    let trip = event.trip.ok_or(DecodeError::Missing("trip"))?;
    bounded("user_id", &event.user_id, LONGEST_ID)?;
    bounded("trip.trip_id", &trip.trip_id, LONGEST_ID)?;
    bounded("trip.contact_email", &trip.contact_email, LONGEST_ADDRESS)?;
    if trip.bookings.is_empty() {
        return Err(DecodeError::Missing("trip.bookings"));
    }
    if trip.bookings.len() > MOST_FLIGHTS {
        return Err(DecodeError::TooLong("trip.bookings"));
    }
    if trip.passengers.len() > MOST_PASSENGERS {
        return Err(DecodeError::TooLong("trip.passengers"));
    }
    Ok(Event {
        kind,
        user: event.user_id,
        trip: self::trip(trip),
    })
}

fn bounded(name: &'static str, value: &str, longest: usize) -> Result<(), DecodeError> {
    match value.len() {
        0 => Err(DecodeError::Missing(name)),
        length if length > longest => Err(DecodeError::TooLong(name)),
        _ => Ok(()),
    }
}

fn trip(trip: message::Trip) -> Trip {
    let cabin = match trip.cabin() {
        Cabin::Unspecified | Cabin::Economy => "Economy",
        Cabin::PremiumEconomy => "Premium Economy",
        Cabin::Business => "Business",
        Cabin::First => "First",
    };
    let booking = |booking: message::TripBooking| Booking {
        flight: booking.flight_id,
        locator: booking.locator,
        seats: booking.seats,
    };
    let name = |passenger: message::Passenger| {
        format!("{} {}", passenger.given_name, passenger.family_name)
    };
    Trip {
        id: trip.trip_id,
        recipient: trip.contact_email,
        bookings: trip.bookings.into_iter().map(booking).collect(),
        price: trip.total_price.as_ref().and_then(price),
        cabin,
        passengers: trip.passengers.into_iter().map(name).collect(),
    }
}

fn price(money: &Money) -> Option<Price> {
    let cents = money.units.checked_mul(100)?;
    Some(Price {
        cents: cents.checked_add(i64::from(money.nanos / 10_000_000))?,
        currency: money.currency_code.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> message::TripEvent {
        message::TripEvent {
            kind: TripEventKind::Confirmed.into(),
            user_id: "u".to_owned(),
            trip: Some(message::Trip {
                trip_id: "t".to_owned(),
                contact_email: "ada@example.com".to_owned(),
                bookings: vec![message::TripBooking {
                    flight_id: "AS21-2026-12-01-JFK".to_owned(),
                    locator: "K7QXPL".to_owned(),
                    seats: 2,
                    state: 0,
                }],
                total_price: Some(Money {
                    currency_code: "USD".to_owned(),
                    units: 412,
                    nanos: 500_000_000,
                }),
                passengers: vec![message::Passenger {
                    given_name: "Ada".to_owned(),
                    family_name: "Lovelace".to_owned(),
                }],
                ..message::Trip::default()
            }),
        }
    }

    type Change = fn(&mut message::Trip);

    fn check(change: impl FnOnce(&mut message::TripEvent), expected: DecodeError) {
        let mut message = good();
        change(&mut message);
        assert_eq!(event(&message.encode_to_vec()), Err(expected));
    }

    #[test]
    fn an_event_has_all_that_a_mail_needs() {
        let event = event(&good().encode_to_vec()).unwrap();
        assert_eq!(
            (event.kind, event.user.as_str()),
            (Kind::TripConfirmed, "u")
        );
        assert_eq!(event.trip.passengers, ["Ada Lovelace"]);
        assert_eq!(event.trip.price.unwrap().cents, 41_250);
    }

    #[test]
    fn what_lacks_something_is_refused_by_name() {
        use DecodeError::{Missing, NotAnEvent, TooLong};
        assert_eq!(event(b"\xFF\xFFpoison"), Err(NotAnEvent));
        assert_eq!(event(b""), Err(Missing("kind")));
        check(|event| event.kind = 99, Missing("kind"));
        check(|event| event.trip = None, Missing("trip"));
        check(|event| event.user_id.clear(), Missing("user_id"));
        let trip = |event: &mut message::TripEvent, change: Change| {
            change(event.trip.as_mut().unwrap());
        };
        let cases: [(Change, DecodeError); 5] = [
            (|trip| trip.trip_id.clear(), Missing("trip.trip_id")),
            (
                |trip| trip.contact_email.clear(),
                Missing("trip.contact_email"),
            ),
            (
                |trip| trip.contact_email = "a".repeat(255),
                TooLong("trip.contact_email"),
            ),
            (|trip| trip.bookings.clear(), Missing("trip.bookings")),
            (
                |trip| trip.passengers = vec![message::Passenger::default(); 17],
                TooLong("trip.passengers"),
            ),
        ];
        for (change, expected) in cases {
            check(|event| trip(event, change), expected);
        }
    }
}
