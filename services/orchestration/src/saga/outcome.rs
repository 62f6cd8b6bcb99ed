//! What a step came to, and what that makes of the trip.

use super::machine::{Event, Undefined, next};
use crate::domain::{
    ports::Seat,
    trip::{Failure, SeatState, Trip},
};

/// How a step ended, with what is to be remembered of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All seats are held: one per flight, in order of travel.
    Held(Vec<Seat>),
    /// All seats are sold.
    Sold,
    /// Booking will not hold or sell them.
    Refused(Failure),
    /// All holds are given up.
    Released,
    /// Somebody wants the trip cancelled.
    CancelRequested,
    /// All seats are given back.
    Returned,
}

impl Outcome {
    const fn event(&self) -> Event {
        match self {
            Self::Held(_) => Event::SeatsHeld,
            Self::Sold => Event::SeatsSold,
            Self::Refused(_) => Event::SeatsRefused,
            Self::Released => Event::HoldsReleased,
            Self::CancelRequested => Event::CancelRequested,
            Self::Returned => Event::SeatsReturned,
        }
    }

    /// What goes into the log beside the name of the new state.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Refused(failure) => format!("{}: {}", failure.reason.as_str(), failure.message),
            _ => String::new(),
        }
    }

    /// The trip after it.
    pub(super) fn apply(&self, trip: &Trip, now: i64) -> Result<Trip, Undefined> {
        let mut moved = trip.clone();
        moved.state = next(trip.state, self.event())?;
        moved.updated = now.max(trip.updated);
        match self {
            Self::Held(seats) => {
                for (booking, seat) in moved.bookings.iter_mut().zip(seats) {
                    booking.locator = Some(seat.locator.clone());
                    booking.state = Some(seat.state);
                }
            }
            Self::Sold => {
                moved.confirmed = Some(moved.updated);
                moved.set_seats(SeatState::Confirmed);
            }
            Self::Refused(failure) => moved.failure = Some(failure.clone()),
            Self::Released => moved.set_seats(SeatState::Released),
            Self::CancelRequested => {}
            Self::Returned => moved.set_seats(SeatState::Cancelled),
        }
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trip::{FailureReason, TripState, testing::trip};

    fn seat(id: &str) -> Seat {
        Seat {
            hold_id: id.to_owned(),
            trip_id: "t".to_owned(),
            locator: id.to_uppercase(),
            state: SeatState::Held,
        }
    }

    #[test]
    fn a_trip_remembers_its_seats_and_when_it_was_booked() {
        let asked = trip("t", &["a", "b"]);
        let held = Outcome::Held(vec![seat("t-1"), seat("t-2")])
            .apply(&asked, 2_000)
            .unwrap();
        assert_eq!(held.bookings[1].locator.as_deref(), Some("T-2"));
        let sold = Outcome::Sold.apply(&held, 3_000).unwrap();
        assert_eq!(
            (sold.state, sold.confirmed, sold.updated),
            (TripState::Confirmed, Some(3_000), 3_000)
        );
        let cancelling = Outcome::CancelRequested.apply(&sold, 4_000).unwrap();
        let cancelled = Outcome::Returned.apply(&cancelling, 5_000).unwrap();
        assert_eq!(cancelled.as_booked(), Some(sold));
        assert!(
            cancelled
                .bookings
                .iter()
                .all(|booking| booking.state == Some(SeatState::Cancelled))
        );
    }

    #[test]
    fn a_trip_that_was_refused_remembers_why_and_holds_nothing() {
        let asked = trip("t", &["a", "b"]);
        let failure = Failure {
            reason: FailureReason::SoldOut,
            message: "no seats left".to_owned(),
            flight_id: Some("b".to_owned()),
        };
        let refused = Outcome::Refused(failure.clone());
        assert_eq!(refused.detail(), "SOLD_OUT: no seats left");
        let releasing = refused.apply(&asked, 2_000).unwrap();
        let failed = Outcome::Released.apply(&releasing, 1_500).unwrap();
        assert_eq!(
            (failed.state, failed.failure, failed.updated),
            (TripState::Failed, Some(failure), 2_000)
        );
        assert!(
            failed
                .bookings
                .iter()
                .all(|booking| booking.state.is_none())
        );
    }

    #[test]
    fn what_cannot_happen_is_an_error() {
        assert!(Outcome::Sold.apply(&trip("t", &["a"]), 0).is_err());
    }
}
