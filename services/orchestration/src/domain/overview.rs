//! Overviews: a trip with its flights as they are now, as far as they can be had.

use futures_util::future::join_all;

use super::{ports::Flights, trip::Trip};

/// The flights of a trip, and those that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TripFlights<F> {
    /// In order of travel.
    pub flights: Vec<F>,
    /// Which could not be had, and why.
    pub unavailable: Vec<Missing>,
}

/// A flight that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which.
    pub flight_id: String,
    /// Why, for people.
    pub message: String,
}

/// Gets all flights of a trip at once. One that fails leaves the others alone.
pub async fn flights<F: Flights>(source: &F, trip: &Trip) -> TripFlights<F::Flight> {
    let calls = trip
        .bookings
        .iter()
        .map(|booking| source.flight(&booking.flight_id));
    let mut found = TripFlights {
        flights: Vec::new(),
        unavailable: Vec::new(),
    };
    for (answer, booking) in join_all(calls).await.into_iter().zip(&trip.bookings) {
        match answer {
            Ok(flight) => found.flights.push(flight),
            Err(message) => found.unavailable.push(Missing {
                flight_id: booking.flight_id.clone(),
                message,
            }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trip::testing::trip;

    struct Scripted;

    impl Flights for Scripted {
        type Flight = String;

        async fn flight(&self, flight_id: &str) -> Result<String, String> {
            if flight_id.starts_with("XX") {
                return Err("no flight".to_owned());
            }
            Ok(flight_id.to_lowercase())
        }
    }

    #[tokio::test]
    async fn a_flight_that_cannot_be_had_is_named() {
        let found = flights(&Scripted, &trip("t", &["AS21", "XX1", "AS22"])).await;
        assert_eq!(found.flights, ["as21", "as22"]);
        assert_eq!(
            found.unavailable,
            [Missing {
                flight_id: "XX1".to_owned(),
                message: "no flight".to_owned()
            }]
        );
    }
}
