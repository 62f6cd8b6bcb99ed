//! Which fault an error of this service is.

use std::time::Duration;

use mesh::status::{Fault, Kind};
use tonic::Status;

use crate::domain::{
    error::{ChangeError, HoldError},
    ports::StoreError,
};

/// When to come again to a lane that is full: it is served within some transactions.
const LANE_PAUSE: Duration = Duration::from_millis(200);

pub(super) fn hold(error: HoldError) -> Status {
    let text = error.to_string();
    let fault = |kind, reason| Fault::new(kind, reason, text);
    let fault = match error {
        HoldError::SoldOut {
            flight,
            cabin,
            wanted,
            left,
        } => fault(Kind::FailedPrecondition, "SOLD_OUT")
            .with("flightId", flight)
            .with("cabin", cabin.as_str())
            .with("wanted", wanted.to_string())
            .with("left", left.to_string()),
        HoldError::FlightDeparted { flight } => {
            fault(Kind::FailedPrecondition, "FLIGHT_DEPARTED").with("flightId", flight)
        }
        HoldError::FlightNotFound { flight } => {
            fault(Kind::NotFound, "FLIGHT_NOT_FOUND").with("flightId", flight)
        }
        HoldError::CabinNotFound { flight, cabin } => fault(Kind::NotFound, "CABIN_NOT_FOUND")
            .with("flightId", flight)
            .with("cabin", cabin.as_str()),
        HoldError::IdReused { id } => {
            fault(Kind::InvalidArgument, "HOLD_ID_REUSED").with("holdId", id)
        }
        HoldError::Released { id } => {
            fault(Kind::FailedPrecondition, "HOLD_RELEASED").with("bookingId", id)
        }
        HoldError::Busy { flight } => fault(Kind::ResourceExhausted, "TOO_MANY_HOLDS")
            .with("flightId", flight)
            .retry_after(LANE_PAUSE),
        HoldError::TimetableUnavailable { flight } => {
            fault(Kind::Unavailable, "SEARCH_UNAVAILABLE").with("flightId", flight)
        }
        HoldError::Store(error) => return store(error),
    };
    fault.into()
}

pub(super) fn change(error: ChangeError) -> Status {
    let text = error.to_string();
    let (kind, reason, id) = match error {
        ChangeError::HoldNotFound { id } => (Kind::NotFound, "HOLD_NOT_FOUND", id),
        ChangeError::HoldExpired { id } => (Kind::FailedPrecondition, "HOLD_EXPIRED", id),
        ChangeError::HoldReleased { id } => (Kind::FailedPrecondition, "HOLD_RELEASED", id),
        ChangeError::Confirmed { id } => (Kind::FailedPrecondition, "BOOKING_CONFIRMED", id),
        ChangeError::BookingNotFound { id } => (Kind::NotFound, "BOOKING_NOT_FOUND", id),
        ChangeError::NotConfirmed { id } => (Kind::FailedPrecondition, "BOOKING_NOT_CONFIRMED", id),
        ChangeError::Store(error) => return store(error),
    };
    Fault::new(kind, reason, text).with("bookingId", id).into()
}

/// There is none, or it is somebody else's: that must look the same.
pub(super) fn not_found(locator: &str) -> Status {
    Fault::new(
        Kind::NotFound,
        "BOOKING_NOT_FOUND",
        format!("no booking {locator}"),
    )
    .with("locator", locator)
    .into()
}

/// Logged where it happened.
#[allow(clippy::needless_pass_by_value)] // used as a function of errors
pub(super) fn store(error: StoreError) -> Status {
    Fault::new(Kind::Unavailable, "DATABASE_UNAVAILABLE", error.to_string()).into()
}

/// The stream ends because the replica does; another one carries on.
pub(super) fn shutting_down() -> Status {
    Fault::new(
        Kind::Unavailable,
        "SHUTTING_DOWN",
        "this replica is shutting down",
    )
    .into()
}

/// The reader of a stream was too slow; a new stream begins with all there is.
pub(super) fn fell_behind() -> Status {
    Fault::new(
        Kind::Unavailable,
        "FELL_BEHIND",
        "the stream was read too slowly; begin again",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use mesh::status::{reason, retry_after};
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;
    use crate::domain::booking::Cabin;

    #[test]
    fn sold_out_says_what_is_left() {
        let status = hold(HoldError::SoldOut {
            flight: "AS21-2026-12-01-JFK".into(),
            cabin: Cabin::Economy,
            wanted: 2,
            left: 1,
        });
        assert_eq!(
            (status.code(), status.message()),
            (
                Code::FailedPrecondition,
                "no seats left on AS21-2026-12-01-JFK in ECONOMY: 2 wanted, 1 left"
            )
        );
        let facts = status.get_details_error_info().unwrap().metadata;
        for (key, value) in [
            ("flightId", "AS21-2026-12-01-JFK"),
            ("cabin", "ECONOMY"),
            ("wanted", "2"),
            ("left", "1"),
        ] {
            assert_eq!(facts[key], value);
        }
    }

    #[test]
    fn a_failed_database_is_not_described() {
        let cause = std::io::Error::other("password of ada refused");
        for status in [
            hold(StoreError::new(cause).into()),
            change(StoreError::new(std::fmt::Error).into()),
            store(StoreError::new(std::fmt::Error)),
        ] {
            assert_eq!(
                (status.code(), status.message(), reason(&status).as_deref()),
                (
                    Code::Unavailable,
                    "the booking database is unavailable",
                    Some("DATABASE_UNAVAILABLE")
                )
            );
        }
    }

    #[test]
    fn a_full_lane_says_when_to_come_again() {
        let status = hold(HoldError::Busy { flight: "f".into() });
        assert_eq!(
            (status.code(), retry_after(&status)),
            (Code::ResourceExhausted, Some(LANE_PAUSE))
        );
    }
}
