//! What identity does without being asked: each replica looks after its own keys, and by the clock one of them
//! looks after the tables.

use std::{convert::Infallible, sync::Arc, time::Duration};

use durable::cron::{Done, Job, JobError, audited};
use mesh::audit::violations;

use crate::{accounts::Accounts, grpc};

/// Between two looks at the keys, unless they change faster.
const INTERVAL: Duration = Duration::from_mins(1);
/// Shortest pause, whatever is configured.
const LEAST: Duration = Duration::from_millis(100);
/// How long looking at every row may take.
const TIMEOUT: Duration = Duration::from_mins(5);
/// So that the hourly jobs of all services do not begin at once.
const JITTER: Duration = Duration::from_mins(1);

/// Changes keys that are due, and takes up those that other replicas have changed.
pub(crate) async fn keep_keys(accounts: &Accounts, key_rotation: Duration) -> Infallible {
    // Keys are published half a life before they sign, so that each is seen in time.
    let interval = (key_rotation / 8).clamp(LEAST, INTERVAL);
    loop {
        tokio::time::sleep(interval).await;
        if let Err(error) = accounts.ring.refresh().await {
            tracing::warn!(%error, "cannot look after the signing keys; those known stay");
        }
        accounts.throttle.forget();
    }
}

/// What one replica does for all.
pub(crate) fn jobs(accounts: &Arc<Accounts>) -> [Job; 2] {
    let (purged, audit) = (Arc::clone(accounts), Arc::clone(accounts));
    [
        Job::new(
            "purge-sessions",
            "Removes sessions whose time is over, and their tokens.",
            "0 0 * * * *",
            move || purge_sessions(Arc::clone(&purged)),
        )
        .timeout(TIMEOUT)
        .jitter(JITTER),
        Job::new(
            "audit-identity",
            "Checks identity's promises against all of its rows.",
            "0 0 * * * *",
            move || run_audit(Arc::clone(&audit)),
        )
        .timeout(TIMEOUT)
        .jitter(JITTER),
    ]
}

async fn purge_sessions(accounts: Arc<Accounts>) -> Done {
    let removed = accounts.store.expired_remove((accounts.clock)()).await;
    Ok(match removed.map_err(JobError::new)? {
        0 => String::new(),
        sessions => format!("{sessions} expired sessions removed"),
    })
}

async fn run_audit(accounts: Arc<Accounts>) -> Done {
    let report = grpc::audit(&accounts).await.map_err(JobError::new)?;
    audited(violations(&report))
}
