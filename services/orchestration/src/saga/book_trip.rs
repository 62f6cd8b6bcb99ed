//! Booking a trip: once per key, however often and wherever it is asked for.

use super::{Trips, millis};
use crate::domain::{
    error::{OfferError, TripError},
    offer::Offer,
    ports::{Claimed, Created, KeyUse, LogLine, RequestKey, Seats, TripStore},
    trip::{Passenger, Trip, TripBooking, TripState, Viewer},
};
use std::time::Duration;

use super::machine::log_event;

/// A trip that failed is answered when nothing is held any more, or after this: what it failed of is
/// clear by then, and booking may be away for long.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

/// What to book.
#[derive(Clone, Debug)]
pub struct BookTrip {
    /// Who books.
    pub user_id: String,
    /// Makes it safe to ask again.
    pub key: RequestKey,
    /// What search promised; none where it is not one of our offers.
    pub offer: Option<Offer>,
    /// Who travels.
    pub passengers: Vec<Passenger>,
    /// Where mails go.
    pub contact_email: String,
}

impl<S: TripStore, B: Seats> Trips<S, B> {
    /// Books a trip and waits for it. The same key gives the same trip, as it was when it was booked.
    ///
    /// # Errors
    /// Where it can not be booked, with the same failure each time, or it is not known yet.
    pub async fn book(&self, order: BookTrip) -> Result<Trip, TripError> {
        // Before all else: an offer that has expired since has still been booked.
        if let Some(known) = self.key_known(&order.key).await? {
            return self.booked_before(&order.key, known).await;
        }
        let offer = order.offer.ok_or(OfferError::Invalid)?;
        let now = self.0.now();
        offer.check(order.passengers.len(), now)?;
        let permit = self.permit()?;
        let trip = Trip {
            id: (self.0.edges.new_id)(),
            user_id: order.user_id,
            state: TripState::Holding,
            bookings: offer.flights.into_iter().map(unheld).collect(),
            price: offer.price,
            cabin: offer.cabin,
            passengers: order.passengers,
            contact_email: order.contact_email,
            failure: None,
            departure: offer.departure,
            created: now,
            updated: now,
            confirmed: None,
        };
        let lease = self.0.new_lease(&trip.id);
        let line = LogLine {
            time: now,
            event: log_event(trip.state),
            state: trip.state,
            attempt: 1,
            detail: String::new(),
        };
        let changes = self.0.changes.subscribe(&trip.id);
        let created = self.0.store.trip_create(&trip, &order.key, &lease, &line);
        match created.await? {
            Created::Known(known) => {
                drop(permit);
                self.booked_before(&order.key, known).await
            }
            Created::New => {
                let claimed = Claimed {
                    trip: trip.clone(),
                    lease,
                    attempt: 1,
                };
                self.start(claimed, permit);
                let trip = self.settled(trip, changes, |trip| self.is_answer(trip));
                answer(trip.await?)
            }
        }
    }

    /// The answer to a request whose key has been used.
    async fn booked_before(&self, key: &RequestKey, known: KeyUse) -> Result<Trip, TripError> {
        if known.fingerprint != key.fingerprint {
            return Err(TripError::KeyReused);
        }
        let changes = self.0.changes.subscribe(&known.trip_id);
        let trip = self.get(&known.trip_id, &Viewer::Everyone).await?;
        let trip = self.settled(trip, changes, |trip| self.is_answer(trip));
        answer(trip.await?)
    }

    fn is_answer(&self, trip: &Trip) -> bool {
        let waited = || self.0.now() - trip.updated >= millis(RELEASE_PATIENCE);
        match trip.state {
            TripState::Holding | TripState::Confirming => false,
            TripState::Releasing => waited(),
            TripState::Confirmed
            | TripState::Failed
            | TripState::Cancelling
            | TripState::Cancelled => true,
        }
    }
}

fn unheld(flight_id: String) -> TripBooking {
    TripBooking {
        flight_id,
        locator: None,
        state: None,
    }
}

/// The trip as it was booked, or why it was not.
fn answer(trip: Trip) -> Result<Trip, TripError> {
    match (trip.as_booked(), trip.failure) {
        (Some(booked), _) => Ok(booked),
        (None, Some(failure)) => Err(TripError::Failed {
            trip_id: trip.id,
            failure,
        }),
        (None, None) => Err(TripError::NotConfirmed { state: trip.state }),
    }
}
