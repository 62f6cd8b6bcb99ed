//! Connections: how long to wait between two flights, and which flights that leaves.

use super::{airport::AirportId, day::Minute, itinerary::Segment};

/// Least time between two flights, minutes.
pub const LEAST_CONNECTION: i32 = 45;
/// Least time between two flights of which one crosses a border, minutes.
pub const LEAST_INTERNATIONAL_CONNECTION: i32 = 60;
/// Most time between two flights, minutes.
pub const MOST_CONNECTION: i32 = 6 * 60;

/// Flights of one route out of the origin or into the destination, with their lower bounds.
pub(super) struct Spoke {
    pub(super) airport: AirportId,
    pub(super) international: bool,
    /// Out of the origin by arrival, into the destination by departure.
    pub(super) segments: Vec<Segment>,
    pub(super) least_fare: u32,
    pub(super) least_block: i32,
    pub(super) first_departure: Minute,
    pub(super) arrivals: (Minute, Minute),
}

impl Spoke {
    /// None where there is no flight.
    pub(super) fn new(
        airport: AirportId,
        international: bool,
        segments: Vec<Segment>,
    ) -> Option<Self> {
        let least = |of: fn(&Segment) -> i32| segments.iter().map(of).min();
        Some(Self {
            airport,
            international,
            least_fare: segments.iter().map(|segment| segment.fare).min()?,
            least_block: least(|segment| segment.flight.arrival - segment.flight.departure)?,
            first_departure: least(|segment| segment.flight.departure)?,
            arrivals: (
                least(|segment| segment.flight.arrival)?,
                segments
                    .iter()
                    .map(|segment| segment.flight.arrival)
                    .max()?,
            ),
            segments,
        })
    }
}

/// Least time between two flights, by whether either crosses a border.
pub(super) fn least_connection(one: bool, other: bool) -> i32 {
    if one || other {
        LEAST_INTERNATIONAL_CONNECTION
    } else {
        LEAST_CONNECTION
    }
}

/// Of flights in order of arrival, those that connect to a departure.
pub(super) fn connecting_into(segments: &[Segment], departure: Minute, least: i32) -> &[Segment] {
    let start =
        segments.partition_point(|segment| segment.flight.arrival < departure - MOST_CONNECTION);
    let end = segments.partition_point(|segment| segment.flight.arrival <= departure - least);
    &segments[start..end.max(start)]
}

/// Of flights in order of departure, those that depart between two instants.
pub(super) fn departing_between(segments: &[Segment], from: Minute, to: Minute) -> &[Segment] {
    let start = segments.partition_point(|segment| segment.flight.departure < from);
    let end = segments.partition_point(|segment| segment.flight.departure <= to);
    &segments[start..end.max(start)]
}
