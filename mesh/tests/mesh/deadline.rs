//! No call outlives its deadline, wherever it hangs.

use std::time::Duration;

use contracts::search::v1::WatchFlightRequest;
use tokio::time::{Instant, timeout};
use tonic::{Code, Request};

use crate::support::{Replica, Script, client, eventually, flight, nobody};

const SHORT: Duration = Duration::from_millis(100);

fn short<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(SHORT);
    request
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let replica = Replica::start(Script::default());
    let before = Instant::now();
    let status = client(&[replica.address])
        .get_flight(short(flight("NEVER")))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert_eq!(
        mesh::status::reason(&status).as_deref(),
        Some("DEADLINE_EXCEEDED")
    );
    assert!(
        before.elapsed() >= SHORT && before.elapsed() < SHORT * 10,
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_with_no_endpoint() {
    let status = client(&[nobody()])
        .get_flight(short(flight("AA1")))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test]
async fn without_an_endpoint_a_call_fails_early_and_says_why() {
    let address = nobody();
    let before = Instant::now();
    let status = client(&[address])
        .get_flight(flight("AA1"))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(
        status.message(),
        format!("no endpoint of search is reachable ({address}: connection refused)")
    );
    assert_eq!(
        mesh::status::retry_after(&status),
        Some(Duration::from_secs(1))
    );
    assert!(
        before.elapsed() < Duration::from_millis(1900),
        "before the contract's deadline of 2 s"
    );
}

#[tokio::test]
async fn a_stream_ends_at_the_deadline_that_its_caller_set() {
    let replica = Replica::start(Script::default());
    let request = short(WatchFlightRequest {
        flight_id: "AA1".into(),
    });
    let mut stream = client(&[replica.address])
        .watch_flight(request)
        .await
        .unwrap()
        .into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = timeout(SHORT * 10, stream.message())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

/// The server keeps the deadline too: seen by a client that keeps none.
#[tokio::test]
async fn the_server_answers_at_the_deadline() {
    let replica = Replica::start(Script::default());
    for (method, body) in [
        ("GetFlight", b"\0\0\0\0\x07\x0a\x05NEVER"),
        ("WatchFlight", b"\0\0\0\0\x07\x0a\x05NEVER"),
    ] {
        let stream = tokio::net::TcpStream::connect(replica.address)
            .await
            .unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = http::Request::post(format!(
            "http://test/skyway.search.v1.SearchService/{method}"
        ))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "100m")
        .body(http_body_util::Full::new(bytes::Bytes::from_static(body)))
        .unwrap();
        let response = timeout(SHORT * 10, sender.send_request(request))
            .await
            .unwrap()
            .unwrap();
        let head = response.headers().get("grpc-status").cloned();
        let trailers = http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap()
            .trailers()
            .cloned();
        let status = head.or_else(|| trailers?.get("grpc-status").cloned());
        assert_eq!(status.unwrap(), "4", "{method}");
    }
    eventually("both calls were begun", async || replica.calls() == 2).await;
}
