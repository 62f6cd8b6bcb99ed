//! What happens when a replica dies: another one finds its trips and goes on with them.
//!
//! A trip is found when its lease has run out, which a replica that works on it does not let happen.
//! Lease and interval together stay well below the ten seconds within which a trip must go on.

use mesh::telemetry::SPAN_TARGET;

use super::Trips;
use crate::domain::{
    error::StoreError,
    ports::{Seats, TripStore},
};

/// Trips taken over at once; the others are found the next time.
const MOST_AT_ONCE: usize = 64;

impl<S: TripStore, B: Seats> Trips<S, B> {
    /// Looks for trips that nobody works on, until shutdown.
    pub async fn recover(&self) {
        let mut failing = false;
        while !self.0.shutdown.is_cancelled() {
            let outcome = self.recover_once().await;
            if let Err(error) = &outcome
                && !failing
            {
                tracing::warn!(?error, "cannot look for trips that nobody works on");
            }
            failing = outcome.is_err();
            let pause = tokio::time::sleep(self.0.options.recovery_interval);
            self.0.shutdown.run_until_cancelled(pause).await;
        }
    }

    /// Takes over the trips that nobody works on now; gives how many.
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
