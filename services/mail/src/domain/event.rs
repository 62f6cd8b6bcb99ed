//! What a mail tells of: something that happened to a trip, and the flights of that trip.

use chrono::{DateTime, FixedOffset};

use super::mail::Kind;

/// Something that happened to a trip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// Whose trip it is.
    pub user: String,
    /// The trip as it was then.
    pub trip: Trip,
}

/// A trip as far as mails tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Its id.
    pub id: String,
    /// Where mails about it go.
    pub recipient: String,
    /// One per flight, in order of travel; at least one.
    pub bookings: Vec<Booking>,
    /// Price for all passengers together; none where the event names none.
    pub price: Option<Price>,
    /// Cabin on every flight, for people.
    pub cabin: &'static str,
    /// Names of those who travel.
    pub passengers: Vec<String>,
}

/// Seats of one flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// Dated flight, for example "AS21-2026-12-01-JFK".
    pub flight: String,
    /// Record locator; empty where the event names none.
    pub locator: String,
    /// Seats.
    pub seats: u32,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Cents.
    pub cents: i64,
    /// ISO 4217, three letters.
    pub currency: String,
}

/// A dated flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Carrier, IATA code.
    pub carrier: String,
    /// Flight number.
    pub number: u32,
    /// Where it leaves.
    pub origin: Airport,
    /// Where it arrives.
    pub destination: Airport,
    /// When it leaves, on the clock there.
    pub departure: DateTime<FixedOffset>,
    /// When it arrives, on the clock there.
    pub arrival: DateTime<FixedOffset>,
}

/// An airport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Airport {
    /// IATA code.
    pub code: String,
    /// City, or its name where the city is not known; the code where nothing is.
    pub city: String,
    /// IANA time zone; none where it is not known.
    pub zone: Option<String>,
}

impl Trip {
    /// The record locators, each once.
    #[must_use]
    pub fn locators(&self) -> Vec<&str> {
        let mut locators: Vec<&str> = Vec::new();
        for booking in &self.bookings {
            if !booking.locator.is_empty() && !locators.contains(&booking.locator.as_str()) {
                locators.push(&booking.locator);
            }
        }
        locators
    }
}
