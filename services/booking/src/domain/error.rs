//! What can go wrong, in words for the caller.

use super::{booking::Cabin, ports::StoreError};

/// Why seats are not held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// Fewer are left than wanted.
    #[error("no seats left on {flight} in {cabin}: {wanted} wanted, {left} left")]
    SoldOut {
        /// Dated flight.
        flight: String,
        /// Cabin.
        cabin: Cabin,
        /// Seats wanted.
        wanted: u32,
        /// Seats left.
        left: u32,
    },
    /// It is too late.
    #[error("{flight} has departed")]
    FlightDeparted {
        /// Dated flight.
        flight: String,
    },
    /// There is no such flight.
    #[error("no flight {flight}")]
    FlightNotFound {
        /// Dated flight.
        flight: String,
    },
    /// The flight has no such cabin.
    #[error("{flight} has no {cabin} cabin")]
    CabinNotFound {
        /// Dated flight.
        flight: String,
        /// Cabin.
        cabin: Cabin,
    },
    /// The id stands for another hold.
    #[error("hold {id} was made with other contents")]
    IdReused {
        /// Hold.
        id: String,
    },
    /// The hold was given up before it was made.
    #[error("hold {id} has been released")]
    Released {
        /// Hold.
        id: String,
    },
    /// Too many wait for the same cabin.
    #[error("too many requests wait for seats on {flight}")]
    Busy {
        /// Dated flight.
        flight: String,
    },
    /// What is not known yet cannot be asked.
    #[error("the timetable cannot be asked for {flight} at the moment")]
    TimetableUnavailable {
        /// Dated flight.
        flight: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why bookings do not change; then none of them has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The trip has no such hold.
    #[error("no hold {id} of this trip")]
    HoldNotFound {
        /// Hold.
        id: String,
    },
    /// Its time is over.
    #[error("hold {id} has expired")]
    HoldExpired {
        /// Hold.
        id: String,
    },
    /// It was given up.
    #[error("hold {id} has been released")]
    HoldReleased {
        /// Hold.
        id: String,
    },
    /// It is sold.
    #[error("booking {id} is confirmed already")]
    Confirmed {
        /// Booking.
        id: String,
    },
    /// The trip has no such booking.
    #[error("no booking {id} of this trip")]
    BookingNotFound {
        /// Booking.
        id: String,
    },
    /// It is not sold.
    #[error("booking {id} is not confirmed")]
    NotConfirmed {
        /// Booking.
        id: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
