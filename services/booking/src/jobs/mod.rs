//! What booking does by the clock, each tick on one replica.

mod expire_holds;
mod trim_events;

use std::{sync::Arc, time::Duration};

use durable::cron::{Done, Job, JobError, audited};
use mesh::audit::violations;

use crate::{Config, domain::ports::Store, grpc::Audit};

/// How long an audit may take: it looks at every row.
const AUDIT_TIMEOUT: Duration = Duration::from_mins(5);
/// So that the audits of all services do not begin at once.
const AUDIT_JITTER: Duration = Duration::from_mins(1);

/// The jobs. `clock` tells Unix milliseconds.
pub(crate) fn jobs<S: Store>(config: &Config, store: &Arc<S>, clock: fn() -> i64) -> [Job; 3] {
    let (expiring, trimmed) = (Arc::clone(store), Arc::clone(store));
    let audit = Audit {
        store: Arc::clone(store),
        clock,
    };
    [
        Job::new(
            "expire-holds",
            "Gives back the seats of holds whose time is over.",
            config.expire_schedule,
            move || expire_holds::run(Arc::clone(&expiring), clock),
        ),
        Job::new(
            "trim-events",
            "Forgets inventory events that every reader has long seen.",
            "0 * * * * *",
            move || trim_events::run(Arc::clone(&trimmed), clock),
        ),
        Job::new(
            "audit-booking",
            "Checks booking's promises against all of its rows.",
            "0 0 * * * *",
            move || run_audit(audit.clone()),
        )
        .timeout(AUDIT_TIMEOUT)
        .jitter(AUDIT_JITTER),
    ]
}

async fn run_audit(audit: Audit<impl Store>) -> Done {
    let report = audit.run().await.map_err(JobError::new)?;
    audited(violations(&report))
}
