//! Streams come in the format that was asked for, end cleanly, and can be left.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{Gateway, PATIENCE, start, start_with};

fn departures(airport: &str, accept: &str) -> Request<&'static str> {
    let path = format!("/v1/flights:departures?airport={airport}");
    Request::get(path)
        .header("accept", accept)
        .body("")
        .unwrap()
}

async fn text(gateway: &Gateway, airport: &str, accept: &str) -> String {
    let answer = gateway.send(departures(airport, accept)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], accept);
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn each_format_has_every_message() {
    let gateway = start().await;
    let array = text(&gateway, "JFK", "application/json").await;
    assert_eq!(
        array,
        r#"[{"flightNumber":1},{"flightNumber":2},{"flightNumber":3}]"#
    );
    let lines = text(&gateway, "JFK", "application/x-ndjson").await;
    assert_eq!(
        lines,
        "{\"flightNumber\":1}\n{\"flightNumber\":2}\n{\"flightNumber\":3}\n"
    );
    let events = text(&gateway, "JFK", "text/event-stream").await;
    assert_eq!(
        events,
        "data: {\"flightNumber\":1}\n\ndata: {\"flightNumber\":2}\n\ndata: {\"flightNumber\":3}\n\n"
    );
}

#[tokio::test]
async fn an_empty_stream_is_an_empty_document() {
    let gateway = start().await;
    assert_eq!(text(&gateway, "NON", "application/json").await, "[]");
    assert_eq!(text(&gateway, "NON", "application/x-ndjson").await, "");
    assert_eq!(text(&gateway, "NON", "text/event-stream").await, "");
}

#[tokio::test]
async fn an_error_before_the_first_message_is_an_ordinary_one() {
    let gateway = start().await;
    for accept in [
        "application/json",
        "application/x-ndjson",
        "text/event-stream",
    ] {
        assert_eq!(gateway.send(departures("ERR", accept)).await.error().0, 404);
        assert_eq!(
            gateway.send(departures("ONE", accept)).await.error().1,
            "CHANGED"
        );
        assert_eq!(
            gateway.send(departures("12", accept)).await.fields(),
            ["airport"]
        );
    }
}

#[tokio::test]
async fn an_error_after_messages_is_the_last_of_them() {
    let gateway = start().await;
    let lines = text(&gateway, "MID", "application/x-ndjson").await;
    let last: Value = serde_json::from_str(lines.lines().nth(2).unwrap()).unwrap();
    assert_eq!(
        (&last["error"]["code"], &last["error"]["status"]),
        (&json!(409), &json!("ABORTED"))
    );
    let events = text(&gateway, "MID", "text/event-stream").await;
    let last = events.trim_end().rsplit("\n\n").next().unwrap();
    let data = last.strip_prefix("event: error\ndata: ").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(data).unwrap()["error"]["code"],
        409
    );
    assert_eq!(
        gateway
            .send(departures("MID", "application/json"))
            .await
            .error()
            .0,
        409
    );
}

#[tokio::test]
async fn an_array_is_bounded() {
    let gateway = start_with(|config| config.streams.array = Duration::from_millis(200)).await;
    let (code, reason, message) = gateway
        .send(departures("BIG", "application/json"))
        .await
        .error();
    assert_eq!((code, reason.as_str()), (400, "STREAM_TOO_LARGE"));
    assert!(message.contains("application/x-ndjson"), "{message}");
    let lines = text(&gateway, "BIG", "application/x-ndjson").await;
    assert_eq!(lines.lines().count(), 10_001);
    let (code, reason, message) = gateway.get("/v1/flights/F1:watch").await.error();
    assert_eq!((code, reason.as_str()), (504, "STREAM_TOO_LONG"));
    assert!(message.contains("text/event-stream"), "{message}");
}

fn watch(flight: &str) -> Request<&'static str> {
    let path = format!("/v1/flights/{flight}:watch");
    Request::get(path)
        .header("accept", "text/event-stream")
        .body("")
        .unwrap()
}

async fn next(body: &mut hyper::body::Incoming) -> Bytes {
    let frame = tokio::time::timeout(PATIENCE, body.frame()).await.unwrap();
    frame.unwrap().unwrap().into_data().unwrap()
}

#[tokio::test]
async fn messages_come_at_once_and_silence_is_filled() {
    let gateway = start_with(|config| config.streams.keep_alive = Duration::from_millis(50)).await;
    let mut body = gateway.open(watch("F1")).await.into_body();
    assert_eq!(next(&mut body).await, "data: {\"flightId\":\"F1\"}\n\n");
    assert!(next(&mut body).await.starts_with(b":"));
    let response = gateway.open(watch("QUIET")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(next(&mut response.into_body()).await.starts_with(b":"));
}

#[tokio::test]
async fn leaving_cancels_the_call() {
    let mut gateway = start().await;
    let mut body = gateway.open(watch("F1")).await.into_body();
    next(&mut body).await;
    assert_eq!(*gateway.open.borrow(), 1);
    drop(body);
    tokio::time::timeout(PATIENCE, gateway.open.wait_for(|open| *open == 0))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn leaving_before_the_answer_cancels_the_call() {
    let mut gateway = start().await;
    let request = Request::get("/v1/flights/SLOW")
        .header("grpc-timeout", "1H")
        .body("")
        .unwrap();
    let address = gateway.address;
    let waiting = tokio::spawn(async move { crate::support::send_to(address, request).await });
    gateway.open.wait_for(|open| *open == 1).await.unwrap();
    waiting.abort();
    tokio::time::timeout(PATIENCE, gateway.open.wait_for(|open| *open == 0))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn streams_end_when_the_gateway_stops() {
    let gateway = start().await;
    let mut body = gateway.open(watch("F1")).await.into_body();
    next(&mut body).await;
    gateway.shutdown.cancel();
    assert!(next(&mut body).await.starts_with(b"event: error\n"));
    assert!(body.frame().await.is_none());
    tokio::time::timeout(PATIENCE, gateway.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
