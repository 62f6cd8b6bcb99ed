//! Overviews: a trip with its flights as they are now and its mails, as far as they can be had.

use futures_util::future::join_all;

use super::{
    ports::{Flights, Mails},
    trip::Trip,
};

/// The flights of a trip, and those that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TripFlights<F> {
    /// In order of travel.
    pub flights: Vec<F>,
    /// Which could not be had, and why.
    pub unavailable: Vec<Missing>,
}

/// A part that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which: `flights/<flight id>` or `mails`.
    pub part: String,
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
                part: format!("flights/{}", booking.flight_id),
                message,
            }),
        }
    }
    found
}

/// Gets the mails about a trip; none where there is no mail service.
///
/// # Errors
/// What is missing, where mail does not answer.
pub async fn mails<M: Mails>(source: Option<&M>, trip: &Trip) -> Result<Vec<M::Mail>, Missing> {
    let Some(source) = source else {
        return Ok(Vec::new());
    };
    let mails = source.about(&trip.id).await;
    mails.map_err(|message| Missing {
        part: "mails".to_owned(),
        message,
    })
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

    impl Mails for Scripted {
        type Mail = String;

        async fn about(&self, trip_id: &str) -> Result<Vec<String>, String> {
            if trip_id == "lost" {
                return Err("no mail".to_owned());
            }
            Ok(vec![format!("{trip_id} is booked")])
        }
    }

    #[tokio::test]
    async fn mails_that_cannot_be_had_are_named() {
        let had = mails(Some(&Scripted), &trip("t", &[])).await;
        assert_eq!(had, Ok(vec!["t is booked".to_owned()]));
        let lost = mails(Some(&Scripted), &trip("lost", &[]))
            .await
            .unwrap_err();
        assert_eq!((&*lost.part, &*lost.message), ("mails", "no mail"));
        let nobody = mails(None::<&Scripted>, &trip("lost", &[])).await;
        assert_eq!(nobody, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_flight_that_cannot_be_had_is_named() {
        let found = flights(&Scripted, &trip("t", &["AS21", "XX1", "AS22"])).await;
        assert_eq!(found.flights, ["as21", "as22"]);
        assert_eq!(
            found.unavailable,
            [Missing {
                part: "flights/XX1".to_owned(),
                message: "no flight".to_owned()
            }]
        );
    }
}
