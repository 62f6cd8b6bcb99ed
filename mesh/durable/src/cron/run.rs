//! One run of a job, from the claim to the end of its lease.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use mesh::cron::{Outcome, Run};
use sea_orm::DbErr;

use super::{
    engine::{Inner, Planned},
    job::{Done, Job, JobError, Overlap, Work},
    store::{Claim, End, shortened},
};

/// How long a run may go on after the replica has been told to stop; others have it after that.
const GRACE: Duration = Duration::from_secs(5);
/// Between two attempts to write down how a run ended.
const AGAIN: Duration = Duration::from_millis(500);

/// Why a run is over.
enum Over {
    /// It came to its end.
    Done(Done),
    /// It took too long.
    TimedOut,
    /// The lease is lost: others may have begun.
    Lost,
    /// The replica stops.
    Stopped,
}

impl Inner {
    /// Runs a job if its claim is granted; gives what the history says of it.
    pub(super) async fn perform(
        &self,
        planned: &Planned,
        claim: &Claim,
    ) -> Result<Option<Run>, DbErr> {
        let until = claim.started + millis(self.lease);
        if !self.store.claim(claim, until).await? {
            return Ok(None);
        }
        let job = &planned.job;
        let until = AtomicI64::new(until);
        let over = tokio::select! {
            biased;
            done = guarded(&job.work) => Over::Done(done),
            over = self.keep(job, claim, &until) => over,
            () = self.grace_over() => Over::Stopped,
        };
        let end = self.end_of(planned, claim, &over);
        measure(job, claim, &end, &over);
        if !matches!(over, Over::Lost) {
            self.write_down(claim, &end, until.into_inner()).await;
        }
        Ok(Some(Run {
            tick: claim.tick,
            attempt: u32::try_from(claim.attempt).unwrap_or_default(),
            replica: claim.replica.clone(),
            start: claim.started,
            end: Some(end.time),
            outcome: Some(end.outcome),
            detail: end.detail,
        }))
    }

    /// Does what is to be done where another replica has run the job, within its time.
    pub(super) async fn perform_following(&self, job: &Job, work: &Work) {
        let outcome = tokio::select! {
            biased;
            done = guarded(work) => done.map_err(|error| error.to_string()),
            () = self.clock.sleep(job.timeout) => Err("it took too long".to_owned()),
            () = self.stop.cancelled() => return,
        };
        if let Err(error) = outcome {
            tracing::warn!(job = job.name, %error, "could not do what follows a run of another replica");
        }
    }

    /// Keeps the lease until the run must end. `until` is when the lease runs out.
    async fn keep(&self, job: &Job, claim: &Claim, until: &AtomicI64) -> Over {
        let times_out = claim.started + millis(job.timeout);
        let mut renew_at = claim.started + millis(self.lease / 3);
        loop {
            let lease_end = until.load(Ordering::Relaxed);
            let next = renew_at.min(times_out).min(lease_end);
            self.clock.sleep(duration(next - self.clock.now())).await;
            let now = self.clock.now();
            if now >= lease_end {
                return Over::Lost;
            }
            if now >= times_out {
                return Over::TimedOut;
            }
            if now < renew_at {
                continue;
            }
            let renewed = now + millis(self.lease);
            let renewal = self.store.renew(claim, renewed);
            match tokio::time::timeout(duration(lease_end - now), renewal).await {
                Ok(Ok(true)) => {
                    until.store(renewed, Ordering::Relaxed);
                    renew_at = now + millis(self.lease / 3);
                }
                Ok(Ok(false)) => return Over::Lost,
                // The database is away: as long as the lease is good, it may come back.
                Ok(Err(_)) | Err(_) => renew_at = self.clock.now() + millis(self.lease / 10),
            }
        }
    }

    async fn grace_over(&self) {
        self.stop.cancelled().await;
        self.clock.sleep(GRACE).await;
    }

    fn end_of(&self, planned: &Planned, claim: &Claim, over: &Over) -> End {
        let time = self.clock.now();
        let (outcome, detail) = match over {
            Over::Done(Ok(done)) => (Outcome::Succeeded, shortened(done)),
            Over::Done(Err(error)) => (Outcome::Failed, shortened(&error.to_string())),
            Over::TimedOut => {
                let detail = format!("stopped after {:?}", planned.job.timeout);
                (Outcome::TimedOut, detail)
            }
            Over::Lost => (Outcome::Abandoned, "its lease was lost".to_owned()),
            Over::Stopped => (Outcome::Abandoned, "its replica was stopped".to_owned()),
        };
        End {
            time,
            outcome,
            detail,
            settled: (!matches!(over, Over::Stopped)).then(|| settled(planned, claim, time)),
        }
    }

    /// Writes the end down, again and again while nobody else may begin: what is not written is run once more.
    async fn write_down(&self, claim: &Claim, end: &End, until: i64) {
        loop {
            let Err(error) = self.store.end(claim, end).await else {
                return;
            };
            if self.clock.now() >= until {
                tracing::warn!(job = claim.job, %error, "cannot write down how the job ended; it may be run again");
                return;
            }
            self.clock.sleep(AGAIN).await;
        }
    }
}

/// Up to which tick a job is done with, after a run that ended at `now`.
fn settled(planned: &Planned, claim: &Claim, now: i64) -> i64 {
    let done = claim.tick.unwrap_or(claim.last_tick);
    match planned.job.overlap {
        Overlap::RunAfter => done,
        Overlap::Skip => {
            // A tick that was due before somebody asked for a run has not passed during it.
            let waiting = planned.schedule.after(done);
            let due_before = waiting.is_some_and(|tick| tick <= claim.started);
            if claim.tick.is_none() && due_before {
                done
            } else {
                planned.schedule.latest(done, now).unwrap_or(done)
            }
        }
    }
}

/// The work, whose panics are failures like others.
async fn guarded(work: &Work) -> Done {
    let done = AssertUnwindSafe(async { work().await })
        .catch_unwind()
        .await;
    done.unwrap_or_else(|panic| Err(JobError::new(panic_message(panic.as_ref()))))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.as_deref().unwrap_or("?"))
}

/// Counts a run and, where it did something or failed, says so.
fn measure(job: &Job, claim: &Claim, end: &End, over: &Over) {
    let (name, outcome) = (job.name, end.outcome.as_str());
    let took = duration(end.time - claim.started);
    metrics::counter!("cron_runs_total", "job" => name, "outcome" => outcome).increment(1);
    metrics::histogram!("cron_run_seconds", "job" => name).record(took.as_secs_f64());
    let (detail, attempt) = (&end.detail, claim.attempt);
    match over {
        Over::Done(Ok(_)) => {
            #[allow(clippy::cast_precision_loss)] // exact for some hundred thousand years
            let seconds = end.time as f64 / 1_000.0;
            metrics::gauge!("cron_last_success", "job" => name).set(seconds);
            if !detail.is_empty() {
                tracing::info!(job = name, attempt, ?took, "{detail}");
            }
        }
        Over::Stopped => tracing::info!(job = name, attempt, ?took, "given back: {detail}"),
        Over::Done(Err(_)) | Over::TimedOut | Over::Lost => {
            tracing::warn!(
                job = name,
                attempt,
                ?took,
                outcome,
                "the job failed: {detail}"
            );
        }
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// None where it is negative.
pub(super) fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}
