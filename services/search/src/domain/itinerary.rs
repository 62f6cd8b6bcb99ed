//! Itineraries: what is asked for, what is found, and in which order.

use super::{
    airport::AirportId,
    day::{Day, Minute},
    flight_id::FlightId,
    leg::{LegSearch, Scope, Span},
    pattern::{Cabin, Carrier},
    round_trip,
    seats::Availability,
    timetable::{DatedFlight, Timetable},
};

/// Order of the itineraries found. Ties go by price, duration, departure and flight names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Cheapest first.
    Price,
    /// Shortest first.
    Duration,
    /// Earliest first.
    Departure,
}

/// What itineraries to find. The airports differ, and `passengers` is at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Airport to leave from.
    pub origin: AirportId,
    /// Airport to reach.
    pub destination: AirportId,
    /// Local day of departure of the first flight.
    pub departure: Day,
    /// For a round trip, the local day of departure of the first flight back.
    pub back: Option<Day>,
    /// Seats wanted on every flight.
    pub passengers: u16,
    /// Cabin on every flight.
    pub cabin: Cabin,
    /// Most stops of a leg, 0 to 2.
    pub max_stops: u8,
    /// Most to pay for all passengers and legs together, cents.
    pub max_price: Option<i64>,
    /// Carriers of all flights; empty means any.
    pub carriers: Vec<Carrier>,
    /// Earliest local time of day to leave the origin of a leg, in minutes.
    pub depart_after: u16,
    /// Latest local time of day to leave the origin of a leg, in minutes.
    pub depart_before: u16,
    /// Order of the answer.
    pub order: Order,
}

/// What is on offer now.
#[derive(Clone, Copy)]
pub struct Market<'a> {
    /// The flights.
    pub timetable: &'a Timetable,
    /// What is left of their seats.
    pub availability: &'a dyn Availability,
    /// The present: what has departed is not offered, and fares depend on the days left.
    pub now: Minute,
}

/// A flight of an itinerary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The flight.
    pub flight: DatedFlight,
    /// Fare of one seat in cents.
    pub fare: u32,
    /// Seats of the cabin that can still be sold.
    pub left: u16,
}

/// One direction of travel: one to three flights.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    segments: [Segment; 3],
    count: u8,
    /// For all passengers, cents.
    pub(super) price: i64,
}

impl Leg {
    /// A leg of one to three flights that cost so much together.
    pub(super) fn new(flights: &[Segment], price: i64) -> Self {
        let mut segments = [flights[0]; 3];
        segments[..flights.len()].copy_from_slice(flights);
        Self {
            segments,
            count: u8::try_from(flights.len()).unwrap_or_default(),
            price,
        }
    }

    /// Its flights in order of travel.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments[..usize::from(self.count)]
    }

    /// Stops between its flights.
    #[must_use]
    pub fn stops(&self) -> u8 {
        self.count - 1
    }

    /// When its first flight departs.
    #[must_use]
    pub fn departure(&self) -> Minute {
        self.segments[0].flight.departure
    }

    /// When its last flight arrives.
    #[must_use]
    pub fn arrival(&self) -> Minute {
        self.segments()[usize::from(self.stops())].flight.arrival
    }

    /// Minutes from departure to arrival, waiting between flights included.
    #[must_use]
    pub fn duration(&self) -> i32 {
        self.arrival() - self.departure()
    }
}

/// A way to travel.
#[derive(Clone, Debug)]
pub struct Itinerary {
    /// One leg, or two for a round trip.
    pub legs: Vec<Leg>,
    /// For all passengers and legs together, cents.
    pub price: i64,
    /// Its place in the order asked for.
    pub key: Key,
}

impl Itinerary {
    /// Stops of all legs together.
    #[must_use]
    pub fn stops(&self) -> u8 {
        self.legs.iter().map(Leg::stops).sum()
    }

    /// Minutes of travel of all legs together.
    #[must_use]
    pub fn duration(&self) -> i32 {
        self.legs.iter().map(Leg::duration).sum()
    }
}

/// The place of an itinerary in an order. Two different itineraries never have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What the order asked for goes by.
    pub first: i64,
    /// Cents.
    pub price: i64,
    /// Minutes.
    pub duration: i32,
    /// First departure.
    pub departure: Minute,
    /// Names of its flights; the rest is zero.
    pub flights: [FlightId; 6],
}

impl Key {
    /// The place of an itinerary of those legs.
    pub(super) fn new<'l>(
        timetable: &Timetable,
        order: Order,
        legs: impl Iterator<Item = &'l Leg> + Clone,
    ) -> Self {
        let mut flights = [FlightId::default(); 6];
        let names = legs
            .clone()
            .flat_map(Leg::segments)
            .map(|segment| timetable.id(&segment.flight));
        flights
            .iter_mut()
            .zip(names)
            .for_each(|(place, name)| *place = name);
        let (price, duration) = legs.clone().fold((0, 0), |(price, duration), leg| {
            (price + leg.price, duration + leg.duration())
        });
        let departure = legs.map(Leg::departure).min().unwrap_or_default();
        Self {
            first: order.first(price, duration, departure),
            price,
            duration,
            departure,
            flights,
        }
    }
}

impl Order {
    /// What an order goes by first.
    pub(super) fn first(self, price: i64, duration: i32, departure: Minute) -> i64 {
        match self {
            Self::Price => price,
            Self::Duration => i64::from(duration),
            Self::Departure => i64::from(departure),
        }
    }
}

/// Finds the first `limit` itineraries after a place in the order asked for, or from its beginning.
///
/// A one-way search is exact however deep its pages go. A round trip is made of the best
/// [`round_trip::LEGS`] legs of either direction.
#[must_use]
pub fn search(
    market: Market<'_>,
    query: &Query,
    after: Option<Key>,
    limit: usize,
) -> Vec<Itinerary> {
    if let Some(back) = query.back {
        return round_trip::search(market, query, back, after, limit);
    }
    let search = LegSearch::new(
        market,
        query,
        (query.origin, query.destination, query.departure),
        query.order,
        Scope {
            after,
            limit,
            useful: Span::ANY,
            safe: Span::ANY,
            frontiers: false,
        },
    );
    let found = search.run().legs.into_iter();
    found
        .map(|(key, leg)| Itinerary {
            legs: vec![leg],
            price: leg.price,
            key,
        })
        .collect()
}
