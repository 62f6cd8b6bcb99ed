//! Many mails, while things break: each leaves, once.

use std::{collections::HashSet, time::Duration};

use contracts::mail::v1::MailState;
use durable::queue::Queue;
use sea_orm::{ConnectionTrait, Database};
use testing::smtp::{Mails, Misbehaviour};

use crate::support::{World, assert_each_once, confirmed, eventually, message_id, trips};

async fn order(world: &World, trips: &[String]) {
    let messages: Vec<_> = trips.iter().map(|trip| confirmed(trip)).collect();
    world.queue.publish(&messages).await.unwrap();
}

#[tokio::test]
async fn a_mail_server_that_breaks_down_loses_and_doubles_nothing() {
    let mut world = World::start().await;
    for _ in 0..5 {
        world.sink.script(Mails::Next(3), Misbehaviour::DropBefore);
        world.sink.script(Mails::Next(3), Misbehaviour::Refuse(421));
    }
    let trips = trips(200);
    let patient = |config: &mut mail::Config| {
        config.rate = 200.0;
        config.retry.most = Duration::from_secs(2);
        config.retry.first = Duration::from_millis(50);
    };
    let _replicas = (world.replica(patient).await, world.replica(patient).await);
    order(&world, &trips).await;
    world.sink.wait_for(50).await;
    world.sink.stop().await;
    eventually("mails wait for another attempt", async || {
        let depth = world.queue.depth().await.unwrap();
        (depth.delayed > 0).then_some(())
    })
    .await;
    world.sink.restart().await;
    world.sink.wait_for(200).await;
    assert_each_once_but_for_what_was_cut_off(&world, &trips);
}

/// Where the server was stopped between accepting a mail and saying so, it is sent again: as many as were on
/// their way then, and no more.
fn assert_each_once_but_for_what_was_cut_off(world: &World, trips: &[String]) {
    let counts = world.sink.counts();
    let twice = counts.values().filter(|count| **count > 1).count();
    assert!(twice <= 2 * 32, "{twice} came twice");
    assert!(counts.values().all(|count| *count <= 2));
    assert_eq!(counts.len(), trips.len());
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again() {
    let world = World::start().await;
    world.sink.script(Mails::Next(1), Misbehaviour::DropAfter);
    let replica = world.replica(|_| {}).await;
    order(&world, &trips(1)).await;
    // The only way to two: the server had accepted it, and nobody heard of that.
    let mail = replica.wait_for("t-0000-confirmed", MailState::Sent).await;
    assert_eq!(mail.attempts, 2);
    assert_eq!(world.sink.counts()[&message_id("t-0000")], 2);
}

#[tokio::test]
async fn a_queue_that_is_wiped_in_the_middle_and_filled_again_doubles_nothing() {
    let world = World::start().await;
    let trips = trips(200);
    let slowly = |config: &mut mail::Config| config.rate = 200.0;
    let replicas = (world.replica(slowly).await, world.replica(slowly).await);
    order(&world, &trips).await;
    order(&world, &trips).await;
    world.sink.wait_for(50).await;
    // What FLUSHALL is to Redis.
    let database = Database::connect(world.queue_url()).await.unwrap();
    database
        .execute_unprepared("DELETE FROM queue")
        .await
        .unwrap();
    let request = contracts::mail::v1::ListSettledMailsRequest {
        mail_ids: trips
            .iter()
            .map(|trip| format!("{trip}-confirmed"))
            .collect(),
    };
    let settled = replicas
        .0
        .client
        .clone()
        .list_settled_mails(request)
        .await
        .unwrap();
    let settled: HashSet<_> = settled.into_inner().mail_ids.into_iter().collect();
    let lost: Vec<_> = trips
        .iter()
        .filter(|trip| !settled.contains(&format!("{trip}-confirmed")))
        .cloned()
        .collect();
    assert!(!lost.is_empty());
    order(&world, &lost).await;
    world.sink.wait_for(200).await;
    for trip in &trips {
        replicas
            .1
            .wait_for(&format!("{trip}-confirmed"), MailState::Sent)
            .await;
    }
    assert_each_once(&world, &trips);
}

/// Takes the table of mails away, or brings it back: what a database that is away looks like to a replica.
async fn rename_table(world: &World, from: &str, to: &str) {
    let url = durable::sqlite_url(&world.directory.path().join("mail.db"));
    let database = Database::connect(url).await.unwrap();
    let rename = format!("ALTER TABLE {from} RENAME TO {to}");
    database.execute_unprepared(&rename).await.unwrap();
    database.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_sent_that_cannot_be_recorded() {
    let world = World::start().await;
    let replica = world.replica(|_| {}).await;
    eventually("it serves", async || replica.mails().await.ok()).await;
    rename_table(&world, "mails", "away").await;
    order(&world, &trips(3)).await;
    eventually("they were taken and given back", async || {
        let depth = world.queue.depth().await.unwrap();
        (depth.taken == 0 && depth.delayed > 0).then_some(())
    })
    .await;
    assert_eq!(world.sink.attempts(), 0);
    rename_table(&world, "away", "mails").await;
    world.sink.wait_for(3).await;
    assert_each_once(&world, &trips(3));
}

#[tokio::test]
async fn an_acceptance_is_written_down_when_the_database_is_back() {
    let world = World::start().await;
    let slow = Misbehaviour::Wait(Duration::from_secs(5));
    world.sink.script(Mails::All, slow);
    let replica = world.replica(|_| {}).await;
    order(&world, &trips(1)).await;
    replica
        .wait_for("t-0000-confirmed", MailState::Sending)
        .await;
    rename_table(&world, "mails", "away").await;
    world.sink.wait_for(1).await;
    rename_table(&world, "away", "mails").await;
    let mail = replica.wait_for("t-0000-confirmed", MailState::Sent).await;
    assert_eq!(mail.attempts, 1);
    assert_each_once(&world, &trips(1));
}
