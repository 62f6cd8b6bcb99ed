//! Cron: what a service does by the clock, each tick on exactly one of its replicas.
//!
//! Every replica looks at a job's row when a tick is due, and at least once a second; whoever changes the row first runs
//! the tick. The change names the row's epoch and takes a lease, which is renewed while the job runs:
//!
//! - a replica that dies in the middle is followed by another one when its lease is over: the same tick, attempt 2;
//! - ticks that nobody ran, since all were away, are made up for by one run;
//! - a replica that shuts down gives a run of its own some time and then gives it back, for others to begin it at once;
//! - a replica that loses its lease stops the run: others have been told that they may begin.
//!
//! So a tick is run at least once, and once unless a replica dies or its database does not answer for a whole lease.
//! Leases compare what the replicas' clocks say, which must agree to about a second.

mod clock;
mod engine;
mod job;
mod run;
mod schedule;
mod store;
mod table;

pub use self::{
    clock::{Clock, SharedClock},
    engine::Cron,
    job::{Done, Job, JobError, Overlap, audited},
    schedule::ScheduleError,
    table::Migration,
};
