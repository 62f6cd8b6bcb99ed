//! Requests spread over replicas, and survive the loss of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::cluster::{Gateway, Replica, Up};
use crate::support::day;
use crate::support::http::Rest;

/// Clients that ask one after the other until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<tokio::task::JoinHandle<Vec<(Instant, String)>>>,
}

impl Load {
    fn start(rest: &Rest, clients: usize) -> Self {
        let (stop, answered) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let path = format!(
            "/v1/itineraries:search?origin=JFK&destination=SEA&departureDate={}&maxStops=0",
            day(1)
        );
        let client = || {
            let (stop, answered, rest, path) =
                (stop.clone(), answered.clone(), rest.clone(), path.clone());
            tokio::spawn(async move {
                let mut failures = vec![];
                while !stop.load(Ordering::Relaxed) {
                    match rest.try_get(&path).await {
                        Ok(answer) if answer.status == 200 => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(answer) => failures.push((Instant::now(), answer.json.to_string())),
                        Err(error) => failures.push((Instant::now(), error.to_string())),
                    }
                }
                failures
            })
        };
        let clients = (0..clients).map(|_| client()).collect();
        Self {
            stop,
            answered,
            clients,
        }
    }

    /// Waits for so many more answers.
    async fn answers(&self, more: u64) {
        let wanted = self.answered.load(Ordering::Relaxed) + more;
        crate::support::wait::until("answers", async || {
            (self.answered.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
    }

    /// Stops it, and gives every failure with its time.
    async fn stop(self) -> Vec<(Instant, String)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = vec![];
        for client in self.clients {
            failures.extend(client.await.unwrap());
        }
        failures
    }
}

#[tokio::test]
async fn a_killed_replica_fails_nobody_and_gets_its_share_when_it_is_back() {
    let data = TempDir::new().unwrap();
    let first = Replica::start(data.path(), &[]).await;
    let mut second = Replica::start(data.path(), &[]).await;
    let gateway = Gateway::start(&[&first, &second], &[]).await;
    let load = Load::start(&gateway.rest, 8);

    load.answers(400).await;
    let (one, two) = (first.calls().await, second.calls().await);
    let share = |calls: u64, of: u64| calls * 100 / of.max(1);
    assert!(
        share(one, one + two) >= 25 && share(two, one + two) >= 25,
        "{one} and {two} calls"
    );

    second.process.kill();
    let killed = Instant::now();
    load.answers(400).await;
    tokio::time::sleep(Duration::from_millis(1100).saturating_sub(killed.elapsed())).await; // the promise is about a second
    load.answers(100).await;

    second.restart().await;
    crate::support::wait::until("the restarted replica to get its share", async || {
        let (one, two) = (first.calls().await, second.calls().await);
        load.answers(300).await;
        let (one, two) = (first.calls().await - one, second.calls().await - two);
        (share(two, one + two) >= 10).then_some(())
    })
    .await;

    let failures = load.stop().await;
    let late: Vec<_> = failures
        .iter()
        .filter(|(at, _)| *at > killed + Duration::from_secs(1))
        .collect();
    assert!(late.is_empty(), "after the first second: {late:?}");
    assert!(failures.is_empty(), "within the first second: {failures:?}");
}

#[tokio::test]
async fn a_stop_answers_what_was_accepted() {
    let mut up = Up::start(&[]).await;
    let load = Load::start(&up.rest(), 8);
    load.answers(200).await;
    up.process.signal("TERM");
    assert_eq!(up.process.ended().await.code(), Some(0));
    let failures = load.stop().await;
    // Who comes later finds nobody; who was let in gets an answer, and not an error.
    let answers: Vec<_> = failures
        .iter()
        .filter(|(_, failure)| failure.starts_with('{'))
        .collect();
    assert!(answers.is_empty(), "{answers:?}");
}

#[tokio::test]
async fn without_any_replica_the_answer_is_a_503_and_not_ready() {
    let data = TempDir::new().unwrap();
    let mut only = Replica::start(data.path(), &[]).await;
    let gateway = Gateway::start(&[&only], &[]).await;
    only.process.kill();
    crate::support::wait::until("not ready", async || {
        (!gateway.rest.is_ready().await).then_some(())
    })
    .await;
    let answer = gateway.rest.get("/v1/airports?query=jfk").await;
    assert_eq!(
        (answer.status, &answer.json["error"]["status"]),
        (503, &"UNAVAILABLE".into())
    );
    only.restart().await;
    crate::support::wait::until("ready again", async || {
        gateway.rest.is_ready().await.then_some(())
    })
    .await;
    assert_eq!(gateway.rest.get("/v1/airports?query=jfk").await.status, 200);
}
