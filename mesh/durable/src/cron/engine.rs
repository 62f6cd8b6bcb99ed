//! Looks for ticks that are due, one loop per job.

use std::{fmt, sync::Arc, time::Duration};

use mesh::cron::{CronError, JobStatus, Jobs, Run};
use sea_orm::DbErr;
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    clock::Clock,
    job::Job,
    run::{duration, millis},
    schedule::{Schedule, ScheduleError},
    store::{Claim, Store},
    table,
};
use crate::Db;

/// Between two looks at a row at most: what other replicas did is seen so late.
const LOOK: Duration = Duration::from_secs(1);
/// How long a replica that says nothing keeps the right to run a job.
const LEASE: Duration = Duration::from_secs(5);
/// Attempts at one tick: a job that kills whoever runs it waits for the next tick then.
const MOST_ATTEMPTS: i32 = 5;
/// Runs that are told of a job.
const RUNS_TOLD: i64 = 10;

/// The jobs of a service on one replica. Clones are the same.
#[derive(Clone)]
pub struct Cron(Arc<Inner>);

impl fmt::Debug for Cron {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.jobs.iter().map(|planned| planned.job.name);
        formatter.debug_list().entries(names).finish()
    }
}

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lease: Duration,
    pub(super) stop: CancellationToken,
    service: &'static str,
    replica: String,
    jobs: Vec<Arc<Planned>>,
    /// Begins the owner of every run of this replica: 16 random hexadecimal digits.
    id: String,
    /// The runs that somebody asked for.
    asked: TaskTracker,
}

/// A job and when it runs.
pub(super) struct Planned {
    pub(super) job: Job,
    pub(super) schedule: Schedule,
}

/// What one loop remembers of its job.
#[derive(Default)]
struct Memory {
    /// The tick waited for, and how much later than that it begins.
    waiting: Option<(i64, i64)>,
    /// The newest epoch that has been seen to end.
    seen: Option<i64>,
    /// Whether the last look failed.
    failing: bool,
}

impl Cron {
    /// Plans jobs of `service`, kept in `db`, for the replica that others know as `replica`.
    ///
    /// # Errors
    /// Where a schedule or zone is none, or never comes, or two jobs have one name.
    pub fn new(
        db: Db,
        service: &'static str,
        replica: impl Into<String>,
        clock: impl Clock,
        jobs: impl IntoIterator<Item = Job>,
    ) -> Result<Self, ScheduleError> {
        let mut planned: Vec<Arc<Planned>> = Vec::new();
        for job in jobs {
            if planned.iter().any(|other| other.job.name == job.name) {
                return Err(ScheduleError::Twice(job.name));
            }
            let schedule = job.schedule()?;
            if schedule.after(clock.now()).is_none() {
                return Err(ScheduleError::Never {
                    job: job.name,
                    expression: schedule.expression().to_owned(),
                });
            }
            planned.push(Arc::new(Planned { job, schedule }));
        }
        planned.sort_by_key(|planned| planned.job.name);
        Ok(Self(Arc::new(Inner {
            store: Store(db),
            clock: Arc::new(clock),
            lease: LEASE,
            stop: CancellationToken::new(),
            service,
            replica: replica.into(),
            jobs: planned,
            id: format!("{:016x}", fastrand::u64(..)),
            asked: TaskTracker::new(),
        })))
    }

    /// Runs what is due until `shutdown`, then lets what is running come to its end or gives it back. Dropped before
    /// that, it leaves its runs to others, as if the replica had died.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut loops = JoinSet::new();
        for planned in &self.0.jobs {
            let (inner, planned) = (Arc::clone(&self.0), Arc::clone(planned));
            loops.spawn(async move { inner.watch(&planned).await });
        }
        shutdown.cancelled().await;
        self.0.stop.cancel();
        while loops.join_next().await.is_some() {}
        self.0.asked.close();
        self.0.asked.wait().await;
    }

    /// Runs what is due while something serves, and waits for both when that has ended by itself or by `shutdown`.
    pub async fn beside<T>(
        &self,
        serving: impl Future<Output = T>,
        shutdown: &CancellationToken,
    ) -> T {
        let stop = shutdown.child_token();
        let serving = async {
            let outcome = serving.await;
            stop.cancel();
            outcome
        };
        let (outcome, ()) = tokio::join!(serving, self.run(stop.clone()));
        outcome
    }
}

impl Jobs for Cron {
    async fn list(&self) -> Result<Vec<JobStatus>, CronError> {
        let inner = &self.0;
        let now = inner.clock.now();
        let names = inner.jobs.iter().map(|planned| planned.job.name);
        let runs = inner.store.runs(names, RUNS_TOLD).await;
        let mut runs = runs.map_err(|error| unavailable(inner.service, &error))?;
        let told = |planned: &Arc<Planned>| JobStatus {
            name: planned.job.name.to_owned(),
            service: inner.service.to_owned(),
            description: planned.job.description.to_owned(),
            schedule: planned.schedule.expression().to_owned(),
            time_zone: planned.schedule.zone().to_owned(),
            next: planned.schedule.after(now),
            runs: runs.remove(planned.job.name).unwrap_or_default(),
        };
        Ok(inner.jobs.iter().map(told).collect())
    }

    async fn run_now(&self, name: &str) -> Result<Run, CronError> {
        let planned = self.0.jobs.iter().find(|planned| planned.job.name == name);
        let Some(planned) = planned else {
            return Err(CronError::NotFound(name.to_owned()));
        };
        let (inner, planned) = (Arc::clone(&self.0), Arc::clone(planned));
        // Apart from whoever waits: a run does not end because somebody hangs up.
        let run = self
            .0
            .asked
            .spawn(async move { inner.run_asked(&planned).await });
        run.await.unwrap_or(Err(CronError::Unavailable))
    }
}

impl Inner {
    /// Runs a job whenever it is due, until the replica stops.
    async fn watch(&self, planned: &Planned) {
        let mut memory = Memory::default();
        while !self.stop.is_cancelled() {
            let looked = self.look(planned, &mut memory).await;
            if let Err(error) = &looked
                && !memory.failing
            {
                tracing::warn!(job = planned.job.name, %error, "cannot look whether the job is due; it goes on when the database answers");
            }
            memory.failing = looked.is_err();
            let pause = self.clock.sleep(looked.unwrap_or(LOOK));
            self.stop.run_until_cancelled(pause).await;
        }
    }

    /// Runs a job if it is due; gives how long it can be left alone.
    async fn look(&self, planned: &Planned, memory: &mut Memory) -> Result<Duration, DbErr> {
        let now = self.clock.now();
        let row = self.store.job(planned.job.name, now).await?;
        if row.lease_until > now {
            return Ok(at_most_a_look(row.lease_until - now));
        }
        if self.follow(planned, &row, memory).await {
            return Ok(Duration::ZERO);
        }
        let (tick, attempt) = match row.tick {
            Some(tick) if row.attempt < MOST_ATTEMPTS => (tick, row.attempt + 1),
            given_up => {
                let last_tick = row.last_tick.max(given_up.unwrap_or(i64::MIN));
                match self.due(planned, last_tick, now, memory) {
                    Ok(due) => (due, 1),
                    Err(wait) => return Ok(wait),
                }
            }
        };
        let claim = self.claim(planned, &row, Some(tick), attempt, now);
        self.perform(planned, &claim).await?;
        Ok(Duration::ZERO)
    }

    /// The tick that is due, which stands for all that were missed; else how long there is none.
    fn due(
        &self,
        planned: &Planned,
        last_tick: i64,
        now: i64,
        memory: &mut Memory,
    ) -> Result<i64, Duration> {
        let schedule = &planned.schedule;
        let next = schedule.after(last_tick).ok_or(LOOK)?;
        let delay = match memory.waiting {
            Some((tick, delay)) if tick == next => delay,
            _ => millis(
                planned
                    .job
                    .jitter
                    .mul_f64(self.clock.jitter().clamp(0.0, 1.0)),
            ),
        };
        memory.waiting = Some((next, delay));
        let wait = next.saturating_add(delay).saturating_sub(now);
        if wait > 0 {
            return Err(at_most_a_look(wait));
        }
        Ok(schedule.latest(last_tick, now).unwrap_or(next))
    }

    /// Does what a replica does when another one has ended a run; gives whether there was anything to do.
    async fn follow(
        &self,
        planned: &Planned,
        row: &table::job::Model,
        memory: &mut Memory,
    ) -> bool {
        if row.tick.is_some() {
            return false;
        }
        let seen = memory.seen.replace(row.epoch);
        let news = seen.is_some_and(|seen| seen < row.epoch) && !row.owner.starts_with(&self.id);
        if let (true, Some(work)) = (news, &planned.job.follow) {
            self.perform_following(&planned.job, work).await;
            return true;
        }
        false
    }

    /// The right to run a job next, as the replica would take it.
    fn claim(
        &self,
        planned: &Planned,
        row: &table::job::Model,
        tick: Option<i64>,
        attempt: i32,
        now: i64,
    ) -> Claim {
        Claim {
            job: planned.job.name,
            epoch: row.epoch + 1,
            owner: format!("{}{:016x}", self.id, fastrand::u64(..)),
            replica: self.replica.clone(),
            tick,
            attempt,
            started: now,
            last_tick: row.last_tick,
        }
    }

    async fn run_asked(&self, planned: &Planned) -> Result<Run, CronError> {
        let name = planned.job.name;
        if self.stop.is_cancelled() {
            return Err(CronError::Unavailable);
        }
        let now = self.clock.now();
        let row = self.store.job(name, now).await;
        let row = row.map_err(|error| unavailable(name, &error))?;
        // A tick whose replica has died is as good as running: another one is about to take it.
        if row.lease_until > now || row.tick.is_some() {
            return Err(CronError::Running(name.to_owned()));
        }
        let claim = self.claim(planned, &row, None, 1, now);
        let run = self.perform(planned, &claim).await;
        run.map_err(|error| unavailable(name, &error))?
            .ok_or_else(|| CronError::Running(name.to_owned()))
    }
}

fn at_most_a_look(wait: i64) -> Duration {
    LOOK.min(duration(wait))
}

fn unavailable(job: &str, error: &DbErr) -> CronError {
    tracing::warn!(job, %error, "the database of the jobs does not answer");
    CronError::Unavailable
}
