//! Reads all of booking's seats anew from time to time, in case that a change was lost on its way.
//!
//! The stream of changes tells everything, so that a difference is a bug or a damage: it is put right, counted and said.
//! What a replica knows is in its memory, so that each must do this for itself: the tick runs on one of them, and the
//! others follow when they see in the table of the jobs that it has ended.

use std::{sync::Arc, time::Duration};

use durable::cron::{Done, Job, JobError};

use crate::{
    domain::{day::Day, seats::LiveSeats},
    feed::{self, Client},
};

/// What is on its way to this replica is no difference: it is given so many looks to arrive.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// How long it may take.
const TIMEOUT: Duration = Duration::from_mins(2);
/// Days from today until it is certain that flights have not departed, wherever they depart.
const CERTAIN_DAYS: i32 = 2;

/// The job of a replica that keeps `seats`.
pub(crate) fn job(
    schedule: &'static str,
    client: Client,
    seats: Arc<LiveSeats>,
    today: fn() -> Day,
) -> Job {
    let run = move || reconcile(client.clone(), Arc::clone(&seats), today);
    Job::new(
        "reconcile-inventory",
        "Reads all of booking's seats anew and reports what was known otherwise, on every replica.",
        schedule,
        run.clone(),
    )
    .timeout(TIMEOUT)
    .others_follow(run)
}

async fn reconcile(client: Client, seats: Arc<LiveSeats>, today: fn() -> Day) -> Done {
    let before = seats.versions();
    let taken = feed::snapshot(client).await.map_err(JobError::new)?;
    for _ in 0..LOOKS {
        if seats.stale(&taken) == 0 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let found = seats.reconcile(&before, &taken, today().plus(CERTAIN_DAYS));
    for (kind, cabins) in [("stale", found.stale), ("left_over", found.left_over)] {
        metrics::counter!("search_inventory_differences_total", "kind" => kind)
            .increment(cabins as u64);
    }
    let (stale, left_over) = (found.stale, found.left_over);
    if stale + left_over > 0 {
        tracing::warn!(
            stale,
            left_over,
            "seats were not as booking has them; put right"
        );
    }
    Ok(format!(
        "{} cabins compared, {} put right",
        taken.len(),
        stale + left_over
    ))
}
