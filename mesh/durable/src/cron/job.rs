//! What a job is: a name, when it runs, what it does, and within which bounds.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};

use super::schedule::{Schedule, ScheduleError};

/// How long a run may take, unless said otherwise.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Why a job could not do all of what it is for; shown to administrators, and logged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JobError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl JobError {
    /// It failed for this reason.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// What came of a run: what it did, for people, and nothing where there was nothing to do.
pub type Done = Result<String, JobError>;

/// What an audit came to, by promise and rows that break it.
///
/// # Errors
/// Where a promise is broken.
pub fn audited<'a>(checks: impl IntoIterator<Item = (&'a str, u64)>) -> Done {
    let (mut promises, mut broken) = (0, Vec::new());
    for (promise, violations) in checks {
        promises += 1;
        if violations > 0 {
            broken.push(format!("{promise} is broken {violations} times"));
        }
    }
    if broken.is_empty() {
        Ok(format!("{promises} promises kept"))
    } else {
        Err(JobError::new(broken.join(", ")))
    }
}

/// What becomes of the ticks that pass while a run is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// Nothing: the next one is the first after the run.
    #[default]
    Skip,
    /// One run follows right after, however many there were.
    RunAfter,
}

pub(super) type Work = Arc<dyn Fn() -> BoxFuture<'static, Done> + Send + Sync>;

/// Something that a service does by the clock.
#[derive(Clone)]
pub struct Job {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    expression: Cow<'static, str>,
    zone: &'static str,
    pub(super) jitter: Duration,
    pub(super) timeout: Duration,
    pub(super) overlap: Overlap,
    pub(super) work: Work,
    pub(super) follow: Option<Work>,
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Job")
            .field("name", &self.name)
            .field("expression", &self.expression)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}

impl Job {
    /// A job in UTC, without jitter, of a minute at most, that skips the ticks that pass while it runs.
    /// Its name is unique in the mesh and at most 64 bytes; its schedule a cron expression with seconds. What it does
    /// must be safe to do again: a replica that dies while it runs is followed by another.
    #[must_use]
    pub fn new<F>(
        name: &'static str,
        description: &'static str,
        schedule: impl Into<Cow<'static, str>>,
        run: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Done> + Send + 'static,
    {
        Self {
            name,
            description,
            expression: schedule.into(),
            zone: "UTC",
            jitter: Duration::ZERO,
            timeout: TIMEOUT,
            overlap: Overlap::default(),
            work: Arc::new(move || run().boxed()),
            follow: None,
        }
    }

    /// IANA time zone of its schedule.
    #[must_use]
    pub const fn zone(mut self, zone: &'static str) -> Self {
        self.zone = zone;
        self
    }

    /// It begins up to so much after its tick, so that jobs of one tick do not all begin at once.
    #[must_use]
    pub const fn jitter(mut self, most: Duration) -> Self {
        self.jitter = most;
        self
    }

    /// How long a run may take.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What becomes of ticks that pass while it runs.
    #[must_use]
    pub const fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// What every other replica does when it sees, within a second or so, that a run has ended: for what each of them
    /// keeps for itself. It is not told of in the history.
    #[must_use]
    pub fn others_follow<F>(mut self, run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Done> + Send + 'static,
    {
        self.follow = Some(Arc::new(move || run().boxed()));
        self
    }

    pub(super) fn schedule(&self) -> Result<Schedule, ScheduleError> {
        Schedule::new(self.name, self.expression.clone(), self.zone)
    }
}
