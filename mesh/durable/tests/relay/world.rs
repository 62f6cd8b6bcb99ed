//! A queue and a consumer in memory that fail and forget on demand, and a database between them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use durable::{
    Db, lease,
    outbox::{self, Event},
    queue::{DeadLetter, Delivery, Depth, NewMessage, Queue, QueueError, SqlLog},
    relay::{Consumer, ConsumerError, Options, Relay},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The topic of all tests.
pub(crate) const TOPIC: &str = "mail";

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Tables)]
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "0001_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        outbox::create_table(manager).await?;
        lease::create_table(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        lease::drop_table(manager).await?;
        outbox::drop_table(manager).await
    }
}

/// An empty database with the tables of a relay.
pub(crate) async fn open(url: &str) -> Db {
    let options = durable::Options {
        url: url.to_owned(),
        variable: "SKYWAY_TEST_DATABASE_URL",
        max_connections: 8,
    };
    Db::open::<Migrator>(&options).await.unwrap()
}

pub(crate) use mesh::clock::milliseconds as now;

/// Waits for a condition, a minute at most.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "waited a minute for: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What becomes of a publication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Publishing {
    #[default]
    Works,
    /// Nothing arrives.
    Fails,
    /// All arrives, and the answer is lost.
    AnswerLost,
    /// There is no answer at all.
    Hangs,
}

#[derive(Default)]
struct Held {
    messages: BTreeMap<u64, NewMessage>,
    next: u64,
    publishing: Publishing,
    largest_batch: usize,
    attempts: usize,
    /// Every message when it was published first.
    first: Vec<NewMessage>,
    known: HashSet<String>,
}

/// A queue.
#[derive(Clone, Default)]
pub(crate) struct Lane(Arc<Mutex<Held>>);

impl Lane {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap()
    }

    pub(crate) fn set(&self, publishing: Publishing) {
        self.held().publishing = publishing;
    }

    /// Forgets those of its messages.
    pub(crate) fn lose(&self, lost: impl Fn(&NewMessage) -> bool) {
        self.held().messages.retain(|_, message| !lost(message));
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let held = self.held();
        held.messages
            .values()
            .map(|message| message.id.clone())
            .collect()
    }

    pub(crate) fn first(&self) -> Vec<NewMessage> {
        self.held().first.clone()
    }

    pub(crate) fn largest_batch(&self) -> usize {
        self.held().largest_batch
    }

    pub(crate) fn attempts(&self) -> usize {
        self.held().attempts
    }
}

impl Held {
    fn publish(&mut self, messages: &[NewMessage]) {
        self.largest_batch = self.largest_batch.max(messages.len());
        for message in messages {
            if self.known.insert(message.id.clone()) {
                self.first.push(message.clone());
            }
            if self.messages.values().all(|held| held.id != message.id) {
                self.messages.insert(self.next, message.clone());
                self.next += 1;
            }
        }
    }
}

impl Queue for Lane {
    async fn publish(&self, messages: &[NewMessage]) -> Result<(), QueueError> {
        let publishing = {
            let mut held = self.held();
            held.attempts += 1;
            let publishing = held.publishing;
            if matches!(publishing, Publishing::Works | Publishing::AnswerLost) {
                held.publish(messages);
            }
            publishing
        };
        match publishing {
            Publishing::Works => Ok(()),
            Publishing::Hangs => std::future::pending().await,
            Publishing::Fails | Publishing::AnswerLost => Err(QueueError::new("away")),
        }
    }

    async fn missing(&self, ids: &[String]) -> Result<Vec<String>, QueueError> {
        let held = self.held();
        if held.publishing != Publishing::Works {
            return Err(QueueError::new("away"));
        }
        let holds = |id: &String| held.messages.values().any(|message| message.id == *id);
        Ok(ids.iter().filter(|id| !holds(id)).cloned().collect())
    }

    async fn take(&self, _: &str, _: usize, _: Duration) -> Result<Vec<Delivery>, QueueError> {
        Err(QueueError::new("not part of relaying"))
    }

    async fn keep(&self, _: &str, _: &[Delivery]) -> Result<(), QueueError> {
        Err(QueueError::new("not part of relaying"))
    }

    async fn settle(&self, _: &[Delivery]) -> Result<(), QueueError> {
        Err(QueueError::new("not part of relaying"))
    }

    async fn give_back(&self, _: &[Delivery], _: Duration) -> Result<(), QueueError> {
        Err(QueueError::new("not part of relaying"))
    }

    async fn retry(&self, _: &Delivery, _: Duration) -> Result<(), QueueError> {
        Err(QueueError::new("not part of relaying"))
    }

    async fn bury(&self, _: &Delivery, _: &str) -> Result<(), QueueError> {
        Err(QueueError::new("not part of relaying"))
    }

    async fn dead(&self, _: Option<&str>, _: usize) -> Result<Vec<DeadLetter>, QueueError> {
        Err(QueueError::new("not part of relaying"))
    }

    async fn redrive(&self, _: &str) -> Result<bool, QueueError> {
        Err(QueueError::new("not part of relaying"))
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        Err(QueueError::new("not part of relaying"))
    }

    async fn turn(&self, _: f64, _: u32) -> Result<Duration, QueueError> {
        Err(QueueError::new("not part of relaying"))
    }
}

/// A consumer with the record that it keeps.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    ids: HashSet<String>,
    away: bool,
    largest_page: usize,
}

impl Inbox {
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap()
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.recorded().away = away;
    }

    pub(crate) fn ids(&self) -> HashSet<String> {
        self.recorded().ids.clone()
    }

    pub(crate) fn largest_page(&self) -> usize {
        self.recorded().largest_page
    }

    /// Takes the first messages of a queue: records them, and then lets the queue forget them.
    pub(crate) fn consume(&self, lane: &Lane, most: usize) {
        let ids: Vec<String> = lane.ids().into_iter().take(most).collect();
        self.recorded().ids.extend(ids.iter().cloned());
        lane.lose(|message| ids.contains(&message.id));
    }
}

impl Consumer for Inbox {
    async fn settled(&self, ids: &[String]) -> Result<Vec<String>, ConsumerError> {
        let mut recorded = self.recorded();
        if recorded.away {
            return Err(ConsumerError::new("away"));
        }
        recorded.largest_page = recorded.largest_page.max(ids.len());
        let settled = ids.iter().filter(|id| recorded.ids.contains(*id));
        Ok(settled.cloned().collect())
    }
}

/// A relay at work.
pub(crate) struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Tells it to stop and waits for it.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }

    /// Ends it between any two of its steps.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// Everything that a test needs.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) log: SqlLog,
    pub(crate) lane: Lane,
    pub(crate) inbox: Inbox,
}

impl World {
    pub(crate) async fn new(url: &str) -> Self {
        let db = open(url).await;
        Self {
            log: SqlLog::new(db.clone()),
            db,
            lane: Lane::default(),
            inbox: Inbox::default(),
        }
    }

    /// A replica that relays, impatient but for its lease.
    pub(crate) fn relay(&self, lease: Duration) -> Running {
        let millis = Duration::from_millis;
        let options = Options {
            lease,
            claim_every: millis(10),
            settle_every: millis(10),
            sweep_every: millis(40),
            patience: millis(20),
            first_delay: millis(2),
            most_delay: millis(20),
            call_timeout: millis(500),
            ..Options::new(now)
        };
        // A log of its own: what another replica commits wakes nobody here.
        let log = SqlLog::new(self.db.clone());
        let relay = Relay::new(log, TOPIC, self.lane.clone(), self.inbox.clone(), options);
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { relay.run(&stop).await });
        Running { shutdown, task }
    }

    /// Commits events, named by their aggregate and a number.
    pub(crate) async fn commit(&self, events: &[(&str, usize)]) {
        let tx = self.db.begin().await.unwrap();
        write(&tx, events).await;
        tx.commit().await.unwrap();
        self.log.wake();
    }

    /// The numbers of the rows, and the ids of their messages.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let query = "SELECT message_id FROM outbox WHERE topic = 'mail' ORDER BY id";
        let query = Statement::from_string(self.db.backend(), query);
        let rows = self.db.reader().query_all_raw(query).await.unwrap();
        rows.iter()
            .map(|row| row.try_get("", "message_id").unwrap())
            .collect()
    }

    pub(crate) async fn is_empty(&self) -> bool {
        self.rows().await.is_empty()
    }
}

/// Writes events as part of a transaction.
pub(crate) async fn write(tx: &DatabaseTransaction, events: &[(&str, usize)]) {
    let events = events.iter().map(|(aggregate, number)| Event {
        topic: TOPIC,
        aggregate: (*aggregate).to_owned(),
        message_id: Some(format!("{aggregate}-{number}")),
        payload: number.to_be_bytes().to_vec(),
    });
    outbox::append(tx, now(), events).await.unwrap();
}
