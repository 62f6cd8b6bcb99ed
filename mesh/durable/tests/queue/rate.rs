//! Turns of a rate that everybody shares.

use std::time::{Duration, Instant};

use durable::queue::Queue as _;

use crate::support::{FOR_EVER, each_queue};

#[tokio::test(flavor = "multi_thread")]
async fn turns_take_their_time_whoever_asks() {
    each_queue(async |place| {
        const TURNS: u32 = 60;
        // So slow that asking takes less time than the turns do, on any machine.
        const PER_SECOND: f64 = 0.5;
        let started = Instant::now();
        let mut work = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let queue = place.open(FOR_EVER).await;
            work.spawn(async move {
                let mut reserved = vec![];
                for _ in 0..TURNS / 2 {
                    let wait = queue.turn(PER_SECOND, 1).await.unwrap();
                    reserved.push(started.elapsed() + wait);
                }
                reserved
            });
        }
        let mut turns = work.join_all().await.concat();
        turns.sort_unstable();
        let asking = started.elapsed();
        // Nobody had the turn of another: they are an interval apart, and the last one is as late as it must be.
        for pair in turns.windows(2) {
            assert!(
                pair[1] + asking >= pair[0] + Duration::from_secs(2),
                "{turns:?}"
            );
        }
        let whole = Duration::from_secs_f64(f64::from(TURNS) / PER_SECOND);
        let last = *turns.last().unwrap();
        assert!(last + Duration::from_millis(2) >= whole, "{last:?}");
        assert!(last <= whole + asking, "{last:?} after {asking:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_rate_begins_with_nothing_saved() {
    each_queue(async |place| {
        let first = place.open(FOR_EVER).await.turn(0.1, 100).await.unwrap();
        assert!(first > Duration::from_secs(9), "{first:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_bounded_by_the_burst() {
    each_queue(async |place| {
        const BURST: u32 = 3;
        const INTERVAL: Duration = Duration::from_millis(250);
        let queue = place.open(FOR_EVER).await;
        let turn = || queue.turn(INTERVAL.as_secs_f64().recip(), BURST);
        let first = turn().await.unwrap();
        // Twice as many turns go by as may be saved.
        tokio::time::sleep(first + INTERVAL * BURST * 2).await;
        let started = Instant::now();
        let mut at_once = 0;
        while turn().await.unwrap().is_zero() {
            at_once += 1;
        }
        let since = u32::try_from(started.elapsed().as_millis() / INTERVAL.as_millis()).unwrap();
        assert!(
            (BURST..=BURST + since + 1).contains(&at_once),
            "{at_once}, {since}"
        );
    })
    .await;
}
