//! What can go wrong with a trip. The texts are for the caller.

use std::error::Error;

use super::trip::{Failure, TripState};

/// Why an offer can not be booked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// It is not ours, or was changed.
    #[error("the offer is not one that search has made")]
    Invalid,
    /// It is too old.
    #[error("the offer has expired; search again")]
    Expired,
    /// Its first flight has left.
    #[error("{flight_id} has departed")]
    Departed {
        /// Which.
        flight_id: String,
    },
    /// It is for another number of people.
    #[error("the offer is for {offered} passengers, not for {given}")]
    Passengers {
        /// As search priced it.
        offered: usize,
        /// As they were named.
        given: usize,
    },
}

/// The database of trips could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another replica has taken over the trip; whoever gets this must leave it alone.
    #[error("the trip has been taken over by another replica")]
    LeaseLost,
    /// It failed, or holds what nobody has written.
    #[error("the database of trips failed")]
    Database(#[source] Box<dyn Error + Send + Sync>),
}

/// Why a trip is not booked, shown or cancelled.
#[derive(Debug, thiserror::Error)]
pub enum TripError {
    /// The offer is no good.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The idempotency key belongs to another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// There was a trip, and it could not be booked.
    #[error("{}", .failure.message)]
    Failed {
        /// Which.
        trip_id: String,
        /// Why.
        failure: Failure,
    },
    /// There is none, or it is somebody else's.
    #[error("no trip {trip_id}")]
    NotFound {
        /// As it was asked for.
        trip_id: String,
    },
    /// It is not booked, so that there is nothing to cancel.
    #[error("the trip is {}, not CONFIRMED", .state.as_str())]
    NotConfirmed {
        /// What it is.
        state: TripState,
    },
    /// Its first flight has left.
    #[error("{flight_id} has departed")]
    Departed {
        /// Which.
        flight_id: String,
    },
    /// As many trips are under way as the replica can see through.
    #[error("too many trips are under way; try again shortly")]
    Busy,
    /// The replica shuts down; another one carries on.
    #[error("this replica is shutting down; ask again, with the same key")]
    ShuttingDown,
    /// The database failed.
    #[error("trips are unavailable")]
    Store(#[from] StoreError),
}
