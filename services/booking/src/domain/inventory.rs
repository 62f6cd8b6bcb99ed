//! The seats of one cabin of one dated flight.

use std::fmt;

use super::booking::{Cabin, State};

/// A cabin of a dated flight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CabinKey {
    /// Dated flight.
    pub flight: String,
    /// Cabin.
    pub cabin: Cabin,
}

impl fmt::Display for CabinKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.flight, self.cabin)
    }
}

/// Its seats. Held and sold together never pass the capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Which cabin.
    pub key: CabinKey,
    /// Seats that it has.
    pub capacity: u32,
    /// Seats kept by holds.
    pub held: u32,
    /// Seats sold.
    pub sold: u32,
    /// Counts every change.
    pub version: u64,
    /// When the flight leaves, Unix milliseconds.
    pub departure: i64,
}

impl Inventory {
    /// Seats that can still be held.
    #[must_use]
    pub const fn left(&self) -> u32 {
        self.capacity.saturating_sub(self.held + self.sold)
    }

    /// Whether the flight has left.
    #[must_use]
    pub const fn has_departed(&self, now: i64) -> bool {
        self.departure <= now
    }
}

/// What a change of bookings does to the counts of their cabin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Onto `held`.
    pub held: i32,
    /// Onto `sold`.
    pub sold: i32,
}

impl Delta {
    /// Adds what it does when so many seats go from one state to another.
    pub fn add(&mut self, from: State, to: State, seats: u32) {
        let seats = i32::try_from(seats).unwrap_or(i32::MAX);
        for (state, sign) in [(from, -1), (to, 1)] {
            match state {
                State::Held => self.held += sign * seats,
                State::Confirmed => self.sold += sign * seats,
                State::Cancelled | State::Released | State::Expired => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_where_they_are() {
        for (from, to, held, sold) in [
            (State::Held, State::Confirmed, -2, 2),
            (State::Held, State::Released, -2, 0),
            (State::Held, State::Expired, -2, 0),
            (State::Confirmed, State::Cancelled, 0, -2),
        ] {
            let mut delta = Delta::default();
            delta.add(from, to, 2);
            assert_eq!(delta, Delta { held, sold }, "{from:?} {to:?}");
        }
    }
}
