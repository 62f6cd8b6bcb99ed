//! What search knows: plain types and pure rules. No transport, no storage, no clock.

pub mod airport;
mod best;
pub mod cabins;
pub mod connection;
pub mod dates;
pub mod day;
pub mod demonstration;
#[cfg(test)]
mod exactness;
pub mod fare;
pub mod flight_id;
mod frontier;
pub mod itinerary;
pub mod leg;
pub mod offer;
pub mod pattern;
pub mod round_trip;
pub mod seats;
pub mod timetable;
pub mod typeahead;
pub mod zone;
