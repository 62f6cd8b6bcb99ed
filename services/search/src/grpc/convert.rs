//! From the domain's types to messages.

use contracts::{
    google::r#type::Money,
    search::v1::{self as message, OfferClaims},
};
use mesh::seal::Key;
use prost::Message;
use prost_types::{Duration, Timestamp};

use crate::domain::{
    airport::{AirportId, Airports},
    day::{DAY_MINUTES, Day, Minute},
    fare::{days_ahead, fare},
    itinerary::{Itinerary, Market, Segment},
    offer::Offer,
    pattern::Cabin,
    timetable::{DatedFlight, Timetable},
    zone::LocalInstant,
};

/// What an offer's token is sealed for.
const OFFER: &str = "offer";

pub(super) fn airport(airports: &Airports, id: AirportId) -> message::Airport {
    let airport = airports.get(id);
    message::Airport {
        code: airport.code.to_string(),
        name: airport.name.to_string(),
        city: airport.city.to_string(),
        subdivision: airport.subdivision.to_string(),
        country_code: String::from_utf8_lossy(&airport.country).into_owned(),
        time_zone: airports.zones()[usize::from(airport.zone)]
            .name()
            .to_owned(),
        latitude: airport.latitude,
        longitude: airport.longitude,
    }
}

pub(super) fn itinerary(
    timetable: &Timetable,
    itinerary: &Itinerary,
    cabin: Cabin,
    offer_id: String,
) -> message::Itinerary {
    let flights = |segments: &[Segment]| {
        segments
            .iter()
            .map(|segment| leg_flight(timetable, segment, cabin))
            .collect()
    };
    message::Itinerary {
        offer_id,
        stops: Some(itinerary.stops().into()),
        duration: Some(minutes(itinerary.duration())),
        total_price: Some(money(itinerary.price)),
        legs: itinerary
            .legs
            .iter()
            .map(|leg| message::Leg {
                flights: flights(leg.segments()),
            })
            .collect(),
    }
}

/// What every message about a flight says of it.
struct Facts {
    flight_id: String,
    carrier: String,
    flight_number: u32,
    origin: String,
    destination: String,
    departure_time: Option<Timestamp>,
    arrival_time: Option<Timestamp>,
    departure_local: String,
    arrival_local: String,
}

fn facts(timetable: &Timetable, flight: &DatedFlight) -> Facts {
    let pattern = timetable.pattern(flight.pattern);
    let code = |airport: AirportId| timetable.airports().get(airport).code.to_string();
    let (departure, arrival) = timetable.local_times(flight);
    Facts {
        flight_id: timetable.id(flight).to_string(),
        carrier: pattern.carrier.to_string(),
        flight_number: pattern.number.into(),
        origin: code(pattern.origin),
        destination: code(pattern.destination),
        departure_time: Some(instant(departure.utc)),
        arrival_time: Some(instant(arrival.utc)),
        departure_local: local(departure),
        arrival_local: local(arrival),
    }
}

fn leg_flight(timetable: &Timetable, segment: &Segment, cabin: Cabin) -> message::LegFlight {
    let facts = facts(timetable, &segment.flight);
    message::LegFlight {
        flight_id: facts.flight_id,
        carrier: facts.carrier,
        flight_number: facts.flight_number,
        origin: facts.origin,
        destination: facts.destination,
        departure_time: facts.departure_time,
        arrival_time: facts.arrival_time,
        departure_local: facts.departure_local,
        arrival_local: facts.arrival_local,
        cabin: cabin_message(cabin).into(),
        seats_left: Some(segment.left.into()),
    }
}

pub(super) fn flight(market: Market<'_>, flight: &DatedFlight) -> message::Flight {
    let timetable = market.timetable;
    let pattern = timetable.pattern(flight.pattern);
    let cabins = Cabin::ALL
        .into_iter()
        .filter(|cabin| pattern.seats[cabin.index()] > 0)
        .map(|cabin| {
            let capacity = pattern.seats[cabin.index()];
            let left = market
                .availability
                .seats_left(timetable.id(flight), cabin, capacity);
            let cents = fare(
                pattern.fares[cabin.index()],
                days_ahead(market.now, flight.departure),
                left,
                capacity,
            );
            message::CabinOffer {
                cabin: cabin_message(cabin).into(),
                seats: capacity.into(),
                seats_left: Some(left.into()),
                fare: (left > 0).then(|| money(cents.into())),
            }
        });
    let facts = facts(timetable, flight);
    message::Flight {
        flight_id: facts.flight_id,
        carrier: facts.carrier,
        flight_number: facts.flight_number,
        origin: facts.origin,
        destination: facts.destination,
        departure_time: facts.departure_time,
        arrival_time: facts.arrival_time,
        departure_local: facts.departure_local,
        arrival_local: facts.arrival_local,
        duration: Some(minutes(flight.arrival - flight.departure)),
        distance_km: timetable
            .airports()
            .distance_km(pattern.origin, pattern.destination),
        cabins: cabins.collect(),
    }
}

pub(super) fn departure(timetable: &Timetable, flight: &DatedFlight) -> message::Departure {
    let pattern = timetable.pattern(flight.pattern);
    let (departure, _) = timetable.local_times(flight);
    message::Departure {
        flight_id: timetable.id(flight).to_string(),
        carrier: pattern.carrier.to_string(),
        flight_number: pattern.number.into(),
        destination: timetable
            .airports()
            .get(pattern.destination)
            .code
            .to_string(),
        departure_time: Some(instant(departure.utc)),
        departure_local: local(departure),
    }
}

/// The offer under our signature.
pub(super) fn offer(key: &Key, offer: &Offer) -> String {
    let claims = OfferClaims {
        flight_ids: offer.flights.iter().map(ToString::to_string).collect(),
        first_leg_flights: u32::try_from(offer.first_leg).unwrap_or_default(),
        cabin: cabin_message(offer.cabin).into(),
        passengers: offer.passengers.into(),
        total_price: Some(money(offer.price)),
        expire_time: Some(Timestamp {
            seconds: offer.expires,
            nanos: 0,
        }),
        departure_time: Some(instant(offer.departure)),
    };
    key.seal(OFFER, &claims.encode_to_vec())
}

fn cabin_message(cabin: Cabin) -> message::Cabin {
    match cabin {
        Cabin::Economy => message::Cabin::Economy,
        Cabin::PremiumEconomy => message::Cabin::PremiumEconomy,
        Cabin::Business => message::Cabin::Business,
        Cabin::First => message::Cabin::First,
    }
}

fn money(cents: i64) -> Money {
    let nanos = i32::try_from(cents % 100).unwrap_or_default() * 10_000_000;
    Money {
        currency_code: "USD".to_owned(),
        units: cents / 100,
        nanos,
    }
}

fn minutes(minutes: i32) -> Duration {
    Duration {
        seconds: i64::from(minutes) * 60,
        nanos: 0,
    }
}

fn instant(minute: Minute) -> Timestamp {
    Timestamp {
        seconds: i64::from(minute) * 60,
        nanos: 0,
    }
}

/// RFC 3339 with the offset of the place.
fn local(time: LocalInstant) -> String {
    let clock = time.utc + i32::from(time.offset);
    let (day, minute) = (Day::of(clock, 0), clock.rem_euclid(DAY_MINUTES));
    let (sign, ahead) = (
        if time.offset < 0 { '-' } else { '+' },
        time.offset.unsigned_abs(),
    );
    format!(
        "{day}T{:02}:{:02}:00{sign}{:02}:{:02}",
        minute / 60,
        minute % 60,
        ahead / 60,
        ahead % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_carry_their_offset() {
        let utc = Day::parse("2026-12-01").unwrap().number() * DAY_MINUTES + 15 * 60;
        for (offset, expected) in [
            (-300, "2026-12-01T10:00:00-05:00"),
            (345, "2026-12-01T20:45:00+05:45"),
            (600, "2026-12-02T01:00:00+10:00"),
            (0, "2026-12-01T15:00:00+00:00"),
        ] {
            assert_eq!(local(LocalInstant { utc, offset }), expected);
        }
    }

    #[test]
    fn money_has_units_and_nanos() {
        let money = money(41_250);
        assert_eq!(
            (money.currency_code.as_str(), money.units, money.nanos),
            ("USD", 412, 500_000_000)
        );
    }
}
