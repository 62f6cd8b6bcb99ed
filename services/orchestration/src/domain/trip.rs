//! Trips: all that one offer promised, booked whole or not at all.
//!
//! Times are Unix milliseconds, money is cents. The ids of the holds follow from the trip's id, so
//! that whoever resumes a trip asks booking for the very same holds.

/// Class of travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cabin {
    /// Economy.
    Economy,
    /// Premium economy.
    PremiumEconomy,
    /// Business.
    Business,
    /// First.
    First,
}

/// How far a trip is. Names are those of the contract, without their prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TripState {
    /// Seats of every flight are being held.
    Holding,
    /// All seats are held and are being sold.
    Confirming,
    /// Booked.
    Confirmed,
    /// It can not be booked; what was held is being given up.
    Releasing,
    /// Not booked; nothing is held.
    Failed,
    /// The seats are being given back.
    Cancelling,
    /// Was booked and has been cancelled.
    Cancelled,
}

impl TripState {
    /// All states in the order of the contract.
    pub const ALL: [Self; 7] = [
        Self::Holding,
        Self::Confirming,
        Self::Confirmed,
        Self::Releasing,
        Self::Failed,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// Its name in diagrams, tables and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Holding => "HOLDING",
            Self::Confirming => "CONFIRMING",
            Self::Confirmed => "CONFIRMED",
            Self::Releasing => "RELEASING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether nothing more happens unless somebody asks for it.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Confirmed | Self::Failed | Self::Cancelled)
    }
}

/// What has become of the seats of one flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatState {
    /// Kept until the hold expires.
    Held,
    /// Sold.
    Confirmed,
    /// Sold and given back.
    Cancelled,
    /// Given up.
    Released,
    /// The hold ran out.
    Expired,
}

impl SeatState {
    /// All states in the order of the contract.
    pub const ALL: [Self; 5] = [
        Self::Held,
        Self::Confirmed,
        Self::Cancelled,
        Self::Released,
        Self::Expired,
    ];

    /// Its name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelled => "CANCELLED",
            Self::Released => "RELEASED",
            Self::Expired => "EXPIRED",
        }
    }

    /// Whether seats in this state can not be had by others.
    #[must_use]
    pub const fn takes_seats(self) -> bool {
        matches!(self, Self::Held | Self::Confirmed)
    }
}

/// Somebody who travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passenger {
    /// Given names as in the passport, without control characters.
    pub given_name: String,
    /// Family name as in the passport, without control characters.
    pub family_name: String,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Cents.
    pub cents: i64,
    /// ISO 4217, three letters.
    pub currency: String,
}

/// Seats of one flight of a trip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TripBooking {
    /// Dated flight.
    pub flight_id: String,
    /// Record locator; none until the seats are held.
    pub locator: Option<String>,
    /// What has become of the seats; none until they are held.
    pub state: Option<SeatState>,
}

/// Reasons for which a trip is not booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// Fewer seats are left than passengers.
    SoldOut,
    /// A flight has left.
    FlightDeparted,
    /// There is no such flight any more.
    FlightNotFound,
    /// The flight has no such cabin any more.
    CabinNotFound,
    /// Holds ran out before they were confirmed.
    HoldExpired,
    /// Holds were given up before they were confirmed.
    HoldReleased,
    /// A hold is not there.
    HoldNotFound,
    /// Booking refused for a reason that has no name here.
    BookingRefused,
    /// Booking could not be reached for too long.
    BookingUnavailable,
}

impl FailureReason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SoldOut,
        Self::FlightDeparted,
        Self::FlightNotFound,
        Self::CabinNotFound,
        Self::HoldExpired,
        Self::HoldReleased,
        Self::HoldNotFound,
        Self::BookingRefused,
        Self::BookingUnavailable,
    ];

    /// As in `ErrorInfo.reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SoldOut => "SOLD_OUT",
            Self::FlightDeparted => "FLIGHT_DEPARTED",
            Self::FlightNotFound => "FLIGHT_NOT_FOUND",
            Self::CabinNotFound => "CABIN_NOT_FOUND",
            Self::HoldExpired => "HOLD_EXPIRED",
            Self::HoldReleased => "HOLD_RELEASED",
            Self::HoldNotFound => "HOLD_NOT_FOUND",
            Self::BookingRefused => "BOOKING_REFUSED",
            Self::BookingUnavailable => "BOOKING_UNAVAILABLE",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Why a trip was not booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub reason: FailureReason,
    /// For people.
    pub message: String,
    /// The flight that was at fault, where it was one.
    pub flight_id: Option<String>,
}

/// Who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// A user, who sees only what is theirs.
    User(String),
    /// An administrator or a service, who sees all.
    Everyone,
}

/// A trip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Made by the service.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// How far it is.
    pub state: TripState,
    /// One per flight, in order of travel.
    pub bookings: Vec<TripBooking>,
    /// For all passengers together.
    pub price: Price,
    /// On every flight.
    pub cabin: Cabin,
    /// Who travels.
    pub passengers: Vec<Passenger>,
    /// Where mails about it go.
    pub contact_email: String,
    /// Why it was not booked.
    pub failure: Option<Failure>,
    /// First departure.
    pub departure: i64,
    /// When it was asked for.
    pub created: i64,
    /// When its state changed last.
    pub updated: i64,
    /// When it was booked.
    pub confirmed: Option<i64>,
}

impl Trip {
    /// Whether that viewer may know of it.
    #[must_use]
    pub fn is_seen_by(&self, viewer: &Viewer) -> bool {
        match viewer {
            Viewer::User(id) => *id == self.user_id,
            Viewer::Everyone => true,
        }
    }

    /// The hold of the n-th flight.
    #[must_use]
    pub fn hold_id(&self, index: usize) -> String {
        format!("{}-{}", self.id, index + 1)
    }

    /// The holds of all flights, in order of travel.
    #[must_use]
    pub fn hold_ids(&self) -> Vec<String> {
        (0..self.bookings.len())
            .map(|index| self.hold_id(index))
            .collect()
    }

    /// The trip as it was when it was booked, whatever has become of it since; none where it never was.
    #[must_use]
    pub fn as_booked(&self) -> Option<Self> {
        let confirmed = self.confirmed?;
        let mut trip = self.clone();
        trip.state = TripState::Confirmed;
        trip.updated = confirmed;
        trip.set_seats(SeatState::Confirmed);
        Some(trip)
    }

    /// Says what has become of all seats that have been held.
    pub(crate) fn set_seats(&mut self, state: SeatState) {
        for booking in &mut self.bookings {
            booking.state = booking.locator.is_some().then_some(state);
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A trip to test with.

    use super::*;

    /// A trip that has just been asked for.
    pub(crate) fn trip(id: &str, flights: &[&str]) -> Trip {
        let booking = |flight: &&str| TripBooking {
            flight_id: (*flight).to_owned(),
            locator: None,
            state: None,
        };
        let passenger = |given: &str, family: &str| Passenger {
            given_name: given.to_owned(),
            family_name: family.to_owned(),
        };
        Trip {
            id: id.to_owned(),
            user_id: "ada".to_owned(),
            state: TripState::Holding,
            bookings: flights.iter().map(booking).collect(),
            price: Price {
                cents: 41_250,
                currency: "USD".to_owned(),
            },
            cabin: Cabin::Economy,
            passengers: vec![
                passenger("Ada", "Lovelace"),
                passenger("Grace Brewster", "Hopper"),
            ],
            contact_email: "ada@example.com".to_owned(),
            failure: None,
            departure: 1_000_000_000,
            created: 1_000,
            updated: 1_000,
            confirmed: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::trip, *};

    #[test]
    fn a_cancelled_trip_can_be_shown_as_it_was_booked() {
        let mut booked = trip("t", &["AS21-2026-12-01-JFK"]);
        assert_eq!(booked.as_booked(), None);
        booked.state = TripState::Confirmed;
        booked.bookings[0].locator = Some("K7QXPL".to_owned());
        booked.set_seats(SeatState::Confirmed);
        (booked.updated, booked.confirmed) = (5_000, Some(5_000));
        let mut cancelled = booked.clone();
        cancelled.state = TripState::Cancelled;
        cancelled.updated = 9_000;
        cancelled.set_seats(SeatState::Cancelled);
        assert_eq!(cancelled.as_booked(), Some(booked));
    }

    #[test]
    fn holds_are_named_after_the_trip() {
        assert_eq!(trip("t", &["a", "b"]).hold_ids(), ["t-1", "t-2"]);
    }
}
