//! Cancelling a trip: once, however many ask for it.

use super::{Trips, machine::log_event, outcome::Outcome};
use crate::domain::{
    error::TripError,
    ports::{Claimed, Created, LogLine, RequestKey, Seats, TripStore},
    trip::{Trip, TripState, Viewer},
};

/// What to cancel.
#[derive(Clone, Debug)]
pub struct CancelTrip {
    /// The trip.
    pub trip_id: String,
    /// Who wants it.
    pub viewer: Viewer,
    /// The idempotency key, where there is one.
    pub key: Option<RequestKey>,
}

impl<S: TripStore, B: Seats> Trips<S, B> {
    /// Cancels a trip and waits for it. One that is cancelled stays so.
    ///
    /// # Errors
    /// Where there is no such trip, it is not booked, or its first flight has left.
    pub async fn cancel(&self, wish: CancelTrip) -> Result<Trip, TripError> {
        let changes = self.0.changes.subscribe(&wish.trip_id);
        let trip = self.get(&wish.trip_id, &wish.viewer).await?;
        if let Some(key) = &wish.key {
            self.use_key(key, &trip.id).await?;
        }
        let trip = match trip.state {
            TripState::Cancelled => return Ok(trip),
            TripState::Cancelling => trip,
            TripState::Confirmed => self.begin_cancelling(trip).await?,
            state @ (TripState::Holding
            | TripState::Confirming
            | TripState::Releasing
            | TripState::Failed) => return Err(TripError::NotConfirmed { state }),
        };
        self.settled(trip, changes, |trip| trip.state == TripState::Cancelled)
            .await
    }

    /// Cancelling twice is harmless, so a key guards only against being used for another trip.
    async fn use_key(&self, key: &RequestKey, trip_id: &str) -> Result<(), TripError> {
        let known = match self.key_known(key).await? {
            Some(known) => known,
            None => match self.0.store.key_use(key, trip_id, self.0.now()).await? {
                Created::New => return Ok(()),
                Created::Known(known) => known,
            },
        };
        if known.fingerprint == key.fingerprint && known.trip_id == trip_id {
            Ok(())
        } else {
            Err(TripError::KeyReused)
        }
    }

    /// Starts the saga, unless somebody else has just done so.
    async fn begin_cancelling(&self, trip: Trip) -> Result<Trip, TripError> {
        let now = self.0.now();
        if now >= trip.departure {
            let flight_id = trip.bookings.first().map(|first| first.flight_id.clone());
            return Err(TripError::Departed {
                flight_id: flight_id.unwrap_or_default(),
            });
        }
        let permit = self.permit()?;
        let Ok(cancelling) = Outcome::CancelRequested.apply(&trip, now) else {
            return Err(TripError::NotConfirmed { state: trip.state });
        };
        let line = LogLine {
            time: now,
            event: log_event(cancelling.state),
            state: cancelling.state,
            attempt: 1,
            detail: String::new(),
        };
        let (owner, until) = ((self.0.edges.new_id)(), self.0.lease_end());
        let taken = self
            .0
            .store
            .trip_cancel(&cancelling, &owner, until, &line)
            .await?;
        if let Some(lease) = taken {
            self.0.changes.publish(&cancelling);
            let claimed = Claimed {
                trip: cancelling.clone(),
                lease,
                attempt: 1,
            };
            self.start(claimed, permit);
        }
        Ok(cancelling)
    }
}
