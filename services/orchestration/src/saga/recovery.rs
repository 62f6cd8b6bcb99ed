//! What happens when a replica dies: another one finds its trips and goes on with them.
//!
//! A trip is found when its lease has run out, which a replica that works on it does not let happen. The job
//! `resume-trips` looks every 5 s, on one of the replicas; with a lease of 4 s a trip goes on well within ten. A replica
//! that starts looks at once.

use mesh::telemetry::SPAN_TARGET;

use super::Trips;
use crate::domain::{
    error::StoreError,
    ports::{Seats, TripStore},
};

/// Trips taken over at once.
const MOST_AT_ONCE: usize = 64;
/// Looks of one run; what is left over then is found the next time.
const MOST_LOOKS: usize = 256;

impl<S: TripStore, B: Seats> Trips<S, B> {
    /// Takes over trips until there are none that nobody works on; gives how many. Waits while this replica works on
    /// as many as it may.
    ///
    /// # Errors
    /// Where the database fails; what has been taken over goes on.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let mut all = 0;
        for _ in 0..MOST_LOOKS {
            // A place is free now, and given back at once: each trip takes its own.
            drop(self.0.permits.acquire().await);
            let taken = self.recover_once().await?;
            all += taken;
            if taken == 0 {
                break;
            }
        }
        Ok(all)
    }

    /// Takes over some trips that nobody works on now; gives how many.
    pub(super) async fn recover_once(&self) -> Result<usize, StoreError> {
        let most = self.0.permits.available_permits().min(MOST_AT_ONCE);
        if most == 0 {
            return Ok(0);
        }
        let (now, most) = (self.0.now(), u64::try_from(most).unwrap_or_default());
        let mut taken = 0;
        for stranded in self.0.store.trip_stranded(now, most).await? {
            let Ok(permit) = self.permit() else {
                break;
            };
            let (owner, until) = ((self.0.edges.new_id)(), self.0.lease_end());
            let claimed = self
                .0
                .store
                .trip_claim(&stranded, &owner, now, until)
                .await?;
            let Some(claimed) = claimed else {
                continue;
            };
            tracing::info!(
                trip.id = claimed.trip.id,
                trip.state = claimed.trip.state.as_str(),
                "going on with a trip that nobody works on"
            );
            metrics::counter!("trips_taken_over_total").increment(1);
            // A trace of its own: the request that began it may be long over.
            let span = tracing::info_span!(
                target: SPAN_TARGET,
                parent: None,
                "resume",
                otel.kind = "internal",
                otel.name = "trip.resume",
                trip.id = claimed.trip.id,
                trip.state = claimed.trip.state.as_str(),
            );
            self.spawn(claimed, true, permit, span);
            taken += 1;
        }
        Ok(taken)
    }
}
