//! From messages to the domain's types, and back.

use contracts::{
    booking::v1::BookingState,
    google::r#type::Money,
    mail::v1::Mail,
    operations::v1::AuditCheck,
    orchestration::v1::{self as message},
    search::v1::{Cabin as CabinMessage, Flight, OfferClaims},
};
use mesh::seal::Key;
use prost::Message;
use prost_types::Timestamp;
use sha2::{Digest, Sha256};

use super::timeline::with_mails;
use crate::domain::{
    audit::Check,
    notice::Occasion,
    offer::Offer,
    overview::{Missing, TripFlights},
    ports::Logged,
    trip::{Cabin, Passenger, Price, SeatState, Trip, TripBooking, TripState},
};

/// What an offer's token is sealed for.
const OFFER: &str = "offer";

/// Tells requests apart. All fields count but the key itself, which may come as metadata as well.
pub(super) fn fingerprint(request: &impl Message) -> [u8; 32] {
    Sha256::digest(request.encode_to_vec()).into()
}

/// What search promised; none where the token is not one that search has made.
pub(super) fn offer(key: &Key, token: &str) -> Option<Offer> {
    let claims = OfferClaims::decode(key.open(OFFER, token).ok()?.as_slice()).ok()?;
    let price = claims.total_price.as_ref()?;
    let cents = price.units.checked_mul(100)?;
    Some(Offer {
        cabin: cabin(claims.cabin()),
        passengers: usize::try_from(claims.passengers).ok()?,
        price: Price {
            cents: cents.checked_add(i64::from(price.nanos / 10_000_000))?,
            currency: price.currency_code.clone(),
        },
        expires: millis(claims.expire_time.as_ref()?),
        departure: millis(claims.departure_time.as_ref()?),
        flights: claims.flight_ids,
    })
}

pub(super) fn passenger(passenger: message::Passenger) -> Passenger {
    Passenger {
        given_name: passenger.given_name,
        family_name: passenger.family_name,
    }
}

/// What mail is told of a trip.
pub(crate) fn encode(occasion: Occasion, trip: &Trip) -> Vec<u8> {
    let kind = match occasion {
        Occasion::Confirmed => message::TripEventKind::Confirmed,
        Occasion::Cancelled => message::TripEventKind::Cancelled,
        Occasion::DepartsSoon => message::TripEventKind::DepartsSoon,
    };
    let event = message::TripEvent {
        kind: kind.into(),
        user_id: trip.user_id.clone(),
        trip: Some(self::trip(trip)),
    };
    event.encode_to_vec()
}

pub(super) fn trip(trip: &Trip) -> message::Trip {
    let seats = u32::try_from(trip.passengers.len()).unwrap_or_default();
    let booking = |booking: &TripBooking| message::TripBooking {
        locator: booking.locator.clone().unwrap_or_default(),
        flight_id: booking.flight_id.clone(),
        seats,
        state: booking.state.map(seat_state).unwrap_or_default().into(),
    };
    let passenger = |passenger: &Passenger| message::Passenger {
        given_name: passenger.given_name.clone(),
        family_name: passenger.family_name.clone(),
    };
    message::Trip {
        trip_id: trip.id.clone(),
        state: state(trip.state).into(),
        bookings: trip.bookings.iter().map(booking).collect(),
        total_price: Some(money(&trip.price)),
        cabin: cabin_message(trip.cabin).into(),
        passengers: trip.passengers.iter().map(passenger).collect(),
        contact_email: trip.contact_email.clone(),
        failure: trip.failure.as_ref().map(|failure| message::TripFailure {
            reason: failure.reason.as_str().to_owned(),
            message: failure.message.clone(),
        }),
        departure_time: Some(timestamp(trip.departure)),
        create_time: Some(timestamp(trip.created)),
        update_time: Some(timestamp(trip.updated)),
    }
}

pub(super) fn overview(
    trip: &Trip,
    flights: TripFlights<Flight>,
    mails: Result<Vec<Mail>, Missing>,
    log: Vec<Logged>,
) -> message::TripOverview {
    let entry = |line: Logged| message::TimelineEntry {
        time: Some(timestamp(line.time)),
        event: line.event,
        state: state(line.state).into(),
        attempt: line.attempt,
        detail: line.detail,
        trace_id: line.trace_id.unwrap_or_default(),
    };
    let missing = |missing: Missing| message::Unavailable {
        part: missing.part,
        message: missing.message,
    };
    let mut unavailable = flights.unavailable;
    let mails = mails.unwrap_or_else(|missing| {
        unavailable.push(missing);
        Vec::new()
    });
    message::TripOverview {
        trip: Some(self::trip(trip)),
        flights: flights.flights,
        timeline: with_mails(log.into_iter().map(entry).collect(), &mails),
        unavailable: unavailable.into_iter().map(missing).collect(),
        mails,
    }
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

const fn state(state: TripState) -> message::TripState {
    match state {
        TripState::Holding => message::TripState::Holding,
        TripState::Confirming => message::TripState::Confirming,
        TripState::Confirmed => message::TripState::Confirmed,
        TripState::Releasing => message::TripState::Releasing,
        TripState::Failed => message::TripState::Failed,
        TripState::Cancelling => message::TripState::Cancelling,
        TripState::Cancelled => message::TripState::Cancelled,
    }
}

const fn seat_state(state: SeatState) -> BookingState {
    match state {
        SeatState::Held => BookingState::Held,
        SeatState::Confirmed => BookingState::Confirmed,
        SeatState::Cancelled => BookingState::Cancelled,
        SeatState::Released => BookingState::Released,
        SeatState::Expired => BookingState::Expired,
    }
}

const fn cabin(cabin: CabinMessage) -> Cabin {
    match cabin {
        CabinMessage::Unspecified | CabinMessage::Economy => Cabin::Economy,
        CabinMessage::PremiumEconomy => Cabin::PremiumEconomy,
        CabinMessage::Business => Cabin::Business,
        CabinMessage::First => Cabin::First,
    }
}

const fn cabin_message(cabin: Cabin) -> CabinMessage {
    match cabin {
        Cabin::Economy => CabinMessage::Economy,
        Cabin::PremiumEconomy => CabinMessage::PremiumEconomy,
        Cabin::Business => CabinMessage::Business,
        Cabin::First => CabinMessage::First,
    }
}

fn money(price: &Price) -> Money {
    Money {
        currency_code: price.currency.clone(),
        units: price.cents / 100,
        nanos: i32::try_from(price.cents % 100).unwrap_or_default() * 10_000_000,
    }
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp {
        seconds: millis.div_euclid(1_000),
        nanos: i32::try_from(millis.rem_euclid(1_000)).unwrap_or_default() * 1_000_000,
    }
}

fn millis(timestamp: &Timestamp) -> i64 {
    timestamp
        .seconds
        .saturating_mul(1_000)
        .saturating_add(i64::from(timestamp.nanos / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trip::testing;

    const KEY: Key = Key::new([7; 32]);

    fn claims() -> OfferClaims {
        OfferClaims {
            flight_ids: vec!["AS21-2026-12-01-JFK".to_owned()],
            first_leg_flights: 1,
            cabin: CabinMessage::Business.into(),
            passengers: 2,
            total_price: Some(Money {
                currency_code: "USD".to_owned(),
                units: 412,
                nanos: 500_000_000,
            }),
            expire_time: Some(timestamp(1_500)),
            departure_time: Some(timestamp(2_000)),
        }
    }

    #[test]
    fn an_offer_is_what_search_sealed() {
        let token = KEY.seal(OFFER, &claims().encode_to_vec());
        let offer = offer(&KEY, &token).unwrap();
        assert_eq!(
            (offer.price.cents, offer.cabin, offer.passengers),
            (41_250, Cabin::Business, 2)
        );
        assert_eq!((offer.expires, offer.departure), (1_500, 2_000));
        assert_eq!(offer.flights, claims().flight_ids);
    }

    #[test]
    fn what_search_has_not_sealed_is_no_offer() {
        let sealed = |purpose, claims: &OfferClaims| KEY.seal(purpose, &claims.encode_to_vec());
        let without_price = OfferClaims {
            total_price: None,
            ..claims()
        };
        let forged = Key::new([8; 32]).seal(OFFER, &claims().encode_to_vec());
        for token in [
            "garbage".to_owned(),
            forged,
            sealed("page.trips", &claims()),
            sealed(OFFER, &without_price),
            KEY.seal(OFFER, &[0xFF]),
        ] {
            assert_eq!(offer(&KEY, &token), None, "{token}");
        }
    }

    #[test]
    fn mail_is_told_what_has_happened_to_whose_trip() {
        for (occasion, kind) in [
            (Occasion::Confirmed, message::TripEventKind::Confirmed),
            (Occasion::Cancelled, message::TripEventKind::Cancelled),
            (Occasion::DepartsSoon, message::TripEventKind::DepartsSoon),
        ] {
            let booked = testing::trip("t", &["AS21-2026-12-01-JFK"]);
            let bytes = encode(occasion, &booked);
            let event = message::TripEvent::decode(bytes.as_slice()).unwrap();
            assert_eq!((event.kind(), event.user_id.as_str()), (kind, "ada"));
            assert_eq!(event.trip, Some(trip(&booked)));
        }
    }

    #[test]
    fn a_trip_is_told_whole() {
        let told = trip(&testing::trip("t", &["AS21-2026-12-01-JFK"]));
        assert_eq!(told.state(), message::TripState::Holding);
        assert_eq!(
            (told.bookings[0].seats, told.bookings[0].locator.as_str()),
            (2, "")
        );
        let price = told.total_price.unwrap();
        assert_eq!((price.units, price.nanos), (412, 500_000_000));
        assert_eq!(told.create_time, Some(timestamp(1_000)));
    }
}
