//! What a client may send and keep open.

use std::time::Duration;

use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Gateway, PATIENCE, start, start_with};

/// Sends bytes, and reads until the gateway closes the connection.
async fn raw(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset has been closed as well.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn heads_are_bounded() {
    let gateway = start().await;
    let many = "h: x\r\n".repeat(101);
    let answer = raw(&gateway, format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let long = "x".repeat(70_000);
    let answer = raw(
        &gateway,
        format!("GET / HTTP/1.1\r\nhost: a\r\nh: {long}\r\n\r\n").as_bytes(),
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(),
        "{answer}"
    );
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed() {
    let gateway = start_with(|config| {
        config.limits.head = Duration::from_millis(50);
        config.limits.idle = Duration::from_millis(100);
    })
    .await;
    for beginning in ["", "PRI * HT", "GET / HTTP/1.1\r\nhost:"] {
        assert_eq!(raw(&gateway, beginning.as_bytes()).await, "", "{beginning}");
    }
    let answer = raw(&gateway, b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_running_request_is_not_idle() {
    let gateway = start_with(|config| config.limits.idle = Duration::from_millis(20)).await;
    let request = Request::get("/v1/flights/SLOW")
        .header("grpc-timeout", "200m")
        .body("")
        .unwrap();
    assert_eq!(gateway.send(request).await.status, 504);
}

#[tokio::test]
async fn more_connections_wait_their_turn() {
    let gateway = start_with(|config| config.limits.connections = 1).await;
    let first = TcpStream::connect(gateway.address).await.unwrap();
    let second = gateway.get("/livez");
    let mut second = std::pin::pin!(second);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), &mut second)
            .await
            .is_err()
    );
    drop(first);
    assert_eq!(second.await.status, 200);
}

#[tokio::test]
async fn a_slow_body_is_given_up() {
    let gateway = start_with(|config| config.limits.body = Duration::from_millis(50)).await;
    let head = "POST /v1/itineraries:search HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
        content-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let answer = raw(&gateway, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("BODY_TIMEOUT"), "{answer}");
}

#[tokio::test]
async fn shutting_down_finishes_what_is_running() {
    let mut gateway = start().await;
    let request = Request::get("/v1/flights/SLOW")
        .header("grpc-timeout", "300m")
        .body("")
        .unwrap();
    let address = gateway.address;
    let running = tokio::spawn(async move { crate::support::send_to(address, request).await });
    gateway.open.wait_for(|open| *open == 1).await.unwrap();
    gateway.shutdown.cancel();
    assert_eq!(running.await.unwrap().status, 504);
    gateway.served.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
