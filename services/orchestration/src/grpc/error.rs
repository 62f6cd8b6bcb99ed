//! Which fault an error of this service is.

use std::time::Duration;

use mesh::status::{Fault, Kind};
use tonic::Status;

use crate::domain::{
    audit::AuditError,
    error::{OfferError, StoreError, TripError},
    trip::{Failure, FailureReason},
};

/// When a replica that has too much to do may be asked again.
const BUSY_FOR: Duration = Duration::from_secs(1);

/// A request that needs a key has none.
pub(super) fn key_missing() -> Status {
    let message = "send an Idempotency-Key, so that asking again books nothing twice";
    Fault::new(Kind::InvalidArgument, "IDEMPOTENCY_KEY_MISSING", message)
        .violation("request_id", message)
        .into()
}

impl From<TripError> for Status {
    fn from(error: TripError) -> Self {
        let message = error.to_string();
        let fault = match error {
            TripError::Offer(offer) => offer_fault(offer, message),
            TripError::KeyReused => {
                Fault::new(Kind::InvalidArgument, "IDEMPOTENCY_KEY_REUSED", message)
            }
            TripError::Failed { trip_id, failure } => {
                failure_fault(failure).with("tripId", trip_id)
            }
            TripError::NotFound { trip_id } => {
                Fault::new(Kind::NotFound, "TRIP_NOT_FOUND", message).with("tripId", trip_id)
            }
            TripError::NotConfirmed { state } => {
                Fault::new(Kind::FailedPrecondition, "TRIP_NOT_CONFIRMED", message)
                    .with("state", state.as_str())
            }
            TripError::Departed { flight_id } => departed(flight_id, message),
            TripError::Busy => {
                Fault::new(Kind::ResourceExhausted, "RATE_LIMITED", message).retry_after(BUSY_FOR)
            }
            TripError::ShuttingDown => Fault::new(Kind::Unavailable, "SHUTTING_DOWN", message),
            TripError::Store(error) => database(&error),
        };
        fault.into()
    }
}

impl From<AuditError> for Status {
    fn from(error: AuditError) -> Self {
        let message = error.to_string();
        let fault = match error {
            AuditError::Store(error) => database(&error),
            AuditError::Seats(_) => Fault::new(Kind::Unavailable, "BOOKING_UNAVAILABLE", message),
        };
        fault.into()
    }
}

fn offer_fault(error: OfferError, message: String) -> Fault {
    match error {
        OfferError::Invalid => Fault::new(Kind::InvalidArgument, "OFFER_INVALID", message.clone())
            .violation("offer_id", message),
        OfferError::Expired => Fault::new(Kind::FailedPrecondition, "OFFER_EXPIRED", message),
        OfferError::Departed { flight_id } => departed(flight_id, message),
        OfferError::Passengers { .. } => Fault::new(
            Kind::InvalidArgument,
            "PASSENGERS_MISMATCH",
            message.clone(),
        )
        .violation("passengers", message),
    }
}

fn departed(flight_id: String, message: String) -> Fault {
    Fault::new(Kind::FailedPrecondition, "FLIGHT_DEPARTED", message).with("flightId", flight_id)
}

fn failure_fault(failure: Failure) -> Fault {
    let kind = match failure.reason {
        FailureReason::SoldOut
        | FailureReason::FlightDeparted
        | FailureReason::HoldExpired
        | FailureReason::HoldReleased
        | FailureReason::HoldNotFound
        | FailureReason::BookingRefused => Kind::FailedPrecondition,
        FailureReason::FlightNotFound | FailureReason::CabinNotFound => Kind::NotFound,
        FailureReason::BookingUnavailable => Kind::Unavailable,
    };
    let fault = Fault::new(kind, failure.reason.as_str(), failure.message);
    match failure.flight_id {
        Some(flight_id) => fault.with("flightId", flight_id),
        None => fault,
    }
}

/// The cause is for the log, not for callers.
fn database(error: &StoreError) -> Fault {
    tracing::error!(?error, "the database of trips failed");
    Fault::new(
        Kind::Unavailable,
        "DATABASE_UNAVAILABLE",
        "trips are unavailable",
    )
}
