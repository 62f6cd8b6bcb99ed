//! Cron as its contract has it, once for all services: whatever keeps and runs a service's jobs is a [`Jobs`].

use std::net::SocketAddr;

use contracts::operations::v1::{
    CronJob, CronOutcome, CronRun, ListCronJobsRequest, ListCronJobsResponse, RunCronJobRequest,
    cron_service_server::CronService,
};
use prost_types::Timestamp;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

use crate::status::{Fault, Kind};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did all there was to do.
    Succeeded,
    /// It could not do all of it.
    Failed,
    /// It took longer than it may, and was stopped.
    TimedOut,
    /// The replica that ran it went away; another run took its place.
    Abandoned,
}

impl Outcome {
    /// Its name in databases and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Abandoned => "abandoned",
        }
    }

    /// The outcome of such a name; none where it is none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Succeeded,
            Self::Failed,
            Self::TimedOut,
            Self::Abandoned,
        ]
        .into_iter()
        .find(|outcome| outcome.as_str() == name)
    }
}

/// A run of a job. Times are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The tick that it is for; none where somebody asked for it.
    pub tick: Option<i64>,
    /// Which attempt at the tick, from 1.
    pub attempt: u32,
    /// Who ran it.
    pub replica: String,
    /// When it began.
    pub start: i64,
    /// When it ended; none while it runs.
    pub end: Option<i64>,
    /// How it ended; none while it runs.
    pub outcome: Option<Outcome>,
    /// What it did or why it failed, for people.
    pub detail: String,
}

/// A job and its last runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStatus {
    /// Its name, unique in the mesh.
    pub name: String,
    /// The service whose job it is.
    pub service: String,
    /// What it does, for people.
    pub description: String,
    /// A cron expression with seconds.
    pub schedule: String,
    /// IANA time zone of the expression.
    pub time_zone: String,
    /// When it runs next, Unix milliseconds; none where it never will.
    pub next: Option<i64>,
    /// Its last runs, the newest first.
    pub runs: Vec<Run>,
}

/// Why a job cannot be told of or run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// The service has no such job.
    #[error("there is no job {0:?} here")]
    NotFound(String),
    /// A replica runs it.
    #[error("{0:?} is running already")]
    Running(String),
    /// The database cannot be asked, or the replica shuts down. The cause has been logged.
    #[error("jobs are unavailable")]
    Unavailable,
}

impl From<CronError> for Status {
    fn from(error: CronError) -> Self {
        let (kind, reason) = match &error {
            CronError::NotFound(_) => (Kind::NotFound, "CRON_JOB_NOT_FOUND"),
            // It can be tried again: the run that is in the way ends.
            CronError::Running(_) => (Kind::Aborted, "CRON_JOB_RUNNING"),
            CronError::Unavailable => (Kind::Unavailable, "DATABASE_UNAVAILABLE"),
        };
        let fault = Fault::new(kind, reason, error.to_string());
        match error {
            CronError::NotFound(name) | CronError::Running(name) => fault.with("job", name),
            CronError::Unavailable => fault,
        }
        .into()
    }
}

/// How the runs of a replica are told from those of others: by where it listens, or by its host, where it listens
/// everywhere.
#[must_use]
pub fn replica(listener: &TcpListener) -> String {
    let address = listener.local_addr();
    address.map_or_else(|_| "unknown".to_owned(), |address| named(address, host()))
}

fn named(address: SocketAddr, host: Option<String>) -> String {
    match host {
        Some(host) if address.ip().is_unspecified() => format!("{host}:{}", address.port()),
        _ => address.to_string(),
    }
}

/// The name of this host, which is a container's id in a container; not known where the kernel is not Linux.
fn host() -> Option<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let host = host.trim();
    (!host.is_empty()).then(|| host.to_owned())
}

/// Keeps and runs the jobs of a service.
pub trait Jobs: Send + Sync + 'static {
    /// All jobs in order of their names, each with its last runs.
    fn list(&self) -> impl Future<Output = Result<Vec<JobStatus>, CronError>> + Send;

    /// Runs a job beside its schedule and waits for its end, which comes also where nobody waits any more.
    fn run_now(&self, name: &str) -> impl Future<Output = Result<Run, CronError>> + Send;
}

/// Serves [`CronService`].
#[derive(Clone, Debug)]
pub struct Cron<J>(pub J);

#[tonic::async_trait]
impl<J: Jobs> CronService for Cron<J> {
    async fn list_cron_jobs(
        &self,
        _: Request<ListCronJobsRequest>,
    ) -> Result<Response<ListCronJobsResponse>, Status> {
        let jobs = self.0.list().await?;
        Ok(Response::new(ListCronJobsResponse {
            cron_jobs: jobs.into_iter().map(job).collect(),
        }))
    }

    async fn run_cron_job(
        &self,
        request: Request<RunCronJobRequest>,
    ) -> Result<Response<CronRun>, Status> {
        let done = self.0.run_now(&request.into_inner().name).await?;
        Ok(Response::new(run(done)))
    }
}

fn job(job: JobStatus) -> CronJob {
    CronJob {
        name: job.name,
        service: job.service,
        description: job.description,
        schedule: job.schedule,
        time_zone: job.time_zone,
        next_time: job.next.map(timestamp),
        runs: job.runs.into_iter().map(run).collect(),
    }
}

fn run(run: Run) -> CronRun {
    let outcome = match run.outcome {
        None => CronOutcome::Unspecified,
        Some(Outcome::Succeeded) => CronOutcome::Succeeded,
        Some(Outcome::Failed) => CronOutcome::Failed,
        Some(Outcome::TimedOut) => CronOutcome::TimedOut,
        Some(Outcome::Abandoned) => CronOutcome::Abandoned,
    };
    CronRun {
        tick_time: run.tick.map(timestamp),
        attempt: run.attempt,
        replica: run.replica,
        start_time: Some(timestamp(run.start)),
        end_time: run.end.map(timestamp),
        outcome: outcome.into(),
        detail: run.detail,
    }
}

fn timestamp(milliseconds: i64) -> Timestamp {
    let nanos = milliseconds.rem_euclid(1_000) * 1_000_000;
    Timestamp {
        seconds: milliseconds.div_euclid(1_000),
        nanos: i32::try_from(nanos).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::status::reason;

    /// One job, that can be run unless it runs.
    struct One {
        running: bool,
    }

    impl Jobs for One {
        async fn list(&self) -> Result<Vec<JobStatus>, CronError> {
            Ok(vec![JobStatus {
                name: "tidy".to_owned(),
                service: "test".to_owned(),
                description: "Tidies.".to_owned(),
                schedule: "0 0 * * * *".to_owned(),
                time_zone: "UTC".to_owned(),
                next: Some(3_600_000),
                runs: vec![manual()],
            }])
        }

        async fn run_now(&self, name: &str) -> Result<Run, CronError> {
            match name {
                "tidy" if self.running => Err(CronError::Running(name.to_owned())),
                "tidy" => Ok(manual()),
                _ => Err(CronError::NotFound(name.to_owned())),
            }
        }
    }

    fn manual() -> Run {
        Run {
            tick: None,
            attempt: 1,
            replica: "127.0.0.1:1".to_owned(),
            start: 1_500,
            end: Some(2_001),
            outcome: Some(Outcome::Succeeded),
            detail: "3 things tidied".to_owned(),
        }
    }

    async fn ask(running: bool, name: &str) -> Result<CronRun, Status> {
        let request = RunCronJobRequest {
            name: name.to_owned(),
        };
        let cron = Cron(One { running });
        let answer = cron.run_cron_job(Request::new(request)).await;
        answer.map(Response::into_inner)
    }

    #[tokio::test]
    async fn a_job_is_told_as_it_is() {
        let answer =
            Cron(One { running: false }).list_cron_jobs(Request::new(ListCronJobsRequest {}));
        let job = answer.await.unwrap().into_inner().cron_jobs.remove(0);
        assert_eq!(job.next_time.unwrap().seconds, 3_600);
        assert_eq!(job.runs, [ask(false, "tidy").await.unwrap()]);
        let run = &job.runs[0];
        assert_eq!(
            (run.tick_time, run.outcome(), run.attempt),
            (None, CronOutcome::Succeeded, 1)
        );
        let (start, end) = (run.start_time.unwrap(), run.end_time.unwrap());
        assert_eq!((start.seconds, start.nanos), (1, 500_000_000));
        assert_eq!((end.seconds, end.nanos), (2, 1_000_000));
    }

    #[tokio::test]
    async fn a_refusal_has_its_reason() {
        for (running, name, code, expected) in [
            (true, "tidy", Code::Aborted, "CRON_JOB_RUNNING"),
            (false, "other", Code::NotFound, "CRON_JOB_NOT_FOUND"),
        ] {
            let status = ask(running, name).await.unwrap_err();
            assert_eq!(status.code(), code);
            assert_eq!(reason(&status).as_deref(), Some(expected));
        }
    }
    #[test]
    fn a_replica_that_listens_everywhere_is_known_by_its_host() {
        let host = || Some("5f2c".to_owned());
        for (address, host, name) in [
            ("0.0.0.0:50052", host(), "5f2c:50052"),
            ("[::]:50052", host(), "5f2c:50052"),
            ("127.0.0.1:50052", host(), "127.0.0.1:50052"),
            ("0.0.0.0:50052", None, "0.0.0.0:50052"),
        ] {
            assert_eq!(named(address.parse().unwrap(), host), name);
        }
    }
}
