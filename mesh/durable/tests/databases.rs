//! What every kind of database must do alike: migrate once, keep transactions apart, feed a log.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::HashSet, time::Duration};

use durable::{
    Db, Options, Transient,
    outbox::{self, Event},
    queue::{Follower as _, Log as _, SqlLog},
    retry,
};
use sea_orm::{ConnectionTrait, DbErr, Statement};
use sea_orm_migration::prelude::*;
use testing::each_database;

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
        let table = Table::create()
            .table("seats")
            .col(
                ColumnDef::new("flight")
                    .string_len(32)
                    .not_null()
                    .primary_key(),
            )
            .col(ColumnDef::new("held").integer().not_null())
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("seats").take())
            .await?;
        outbox::drop_table(manager).await
    }
}

async fn open(url: &str) -> Db {
    let options = Options {
        url: url.to_owned(),
        variable: "SKYWAY_TEST_DATABASE_URL",
        max_connections: 8,
    };
    Db::open::<Migrator>(&options).await.unwrap()
}

fn event(number: usize) -> Event {
    Event {
        topic: "test",
        aggregate: format!("flight-{}", number % 3),
        message_id: None,
        payload: number.to_be_bytes().to_vec(),
    }
}

async fn append(db: &Db, events: Vec<Event>) {
    let tx = db.begin().await.unwrap();
    outbox::append(&tx, 1_000, events).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_migrate_once_and_all_can_go_back() {
    each_database(async |url| {
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let url = url.clone();
            starts.spawn(async move { open(&url).await });
        }
        let dbs = starts.join_all().await;
        Migrator::down(dbs[0].reader(), None).await.unwrap();
        assert!(
            dbs[0]
                .reader()
                .execute_unprepared("SELECT * FROM seats")
                .await
                .is_err()
        );
        Migrator::up(dbs[0].reader(), None).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_differ_in_case_are_different() {
    each_database(async |url| {
        let db = open(&url).await;
        for key in ["a", "A"] {
            let insert = format!("INSERT INTO seats (flight, held) VALUES ('{key}', 0)");
            db.reader().execute_unprepared(&insert).await.unwrap();
        }
    })
    .await;
}

/// Reads and writes back, which loses updates unless the database keeps transactions apart.
async fn increment(db: &Db, flights: [&str; 2]) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    for flight in flights {
        let update = format!("UPDATE seats SET held = held + 1 WHERE flight = '{flight}'");
        tx.execute_unprepared(&update).await?;
    }
    tx.commit().await
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_deadlock_are_done_again() {
    each_database(async |url| {
        let db = open(&url).await;
        db.reader()
            .execute_unprepared("INSERT INTO seats (flight, held) VALUES ('x', 0), ('y', 0)")
            .await
            .unwrap();
        let mut work = tokio::task::JoinSet::new();
        for number in 0..8 {
            let db = db.clone();
            let flights = if number % 2 == 0 {
                ["x", "y"]
            } else {
                ["y", "x"]
            };
            work.spawn(async move { retry("test", || increment(&db, flights)).await });
        }
        for outcome in work.join_all().await {
            outcome.unwrap();
        }
        let sum = Statement::from_string(db.backend(), "SELECT held FROM seats");
        let rows = db.reader().query_all_raw(sum).await.unwrap();
        let held: Vec<i32> = rows
            .iter()
            .map(|row| row.try_get("", "held").unwrap())
            .collect();
        assert_eq!(held, [8, 8]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_statement_is_not_worth_another_try() {
    each_database(async |url| {
        let db = open(&url).await;
        let error = db
            .reader()
            .execute_unprepared("INSERT INTO nowhere VALUES (1)")
            .await
            .unwrap_err();
        assert!(!error.transient(), "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_tells_everything_that_is_committed_after_it_began() {
    each_database(async |url| {
        let db = open(&url).await;
        append(&db, vec![event(999)]).await;
        let log = SqlLog::new(db.clone());
        let mut follower = log.follow("test").await.unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let (db, log) = (db.clone(), log.clone());
            writers.spawn(async move {
                for number in 0..10 {
                    let tx = db.begin().await.unwrap();
                    outbox::append(&tx, 1_000, [event(writer * 10 + number)])
                        .await
                        .unwrap();
                    if number % 4 == 3 {
                        tx.rollback().await.unwrap();
                    } else {
                        tx.commit().await.unwrap();
                        log.wake();
                    }
                }
            });
        }
        let expected: HashSet<usize> = (0..80).filter(|number| number % 10 % 4 != 3).collect();
        let mut seen = HashSet::new();
        while seen.len() < expected.len() {
            let next = tokio::time::timeout(Duration::from_secs(20), follower.next());
            for message in next.await.expect("everything in time").unwrap() {
                let number = usize::from_be_bytes(message.payload.try_into().unwrap());
                assert_eq!(message.aggregate, format!("flight-{}", number % 3));
                assert!(seen.insert(number), "{number} came twice");
            }
        }
        writers.join_all().await;
        assert_eq!(seen, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_commits_late_is_not_missed() {
    for database in [testing::postgres().await, testing::mariadb().await] {
        let db = open(&database.url).await;
        let late = db.begin().await.unwrap();
        outbox::append(&late, 1, [event(1)]).await.unwrap();
        append(&db, vec![event(2)]).await;
        let mut follower = SqlLog::new(db.clone()).follow("test").await.unwrap();
        append(&db, vec![event(3)]).await;
        let first = follower.next().await.unwrap();
        assert_eq!(first.len(), 1);
        late.commit().await.unwrap();
        let second = follower.next().await.unwrap();
        assert_eq!(second[0].payload, 1_usize.to_be_bytes());
    }
}

#[tokio::test]
async fn only_old_events_of_the_topic_are_trimmed() {
    each_database(async |url| {
        let db = open(&url).await;
        append(&db, (0..2_500).map(event).collect()).await;
        let tx = db.begin().await.unwrap();
        let other = Event {
            topic: "other",
            ..event(1)
        };
        outbox::append(&tx, 1_000, [other]).await.unwrap();
        outbox::append(&tx, 2_000, [event(1)]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(outbox::trim(&db, "test", 2_000).await.unwrap(), 2_500);
        assert_eq!(outbox::trim(&db, "test", 2_000).await.unwrap(), 0);
        assert_eq!(outbox::trim(&db, "test", 2_001).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn dialling_leaves_a_database_as_it_is() {
    each_database(async |url| {
        let options = |url: &str| Options {
            url: url.to_owned(),
            variable: "SKYWAY_TEST_DATABASE_URL",
            max_connections: 1,
        };
        durable::dial(&options(&url)).await.unwrap();
        let elsewhere = durable::dial(&options("mongodb://db/test")).await;
        let error = elsewhere.unwrap_err().to_string();
        assert!(
            error.starts_with("SKYWAY_TEST_DATABASE_URL: \"mongodb\" is not supported"),
            "{error}"
        );
        // Nothing is there yet: migrations still make it all.
        let db = open(&url).await;
        let rows = db.reader().query_one_raw(Statement::from_string(
            db.backend(),
            "SELECT COUNT(*) AS n FROM seats",
        ));
        let rows: i64 = rows.await.unwrap().unwrap().try_get("", "n").unwrap();
        assert_eq!(rows, 0);
    })
    .await;
}
