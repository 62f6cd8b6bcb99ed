//! Time that a test has in its hand.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use durable::cron::Clock;
use futures_util::future::BoxFuture;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tokio::{sync::watch, time::timeout};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Stands still until it is advanced, and knows who waits for it.
#[derive(Clone, Debug)]
pub struct StillClock(Arc<State>);

#[derive(Debug)]
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
    /// One that stands at this moment, Unix milliseconds.
    #[must_use]
    pub fn at(now: i64) -> Self {
        Self(Arc::new(State {
            now: watch::Sender::new(now),
            sleepers: watch::Sender::default(),
            next: Mutex::default(),
        }))
    }

    /// Waits until so many sleep and nobody is awake.
    pub async fn quiet(&self, sleepers: usize) {
        let now = self.now();
        let mut changes = self.0.sleepers.subscribe();
        let all =
            changes.wait_for(|all| all.len() == sleepers && all.values().all(|until| *until > now));
        timeout(PATIENCE, all).await.expect("rest in time").unwrap();
    }

    /// Does what wakes somebody, and waits until so many sleep again.
    pub async fn after(&self, wake: impl FnOnce(), sleepers: usize) {
        let before = *self.0.next.lock().unwrap();
        wake();
        let mut changes = self.0.sleepers.subscribe();
        let woken = changes.wait_for(|all| all.keys().any(|number| *number > before));
        timeout(PATIENCE, woken).await.expect("somebody").unwrap();
        self.quiet(sleepers).await;
    }

    /// Goes on in steps, none before so many sleep again.
    pub async fn advance(&self, by: Duration, step: Duration, sleepers: usize) {
        let end = self.now() + i64::try_from(by.as_millis()).unwrap();
        while self.now() < end {
            let step = i64::try_from(step.as_millis()).unwrap();
            self.0.now.send_modify(|now| *now = end.min(*now + step));
            self.quiet(sleepers).await;
        }
    }

    /// Waits until so many sleep and no job of cron runs, as its tables in these databases say: while one runs, whoever
    /// keeps its lease sleeps in the place of whoever runs it.
    pub async fn idle(&self, sleepers: usize, databases: &[&DatabaseConnection]) {
        let all_idle = async {
            loop {
                self.quiet(sleepers).await;
                if running(databases).await == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, all_idle)
            .await
            .expect("an end of all runs");
    }

    /// Goes on in steps, none before all runs that the one before has begun are over.
    pub async fn advance_idle(
        &self,
        by: Duration,
        step: Duration,
        sleepers: usize,
        databases: &[&DatabaseConnection],
    ) {
        let end = self.now() + i64::try_from(by.as_millis()).unwrap();
        while self.now() < end {
            self.advance(step, step, sleepers).await;
            self.idle(sleepers, databases).await;
        }
    }

    /// Steps of half a second.
    pub async fn pass(&self, seconds: u64, sleepers: usize) {
        let (by, step) = (Duration::from_secs(seconds), Duration::from_millis(500));
        self.advance(by, step, sleepers).await;
    }
}

/// Runs that have not ended.
async fn running(databases: &[&DatabaseConnection]) -> i64 {
    let mut running = 0;
    for database in databases {
        let sql = "SELECT COUNT(*) FROM cron_runs WHERE outcome IS NULL";
        let count = Statement::from_string(database.get_database_backend(), sql);
        let row = database.query_one_raw(count).await.unwrap().unwrap();
        running += row.try_get_by_index::<i64>(0).unwrap();
    }
    running
}
