//! Seats, from booking.

use std::time::Duration;

use contracts::{
    booking::v1::{
        Booking, BookingState, CancelBookingRequest, ConfirmBookingRequest, HoldSeatsRequest,
        ListTripBookingsRequest, ReleaseHoldRequest, booking_service_client::BookingServiceClient,
    },
    search::v1::Cabin as CabinMessage,
};
use mesh::{client::Channel, status};
use tonic::{Code, Request, Status};

use crate::domain::{
    ports::{Hold, Seat, Seats, SeatsError},
    trip::{Cabin, Failure, FailureReason, SeatState},
};

/// How long an answer may take before it is asked for again: shorter than a lease lasts.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Booking behind its client.
#[derive(Clone, Debug)]
pub(crate) struct BookingSeats(BookingServiceClient<Channel>);

impl BookingSeats {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(BookingServiceClient::new(channel))
    }
}

impl Seats for BookingSeats {
    async fn hold(&self, hold: &Hold) -> Result<Seat, SeatsError> {
        let request = HoldSeatsRequest {
            hold_id: hold.hold_id.clone(),
            trip_id: hold.trip_id.clone(),
            user_id: hold.user_id.clone(),
            flight_id: hold.flight_id.clone(),
            cabin: cabin(hold.cabin).into(),
            seats: hold.seats,
        };
        let answer = self.0.clone().hold_seats(bounded(request)).await;
        let booking = answer.map_err(|status| error(&status, Some(&hold.flight_id)))?;
        seat(booking.into_inner())
    }

    async fn confirm(&self, trip_id: &str, hold_ids: &[String]) -> Result<(), SeatsError> {
        let request = ConfirmBookingRequest {
            trip_id: trip_id.to_owned(),
            booking_ids: hold_ids.to_vec(),
        };
        let answer = self.0.clone().confirm_booking(bounded(request)).await;
        answer.map(drop).map_err(|status| error(&status, None))
    }

    async fn release(&self, trip_id: &str, hold_ids: &[String]) -> Result<(), SeatsError> {
        let request = ReleaseHoldRequest {
            trip_id: trip_id.to_owned(),
            booking_ids: hold_ids.to_vec(),
        };
        let answer = self.0.clone().release_hold(bounded(request)).await;
        answer.map(drop).map_err(|status| error(&status, None))
    }

    async fn cancel(&self, trip_id: &str, hold_ids: &[String]) -> Result<(), SeatsError> {
        let request = CancelBookingRequest {
            trip_id: trip_id.to_owned(),
            booking_ids: hold_ids.to_vec(),
        };
        let answer = self.0.clone().cancel_booking(bounded(request)).await;
        answer.map(drop).map_err(|status| error(&status, None))
    }

    async fn of_trips(&self, trip_ids: &[String]) -> Result<Vec<Seat>, SeatsError> {
        let request = ListTripBookingsRequest {
            trip_ids: trip_ids.to_vec(),
        };
        let answer = self.0.clone().list_trip_bookings(request).await;
        let answer = answer.map_err(|status| error(&status, None))?;
        answer.into_inner().bookings.into_iter().map(seat).collect()
    }
}

fn bounded<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

const fn cabin(cabin: Cabin) -> CabinMessage {
    match cabin {
        Cabin::Economy => CabinMessage::Economy,
        Cabin::PremiumEconomy => CabinMessage::PremiumEconomy,
        Cabin::Business => CabinMessage::Business,
        Cabin::First => CabinMessage::First,
    }
}

fn seat(booking: Booking) -> Result<Seat, SeatsError> {
    let state = match booking.state() {
        BookingState::Held => SeatState::Held,
        BookingState::Confirmed => SeatState::Confirmed,
        BookingState::Cancelled => SeatState::Cancelled,
        BookingState::Released => SeatState::Released,
        BookingState::Expired => SeatState::Expired,
        BookingState::Unspecified => {
            let why = format!("booking {} has no known state", booking.booking_id);
            return Err(SeatsError::Unclear(why));
        }
    };
    Ok(Seat {
        hold_id: booking.booking_id,
        trip_id: booking.trip_id,
        locator: booking.locator,
        state,
    })
}

/// Only what says "never" is a refusal. All else may have happened, also what says that we may not
/// call: that is a mistake in a configuration, and no reason to lose a trip.
fn error(status: &Status, flight_id: Option<&String>) -> SeatsError {
    let reason = status::reason(status);
    match status.code() {
        Code::FailedPrecondition | Code::NotFound | Code::InvalidArgument => {
            let known = reason.as_deref().and_then(FailureReason::parse);
            SeatsError::Refused(Failure {
                reason: known.unwrap_or(FailureReason::BookingRefused),
                message: status.message().to_owned(),
                flight_id: flight_id.cloned(),
            })
        }
        code => {
            let reason = reason.unwrap_or_else(|| status::code_name(code).to_owned());
            SeatsError::Unclear(format!("{reason}: {}", status.message()))
        }
    }
}

#[cfg(test)]
mod tests {
    use mesh::status::{Fault, Kind};

    use super::*;

    #[test]
    fn only_what_is_certain_is_a_refusal() {
        for (kind, reason, expected) in [
            (
                Kind::FailedPrecondition,
                "SOLD_OUT",
                Some(FailureReason::SoldOut),
            ),
            (
                Kind::NotFound,
                "CABIN_NOT_FOUND",
                Some(FailureReason::CabinNotFound),
            ),
            (
                Kind::InvalidArgument,
                "INVALID_ARGUMENT",
                Some(FailureReason::BookingRefused),
            ),
            (Kind::Unavailable, "DATABASE_UNAVAILABLE", None),
            (Kind::DeadlineExceeded, "DEADLINE_EXCEEDED", None),
            (Kind::Aborted, "ABORTED", None),
            (Kind::ResourceExhausted, "RATE_LIMITED", None),
            (Kind::Internal, "INTERNAL", None),
            (Kind::Unauthenticated, "UNAUTHENTICATED", None),
            (Kind::PermissionDenied, "PERMISSION_DENIED", None),
        ] {
            let status = Fault::new(kind, reason, "because").into();
            let flight = "AS21-2026-12-01-JFK".to_owned();
            let wanted = match expected {
                Some(reason) => SeatsError::Refused(Failure {
                    reason,
                    message: "because".to_owned(),
                    flight_id: Some(flight.clone()),
                }),
                None => SeatsError::Unclear(format!("{reason}: because")),
            };
            assert_eq!(error(&status, Some(&flight)), wanted);
        }
    }
}
