//! Replicas that go by a clock that stands still.

use std::{sync::Arc, time::Duration};

use durable::{
    Db, Options,
    cron::{self, Cron, Done, Job},
};
use mesh::cron::{Jobs, Run};
use sea_orm_migration::{MigrationTrait, MigratorTrait, async_trait::async_trait};
use testing::clock::StillClock;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// 2026-12-01T00:00:00Z, in Unix milliseconds.
pub(crate) const MIDNIGHT: i64 = 1_796_083_200_000;

struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(cron::Migration)]
    }
}

pub(crate) async fn open(url: &str) -> Db {
    let options = Options {
        url: url.to_owned(),
        variable: "SKYWAY_TEST_DATABASE_URL",
        max_connections: 8,
    };
    Db::open::<Migrator>(&options).await.unwrap()
}

/// Steps of half a second, each when all runs are over that the one before has begun.
pub(crate) async fn pass_idle(clock: &StillClock, seconds: u64, sleepers: usize, db: &Db) {
    let (by, step) = (Duration::from_secs(seconds), Duration::from_millis(500));
    clock.advance_idle(by, step, sleepers, &[db.reader()]).await;
}

/// Waits for what no clock tells.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("it in time");
}

/// A replica that runs.
pub(crate) struct Replica {
    pub cron: Cron,
    pub shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Replica {
    pub(crate) fn start(db: &Db, name: &str, clock: &StillClock, jobs: Vec<Job>) -> Self {
        let cron = Cron::new(db.clone(), "test", name, clock.clone(), jobs).unwrap();
        let shutdown = CancellationToken::new();
        let (running, stop) = (cron.clone(), shutdown.clone());
        Self {
            cron,
            shutdown,
            task: tokio::spawn(async move { running.run(stop).await }),
        }
    }

    /// Ends it between two instructions, as `kill -9` does.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// Waits for its end after a shutdown.
    pub(crate) async fn ended(self) {
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }

    /// The last runs of a job, the newest first.
    pub(crate) async fn runs(&self, job: &str) -> Vec<Run> {
        let mut all = self.cron.list().await.unwrap();
        all.retain(|status| status.name == job);
        all.remove(0).runs
    }
}

/// Work that begins when it is told to, waits for its permit, and counts.
#[derive(Clone)]
pub(crate) struct Gate {
    begun: watch::Sender<u32>,
    permits: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new(permits: usize) -> Self {
        Self {
            begun: watch::Sender::new(0),
            permits: Arc::new(Semaphore::new(permits)),
        }
    }

    pub(crate) fn open(&self, permits: usize) {
        self.permits.add_permits(permits);
    }

    pub(crate) fn begun(&self) -> u32 {
        *self.begun.borrow()
    }

    pub(crate) async fn has_begun(&self, times: u32) {
        let mut begun = self.begun.subscribe();
        let enough = begun.wait_for(|begun| *begun >= times);
        timeout(PATIENCE, enough).await.expect("a run").unwrap();
    }

    /// A job that waits at the gate.
    pub(crate) fn job(&self, schedule: &'static str) -> Job {
        let gate = self.clone();
        Job::new("gated", "Waits.", schedule, move || {
            let gate = gate.clone();
            async move { gate.pass().await }
        })
    }

    async fn pass(&self) -> Done {
        self.begun.send_modify(|begun| *begun += 1);
        self.permits.acquire().await.unwrap().forget();
        Ok("passed".to_owned())
    }
}
