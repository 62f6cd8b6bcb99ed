//! Offers: an itinerary at a price that holds for a quarter of an hour.
//!
//! Whoever books passes the offer on as it was given. The edge signs it, so that it can be
//! believed later without asking for the price again.

use super::{
    day::Minute,
    flight_id::FlightId,
    itinerary::{Itinerary, Leg, Query},
    pattern::Cabin,
    timetable::Timetable,
};

/// How long an offer holds, seconds.
pub const VALIDITY_SECONDS: i64 = 15 * 60;

/// What is promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Flights in order of travel, all legs together.
    pub flights: Vec<FlightId>,
    /// How many of them are the first leg.
    pub first_leg: usize,
    /// Cabin on every flight.
    pub cabin: Cabin,
    /// Seats on every flight.
    pub passengers: u16,
    /// For all of them together, cents.
    pub price: i64,
    /// Void from this instant on, seconds since the Unix epoch.
    pub expires: i64,
    /// First departure.
    pub departure: Minute,
}

impl Offer {
    /// Offers an itinerary as it was found; `now` in seconds since the Unix epoch.
    #[must_use]
    pub fn of(itinerary: &Itinerary, query: &Query, timetable: &Timetable, now: i64) -> Self {
        let segments = itinerary.legs.iter().flat_map(Leg::segments);
        Self {
            flights: segments
                .map(|segment| timetable.id(&segment.flight))
                .collect(),
            first_leg: itinerary.legs[0].segments().len(),
            cabin: query.cabin,
            passengers: query.passengers,
            price: itinerary.price,
            expires: now + VALIDITY_SECONDS,
            departure: itinerary.legs[0].departure(),
        }
    }
}
