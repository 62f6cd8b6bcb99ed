//! How many seats can still be sold: asked of whoever knows.

use tokio::sync::watch;

use super::{flight_id::FlightId, pattern::Cabin};

/// Knows what is left of each cabin of each dated flight.
pub trait Availability: Send + Sync {
    /// Seats of a cabin that can still be sold, never more than `capacity`, which is what the timetable says.
    fn seats_left(&self, flight: FlightId, cabin: Cabin, capacity: u16) -> u16;

    /// Changes its value whenever seats of any flight may have changed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Nothing is sold yet: every cabin is as large as the timetable says.
#[derive(Debug)]
pub struct WholeCapacity(watch::Sender<u64>);

impl Default for WholeCapacity {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Availability for WholeCapacity {
    fn seats_left(&self, _: FlightId, _: Cabin, capacity: u16) -> u16 {
        capacity
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
