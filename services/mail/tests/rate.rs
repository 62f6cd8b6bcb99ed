//! The rate holds over all replicas. It is a program of its own, so that nothing runs beside it: where a neighbour has the
//! machine for two seconds, no mail leaves, and nothing is to be made up for by a burst.

#![allow(clippy::unwrap_used)] // a failed step fails the test

#[allow(dead_code, reason = "what the other suite needs besides")]
#[path = "mail/support.rs"]
mod support;

use std::time::Duration;

use durable::queue::Queue as _;

use crate::support::{World, assert_each_once, confirmed, trips};

const MAILS: usize = 1_500;
const RATE: f64 = 100.0;
/// Two thirds of it all. An end may come 200 ms late.
const WINDOW: Duration = Duration::from_secs(10);
const OFF: f64 = 0.02;
/// What was late is made up for by so many, which a window may have too many.
const BURST: u32 = 15;

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_together_hold_the_rate() {
    let (redis, record) = (testing::redis().await.url(), testing::postgres().await);
    let queue = durable::queue::open(&redis, mail::TOPIC, "TEST_QUEUE_URL").await;
    let (world, trips) = (World::start().await, trips(MAILS));
    let messages: Vec<_> = trips.iter().map(|trip| confirmed(trip)).collect();
    queue.unwrap().publish(&messages).await.unwrap();
    let throttle = |config: &mut mail::Config| {
        config.queue_url = Some(redis.clone());
        config.database_url = Some(record.url.clone());
        config.rate = RATE;
        config.burst = BURST;
    };
    let _replicas = (world.replica(throttle).await, world.replica(throttle).await);
    let received = world.sink.wait_for(MAILS).await;
    assert_each_once(&world, &trips);
    let mut times: Vec<_> = received.iter().map(|mail| mail.accepted).collect();
    times.sort();
    let expected = RATE * WINDOW.as_secs_f64();
    let mut windows = 0;
    for (first, start) in times.iter().enumerate() {
        let end = *start + WINDOW;
        if end > times[MAILS - 1] {
            break;
        }
        let within = times[first..].partition_point(|time| *time < end);
        let within = f64::from(u32::try_from(within).unwrap());
        let off = (within / expected - 1.0).abs();
        assert!(off <= OFF, "{within} of {expected} in a window");
        windows += 1;
    }
    assert!(windows > 0, "all came within {WINDOW:?}");
}
