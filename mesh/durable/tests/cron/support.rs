//! A clock that stands still until it is advanced, and replicas that go by it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use durable::{
    Db, Options,
    cron::{self, Clock, Cron, Done, Job},
};
use futures_util::future::BoxFuture;
use mesh::cron::{Jobs, Run};
use sea_orm::DbErr;
use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait::async_trait,
};
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
        vec![Box::new(Tables)]
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "0001_cron"
    }
}

#[async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        cron::create_tables(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        cron::drop_tables(manager).await
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

/// Stands still until it is advanced, and knows who waits for it.
#[derive(Clone)]
pub(crate) struct StillClock(Arc<State>);

struct State {
    now: watch::Sender<i64>,
    /// Until when each sleeper sleeps.
    sleepers: watch::Sender<HashMap<u64, i64>>,
    next: Mutex<u64>,
}

/// Somebody who sleeps, until dropped.
struct Sleeper {
    clock: Arc<State>,
    number: u64,
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.clock.sleepers.send_modify(|sleepers| {
            sleepers.remove(&self.number);
        });
    }
}

impl Clock for StillClock {
    fn now(&self) -> i64 {
        *self.0.now.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        let until = self.now() + i64::try_from(duration.as_millis()).unwrap();
        let number = {
            let mut next = self.0.next.lock().unwrap();
            *next += 1;
            *next
        };
        self.0.sleepers.send_modify(|sleepers| {
            sleepers.insert(number, until);
        });
        let sleeper = Sleeper {
            clock: Arc::clone(&self.0),
            number,
        };
        Box::pin(async move {
            let mut now = sleeper.clock.now.subscribe();
            now.wait_for(|now| *now >= until).await.unwrap();
        })
    }

    fn jitter(&self) -> f64 {
        1.0
    }
}

impl StillClock {
    pub(crate) fn at(now: i64) -> Self {
        Self(Arc::new(State {
            now: watch::Sender::new(now),
            sleepers: watch::Sender::default(),
            next: Mutex::default(),
        }))
    }

    /// Waits until so many sleep and nobody is awake.
    pub(crate) async fn quiet(&self, sleepers: usize) {
        let now = self.now();
        let mut changes = self.0.sleepers.subscribe();
        let all =
            changes.wait_for(|all| all.len() == sleepers && all.values().all(|until| *until > now));
        timeout(PATIENCE, all).await.expect("rest in time").unwrap();
    }

    /// Does what wakes somebody, and waits until so many sleep again.
    pub(crate) async fn after(&self, wake: impl FnOnce(), sleepers: usize) {
        let before = *self.0.next.lock().unwrap();
        wake();
        let mut changes = self.0.sleepers.subscribe();
        let woken = changes.wait_for(|all| all.keys().any(|number| *number > before));
        timeout(PATIENCE, woken).await.expect("somebody").unwrap();
        self.quiet(sleepers).await;
    }

    /// Goes on in steps, none before so many sleep again.
    pub(crate) async fn advance(&self, by: Duration, step: Duration, sleepers: usize) {
        let end = self.now() + i64::try_from(by.as_millis()).unwrap();
        while self.now() < end {
            let step = i64::try_from(step.as_millis()).unwrap();
            self.0.now.send_modify(|now| *now = end.min(*now + step));
            self.quiet(sleepers).await;
        }
    }

    /// Steps of half a second.
    pub(crate) async fn pass(&self, seconds: u64, sleepers: usize) {
        let (by, step) = (Duration::from_secs(seconds), Duration::from_millis(500));
        self.advance(by, step, sleepers).await;
    }
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
