//! Trips as a durable saga: every step is written down before it is tried, and whoever finds a trip
//! half done goes on with the step of its state.
//!
//! A saga runs apart from the request that started it, so that a caller who hangs up stops
//! nothing. Whoever asks waits for the trip, not for the saga: that works the same whether the saga
//! runs here, on another replica, or has yet to be resumed.

mod book_trip;
mod cancel_trip;
mod changes;
mod executor;
pub mod machine;
mod outcome;
mod recovery;
#[cfg(test)]
mod tests;
mod watch;

use std::{sync::Arc, time::Duration};

use mesh::telemetry::SPAN_TARGET;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span};

pub use self::{book_trip::BookTrip, cancel_trip::CancelTrip};
use self::{
    changes::{Changes, Subscription},
    executor::Run,
};
use crate::domain::{
    audit::{self, AuditError, Check},
    error::TripError,
    notice::Occasion,
    ports::{Claimed, KeyUse, Lease, RequestKey, Seats, TripReader, TripStore},
    trip::{Trip, Viewer},
};

/// How long a key is good for.
const KEY_LIFE: Duration = Duration::from_hours(24);

/// How patient sagas are.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a replica may say nothing before others take over its trips.
    pub lease: Duration,
    /// How long seats are tried to be held while booking cannot be reached.
    pub hold_patience: Duration,
    /// Between the first and the second attempt at a step.
    pub first_delay: Duration,
    /// Between two attempts at most.
    pub most_delay: Duration,
    /// How often a trip that somebody waits for is looked at in the database.
    pub poll: Duration,
    /// Trips that a replica works on at once.
    pub most_running: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(4),
            hold_patience: Duration::from_secs(10),
            first_delay: Duration::from_millis(50),
            most_delay: Duration::from_secs(1),
            poll: Duration::from_millis(500),
            most_running: 1_024,
        }
    }
}

/// What sagas are handed, since they have none of their own.
pub struct Edges {
    /// Unix milliseconds.
    pub clock: Box<dyn Fn() -> i64 + Send + Sync>,
    /// Makes ids that nobody else makes.
    pub new_id: fn() -> String,
    /// Between 0 and 1.
    pub jitter: fn() -> f64,
    /// Encodes what mail is told of a trip, and why.
    pub mail: fn(Occasion, &Trip) -> Vec<u8>,
}

/// The trips of a replica. Clones are the same.
pub struct Trips<S, B>(Arc<Inner<S, B>>);

impl<S, B> Clone for Trips<S, B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<S, B> {
    store: S,
    seats: B,
    options: Options,
    edges: Edges,
    changes: Changes,
    /// One for each saga that runs here.
    permits: Arc<Semaphore>,
    /// The sagas that run here.
    running: TaskTracker,
    shutdown: CancellationToken,
}

impl<S, B> Inner<S, B> {
    fn now(&self) -> i64 {
        (self.edges.clock)()
    }

    /// When a lease that is taken or kept now runs out.
    fn lease_end(&self) -> i64 {
        self.now() + millis(self.options.lease)
    }

    fn new_lease(&self, trip_id: &str) -> Lease {
        Lease {
            trip_id: trip_id.to_owned(),
            epoch: 1,
            owner: (self.edges.new_id)(),
            until: self.lease_end(),
        }
    }
}

impl<S: TripStore, B: Seats> Trips<S, B> {
    /// Trips in `store`, with seats from `seats`. Sagas end at their next wait after `shutdown`.
    #[must_use]
    pub fn new(
        store: S,
        seats: B,
        options: Options,
        edges: Edges,
        shutdown: CancellationToken,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(options.most_running));
        Self(Arc::new(Inner {
            store,
            seats,
            options,
            edges,
            changes: Changes::default(),
            permits,
            running: TaskTracker::new(),
            shutdown,
        }))
    }

    /// A trip.
    ///
    /// # Errors
    /// Where there is none, or the viewer may not know of it, or the database fails.
    pub async fn get(&self, trip_id: &str, viewer: &Viewer) -> Result<Trip, TripError> {
        let found = self.0.store.trip_get(trip_id).await?;
        found
            .filter(|trip| trip.is_seen_by(viewer))
            .ok_or_else(|| TripError::NotFound {
                trip_id: trip_id.to_owned(),
            })
    }

    /// Checks the promises of this service against `reader`'s trips.
    ///
    /// # Errors
    /// Where the database or booking fails.
    pub async fn audit(&self, reader: &impl TripReader) -> Result<Vec<Check>, AuditError> {
        let inner = &self.0;
        audit::run(
            reader,
            &inner.store,
            &inner.seats,
            inner.now(),
            millis(inner.options.lease),
        )
        .await
    }

    /// Waits until shutdown and for the sagas that run here, which then end soon.
    pub async fn stopped(&self) {
        self.0.shutdown.cancelled().await;
        self.0.running.close();
        self.0.running.wait().await;
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, TripError> {
        Arc::clone(&self.0.permits)
            .try_acquire_owned()
            .map_err(|_| TripError::Busy)
    }

    /// Works on a trip, apart from whoever calls.
    fn start(&self, claimed: Claimed, permit: OwnedSemaphorePermit) {
        let span = tracing::info_span!(
            target: SPAN_TARGET,
            "saga",
            otel.kind = "internal",
            otel.name = "trip.saga",
            trip.id = claimed.trip.id,
            trip.state = claimed.trip.state.as_str(),
        );
        self.spawn(claimed, false, permit, span);
    }

    fn spawn(&self, claimed: Claimed, taken_over: bool, permit: OwnedSemaphorePermit, span: Span) {
        let trips = self.clone();
        let saga = async move {
            Run::new(&trips.0, claimed).finish(taken_over).await;
            drop(permit);
        };
        self.0.running.spawn(saga.instrument(span));
    }

    /// What a key was used for within its life.
    async fn key_known(&self, key: &RequestKey) -> Result<Option<KeyUse>, TripError> {
        let oldest = self.0.now() - millis(KEY_LIFE);
        match self.0.store.key_find(key).await? {
            Some(known) if known.created <= oldest => {
                self.0.store.key_forget(key, oldest).await?;
                Ok(None)
            }
            known => Ok(known),
        }
    }

    /// Waits until a trip is as `done` wants it.
    async fn settled(
        &self,
        mut trip: Trip,
        mut changes: Subscription,
        done: impl Fn(&Trip) -> bool + Send,
    ) -> Result<Trip, TripError> {
        loop {
            if done(&trip) {
                return Ok(trip);
            }
            tokio::select! {
                now = changes.changed() => trip = Trip::clone(&now),
                () = tokio::time::sleep(self.0.options.poll) => {
                    trip = self.get(&trip.id, &Viewer::Everyone).await?;
                }
                () = self.stopped() => {
                    let last = self.get(&trip.id, &Viewer::Everyone).await?;
                    return if done(&last) { Ok(last) } else { Err(TripError::ShuttingDown) };
                }
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
