//! Offers: what search promised, as far as booking a trip needs it.
//!
//! An offer comes under our own signature, so its price is believed. What is checked is whether it
//! still holds, and whether it is for those who want to travel.

use super::{
    error::OfferError,
    trip::{Cabin, Price},
};

/// Most flights of an offer.
pub const MOST_FLIGHTS: usize = 12;

/// What was promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Flights in order of travel.
    pub flights: Vec<String>,
    /// On every flight.
    pub cabin: Cabin,
    /// Seats on every flight.
    pub passengers: usize,
    /// For all passengers together.
    pub price: Price,
    /// Void from this instant on, Unix milliseconds.
    pub expires: i64,
    /// First departure, Unix milliseconds.
    pub departure: i64,
}

impl Offer {
    /// Whether that many people can book it at that instant.
    ///
    /// # Errors
    /// [`OfferError`] where they can not.
    pub fn check(&self, passengers: usize, now: i64) -> Result<(), OfferError> {
        if self.flights.is_empty() || self.flights.len() > MOST_FLIGHTS {
            return Err(OfferError::Invalid);
        }
        if now >= self.expires {
            return Err(OfferError::Expired);
        }
        if now >= self.departure {
            return Err(OfferError::Departed {
                flight_id: self.flights[0].clone(),
            });
        }
        if passengers != self.passengers {
            return Err(OfferError::Passengers {
                offered: self.passengers,
                given: passengers,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_holds_for_its_passengers_until_it_expires_or_the_flight_leaves() {
        let offer = |flights: usize, expires, departure| Offer {
            flights: vec!["AS21-2026-12-01-JFK".to_owned(); flights],
            cabin: Cabin::Economy,
            passengers: 2,
            price: Price {
                cents: 1,
                currency: "USD".to_owned(),
            },
            expires,
            departure,
        };
        let departed = OfferError::Departed {
            flight_id: "AS21-2026-12-01-JFK".to_owned(),
        };
        let mismatch = OfferError::Passengers {
            offered: 2,
            given: 1,
        };
        for (offer, passengers, expected) in [
            (offer(1, 101, 101), 2, Ok(())),
            (offer(12, 101, 101), 2, Ok(())),
            (offer(0, 101, 101), 2, Err(OfferError::Invalid)),
            (offer(13, 101, 101), 2, Err(OfferError::Invalid)),
            (offer(1, 100, 100), 2, Err(OfferError::Expired)),
            (offer(1, 101, 100), 2, Err(departed)),
            (offer(1, 101, 101), 1, Err(mismatch)),
        ] {
            assert_eq!(offer.check(passengers, 100), expected, "{offer:?}");
        }
    }
}
