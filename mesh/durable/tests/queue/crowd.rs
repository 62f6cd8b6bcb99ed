//! Many producers and consumers at once: everything is done at least once, and nothing by two at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use durable::queue::{Depth, Queue as _};
use tokio::task::JoinSet;

use crate::support::{FOR_EVER, each_queue, message, messages};

const PRODUCERS: usize = 4;
const CONSUMERS: usize = 4;
const WAIT: Duration = Duration::from_millis(50);
/// Longer than a batch takes on a busy machine, or nobody would ever be done in time.
const LEASE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_exactly_one_consumer() {
    const MESSAGES: usize = 500;
    each_queue(async |place| {
        let queue = place.open(FOR_EVER).await;
        queue.publish(&messages(0..MESSAGES)).await.unwrap();
        let mut work = JoinSet::new();
        for consumer in 0..CONSUMERS {
            let queue = place.open(FOR_EVER).await;
            work.spawn(async move {
                let mut taken = vec![];
                loop {
                    let more = queue.take(&consumer.to_string(), 7, Duration::ZERO).await;
                    let more = more.unwrap();
                    if more.is_empty() {
                        return taken;
                    }
                    taken.extend(more.into_iter().map(|delivery| delivery.id));
                }
            });
        }
        let all = work.join_all().await.concat();
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (MESSAGES, MESSAGES));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_consumers_die_all_the_time() {
    each_queue(async |place| {
        let all = if place.is_redis() { 10_000 } else { 4_000 };
        let settled: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
        let mut work = JoinSet::new();
        for producer in 0..PRODUCERS {
            let queue = place.open(LEASE).await;
            work.spawn(async move {
                let own: Vec<_> = (producer..all).step_by(PRODUCERS).map(message).collect();
                for batch in own.chunks(100) {
                    queue.publish(batch).await.unwrap();
                }
            });
        }
        for consumer in 0..CONSUMERS {
            let queue = place.open(LEASE).await;
            let settled = Arc::clone(&settled);
            work.spawn(async move {
                let name = consumer.to_string();
                let started = Instant::now();
                while settled.lock().unwrap().len() < all {
                    assert!(
                        started.elapsed() < Duration::from_mins(5),
                        "it takes too long"
                    );
                    let mut taken = queue.take(&name, 100, WAIT).await.unwrap();
                    // It dies on a few of them, gives some back and tries some again.
                    taken.retain(|_| fastrand::u8(..) > 5);
                    let back = taken.split_off(taken.len() - taken.len() / 10);
                    queue.give_back(&back, Duration::ZERO).await.unwrap();
                    if fastrand::bool()
                        && let Some(failed) = taken.pop()
                    {
                        queue.retry(&failed, WAIT).await.unwrap();
                    }
                    queue.settle(&taken).await.unwrap();
                    let mut settled = settled.lock().unwrap();
                    for delivery in taken {
                        *settled.entry(delivery.id).or_default() += 1;
                    }
                }
            });
        }
        work.join_all().await;
        assert_eq!(settled.lock().unwrap().len(), all);
        // The last words of a slow consumer may still be in the queue; nothing else is.
        let queue = place.open(LEASE).await;
        let started = Instant::now();
        while queue.depth().await.unwrap() != Depth::default() {
            assert!(started.elapsed() < Duration::from_mins(1));
            let rest = queue.take("last", 100, WAIT).await.unwrap();
            assert!(
                rest.iter()
                    .all(|one| settled.lock().unwrap().contains_key(&one.id))
            );
            queue.settle(&rest).await.unwrap();
        }
    })
    .await;
}
