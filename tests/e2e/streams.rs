//! Many small messages come as events, as lines or as one array, as the client asks.

use serde_json::Value;

use crate::support::cluster::Up;
use crate::support::{day, wait};

/// The departures of one day at JFK, in the form that `accept` asks for: its content type and text.
async fn departures(up: &Up, accept: &str) -> (String, String) {
    let path = format!("/v1/flights:departures?airport=JFK&date={}", day(1));
    let answer = up
        .rest()
        .request(reqwest::Method::GET, &path)
        .header("accept", accept)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (kind, answer.text().await.unwrap())
}

#[tokio::test]
async fn a_stream_is_the_same_as_events_lines_and_array() {
    let up = Up::shared().await;
    let (kind, array) = departures(&up, "application/json").await;
    assert_eq!(kind, "application/json");
    let array: Vec<Value> = serde_json::from_str(&array).unwrap();
    assert!(array.len() > 50, "{} departures", array.len());
    assert!(
        array.is_sorted_by_key(|departure| departure["departureTime"].as_str().unwrap().to_owned())
    );
    assert!(array.iter().all(|departure| {
        departure["departureLocal"]
            .as_str()
            .unwrap()
            .starts_with(&day(1))
    }));

    let (kind, lines) = departures(&up, "application/x-ndjson").await;
    assert_eq!(kind, "application/x-ndjson");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, array);

    let (kind, events) = departures(&up, "text/event-stream").await;
    assert!(kind.starts_with("text/event-stream"), "{kind}");
    let data = events.lines().filter_map(|line| line.strip_prefix("data:"));
    let events: Vec<Value> = data
        .map(|data| serde_json::from_str(data).unwrap())
        .filter(Value::is_object)
        .collect();
    assert_eq!(events[..array.len()], array);
}

#[tokio::test]
async fn an_error_before_the_first_message_is_a_status() {
    let up = Up::shared().await;
    for (path, status) in [
        ("/v1/flights:departures?airport=QQQ", 400),
        ("/v1/flights/NOPE-2026-12-01-JFK:watch", 404),
    ] {
        for accept in [
            "text/event-stream",
            "application/x-ndjson",
            "application/json",
        ] {
            let answer = up
                .rest()
                .request(reqwest::Method::GET, path)
                .header("accept", accept)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), status, "{path} as {accept}");
        }
    }
}

#[tokio::test]
async fn a_watch_tells_at_once_and_ends_behind_a_client_that_leaves() {
    let up = Up::start(&[]).await;
    let board = departures(&up, "application/json").await.1;
    let board: Vec<Value> = serde_json::from_str(&board).unwrap();
    let id = board[board.len() - 1]["flightId"].as_str().unwrap();
    let path = format!("/v1/flights/{id}:watch");
    let watch = up
        .rest()
        .request(reqwest::Method::GET, &path)
        .header("accept", "text/event-stream");
    let mut answer = watch.send().await.unwrap();
    let mut seen = String::new();
    wait::until("the first event", async || {
        seen += &String::from_utf8_lossy(&answer.chunk().await.unwrap().unwrap());
        seen.contains("\n\n").then_some(())
    })
    .await;
    assert!(seen.contains(&format!("\"flightId\":\"{id}\"")), "{seen}");
    assert_eq!(watched(&up).await, 1, "the call is open");
    drop(answer);
    wait::until("the call behind it to end", async || {
        (watched(&up).await == 0).then_some(())
    })
    .await;
}

/// Calls to `WatchFlight` that are open at the replicas, by their own count.
async fn watched(up: &Up) -> u64 {
    // One process has one registry, so any replica tells for all.
    let metrics = crate::support::http::Rest::new(&up.search[0])
        .text("/metrics")
        .await;
    let gauges = metrics
        .lines()
        .filter(|line| line.starts_with("rpc_server_in_flight{") && line.contains("WatchFlight"));
    gauges
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}
