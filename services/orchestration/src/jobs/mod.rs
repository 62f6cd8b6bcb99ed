//! What orchestration does by the clock, each tick on one replica.

pub(crate) mod departure_reminders;

use std::{sync::Arc, time::Duration};

use durable::cron::{Done, Job, JobError, audited};
use mesh::audit::violations;

use crate::grpc::{self, Audit, State};

/// A replica that has no place for another trip leaves the next tick to others.
const RESUME_TIMEOUT: Duration = Duration::from_secs(4);
/// How long reminders may take to be ordered; what is left over is found by the next tick.
const REMIND_TIMEOUT: Duration = Duration::from_mins(2);
/// How long an audit may take: it looks at every row, and asks booking.
const AUDIT_TIMEOUT: Duration = Duration::from_mins(5);
/// So that the audits of all services do not begin at once.
const AUDIT_JITTER: Duration = Duration::from_mins(1);

/// The jobs. `clock` tells Unix milliseconds.
pub(crate) fn jobs(state: &Arc<State>, clock: fn() -> i64) -> [Job; 3] {
    let (resuming, reminding) = (Arc::clone(state), Arc::clone(state));
    let audit = Audit(Arc::clone(state));
    [
        Job::new(
            "resume-trips",
            "Goes on with trips that nobody works on.",
            "*/5 * * * * *",
            move || resume_trips(Arc::clone(&resuming)),
        )
        .timeout(RESUME_TIMEOUT),
        Job::new(
            "departure-reminders",
            "Orders a mail about every trip that departs within a day.",
            "0 */5 * * * *",
            move || remind(Arc::clone(&reminding), clock),
        )
        .timeout(REMIND_TIMEOUT),
        Job::new(
            "audit-orchestration",
            "Checks orchestration's promises against all of its rows.",
            "0 0 * * * *",
            move || run_audit(audit.clone()),
        )
        .timeout(AUDIT_TIMEOUT)
        .jitter(AUDIT_JITTER),
    ]
}

async fn resume_trips(state: Arc<State>) -> Done {
    let resumed = state.trips.recover().await;
    Ok(match resumed.map_err(JobError::new)? {
        0 => String::new(),
        trips => format!("{trips} trips taken over"),
    })
}

async fn remind(state: Arc<State>, clock: fn() -> i64) -> Done {
    let reminded = departure_reminders::run(&state.store, clock(), grpc::encode).await;
    Ok(match reminded.map_err(JobError::new)? {
        0 => String::new(),
        trips => format!("{trips} reminders ordered"),
    })
}

async fn run_audit(audit: Audit) -> Done {
    let report = audit.run().await.map_err(JobError::new)?;
    audited(violations(&report))
}
