//! What mail does by the clock, each tick on one replica.

use std::{sync::Arc, time::Duration};

use durable::cron::{Done, Job, JobError, audited};
use mesh::audit::violations;

use crate::{domain::ports::Mails, grpc::Audit};

/// How long a mail stays in the sent-log, milliseconds: far longer than any queue or outbox keeps what it tells of.
const KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1_000;
/// How long looking at every row may take.
const TIMEOUT: Duration = Duration::from_mins(5);
/// So that the audits of all services do not begin at once.
const AUDIT_JITTER: Duration = Duration::from_mins(1);

/// The jobs. `clock` tells Unix milliseconds.
pub(crate) fn jobs<M: Mails>(mails: &Arc<M>, clock: fn() -> i64) -> [Job; 2] {
    let purged = Arc::clone(mails);
    let audit = Audit {
        mails: Arc::clone(mails),
        clock,
    };
    [
        Job::new(
            "purge-sent-log",
            "Forgets mails that were sent or given up three months ago.",
            "0 30 3 * * *",
            move || purge(Arc::clone(&purged), clock),
        )
        .timeout(TIMEOUT),
        Job::new(
            "audit-mail",
            "Checks mail's promises against all of its rows.",
            "0 0 * * * *",
            move || run_audit(audit.clone()),
        )
        .timeout(TIMEOUT)
        .jitter(AUDIT_JITTER),
    ]
}

async fn purge(mails: Arc<impl Mails>, clock: fn() -> i64) -> Done {
    let mut all = 0;
    loop {
        let purged = mails.purge(clock() - KEPT_MS).await;
        let (purged, more) = purged.map_err(JobError::new)?;
        all += purged;
        if !more {
            break;
        }
    }
    Ok(match all {
        0 => String::new(),
        mails => format!("{mails} mails forgotten"),
    })
}

async fn run_audit(audit: Audit<impl Mails>) -> Done {
    let report = audit.run().await.map_err(JobError::new)?;
    audited(violations(&report))
}
