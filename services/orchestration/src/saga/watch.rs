//! A trip as it changes, for those who want to see it happen.

use futures_util::{Stream, stream};

use super::{Trips, changes::Subscription};
use crate::domain::{
    error::TripError,
    ports::{Seats, TripStore},
    trip::{Trip, Viewer},
};

struct Watch<S, B> {
    trips: Trips<S, B>,
    trip_id: String,
    changes: Subscription,
    /// As it was shown last; none before the first time.
    last: Option<Trip>,
    ended: bool,
}

impl<S: TripStore, B: Seats> Trips<S, B> {
    /// A trip as it is, then after every change, until only somebody's wish can change it. Changes
    /// that follow each other quickly may be shown as one.
    ///
    /// # Errors
    /// Where there is none, or the viewer may not know of it, or the database fails.
    pub async fn watch(
        &self,
        trip_id: &str,
        viewer: &Viewer,
    ) -> Result<impl Stream<Item = Result<Trip, TripError>> + Send + use<S, B>, TripError> {
        let changes = self.0.changes.subscribe(trip_id);
        let first = self.get(trip_id, viewer).await?;
        let watch = Watch {
            trips: self.clone(),
            trip_id: trip_id.to_owned(),
            changes,
            last: None,
            ended: false,
        };
        Ok(stream::unfold((watch, Some(first)), |(watch, seen)| {
            watch.next(seen)
        }))
    }
}

type Shown<S, B> = (Result<Trip, TripError>, (Watch<S, B>, Option<Trip>));

impl<S: TripStore, B: Seats> Watch<S, B> {
    async fn next(mut self, mut seen: Option<Trip>) -> Option<Shown<S, B>> {
        while !self.ended {
            let trip = match seen.take() {
                Some(trip) => trip,
                None => match self.wait().await {
                    Ok(trip) => trip,
                    Err(error) => {
                        self.ended = true;
                        return Some((Err(error), (self, None)));
                    }
                },
            };
            // What was read before a change may arrive after it.
            let news = self
                .last
                .as_ref()
                .is_none_or(|last| trip.updated >= last.updated && trip != *last);
            if news {
                self.ended = trip.state.is_finished();
                self.last = Some(trip.clone());
                return Some((Ok(trip), (self, None)));
            }
        }
        None
    }

    async fn wait(&mut self) -> Result<Trip, TripError> {
        let inner = &self.trips.0;
        tokio::select! {
            changed = self.changes.changed() => Ok(Trip::clone(&changed)),
            () = tokio::time::sleep(inner.options.poll) => {
                self.trips.get(&self.trip_id, &Viewer::Everyone).await
            }
            () = inner.shutdown.cancelled() => Err(TripError::ShuttingDown),
        }
    }
}
