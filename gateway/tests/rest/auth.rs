//! Who calls: told at the edge by a token, and behind it by what only the mesh can seal.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::{Answer, Gateway, start_before};
use crate::tokens;

fn token(life: i64) -> String {
    tokens::token(&["user"], life)
}

/// What arrived at the service: path and headers.
type Arrived = watch::Sender<Option<(String, HeaderMap)>>;

/// A service that answers every method with an empty message, and remembers the call.
async fn anything(arrived: Arc<Arrived>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let arrived = arrived.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let path = request.uri().path().to_owned();
                arrived.send_replace(Some((path, request.headers().clone())));
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let frames = [
                    Frame::data(Bytes::from_static(&[0; 5])),
                    Frame::trailers(trailers),
                ];
                let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)));
                let answer = Response::builder().header("content-type", "application/grpc");
                std::future::ready(answer.body(body))
            });
            tokio::spawn(async move {
                let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// A gateway that knows users, and what arrives behind it.
async fn start() -> (Gateway, watch::Receiver<Option<(String, HeaderMap)>>) {
    let arrived = Arc::<Arrived>::default();
    let receiver = arrived.subscribe();
    let upstream = anything(arrived).await;
    let auth = tokens::auth();
    let (open, metadata) = (watch::channel(0).1, watch::channel(HeaderMap::new()).1);
    let gateway = start_before(upstream, |config| config.auth = Some(auth), open, metadata).await;
    while gateway.get("/readyz").await.status != 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (gateway, receiver)
}

impl Gateway {
    async fn ask(&self, verb: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(verb).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body).unwrap()).await
    }
}

#[tokio::test]
async fn a_token_opens_what_is_for_users() {
    let (gateway, mut arrived) = start().await;
    let good = format!("Bearer {}", token(60));
    let expired = format!("bearer {}", token(-1));
    let forged = format!("{good}x");
    for (authorization, status, challenge, reason) in [
        (None, 401, "Bearer", "UNAUTHENTICATED"),
        (
            Some("Basic dTpw"),
            401,
            r#"Bearer error="invalid_token""#,
            "TOKEN_INVALID",
        ),
        (
            Some(&*expired),
            401,
            r#"Bearer error="invalid_token""#,
            "TOKEN_INVALID",
        ),
        (
            Some(&*forged),
            401,
            r#"Bearer error="invalid_token""#,
            "TOKEN_INVALID",
        ),
        (Some(&*good), 200, "", ""),
    ] {
        let headers: Vec<_> = authorization
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        let answer = gateway.ask("GET", "/v1/users/me", &headers, "").await;
        assert_eq!(answer.status, status, "{authorization:?}");
        if status == 401 {
            assert_eq!(answer.headers["www-authenticate"], challenge);
            assert_eq!(answer.error().1, reason);
            assert!(!arrived.has_changed().unwrap(), "the service was called");
        }
    }
    let (_, headers) = arrived.borrow_and_update().clone().unwrap();
    assert!(headers.contains_key("skyway-identity"));
    assert!(
        !headers.contains_key("authorization"),
        "the token stays at the edge"
    );
}

#[tokio::test]
async fn what_is_public_looks_at_no_token() {
    let (gateway, arrived) = start().await;
    let bad = [("authorization", "Bearer nonsense")];
    let answer = gateway.ask("GET", "/v1/airports", &bad, "").await;
    assert_eq!(answer.status, 200);
    let (_, headers) = arrived.borrow().clone().unwrap();
    assert!(!headers.contains_key("skyway-identity"));

    let body = r#"{"email":"ada@example.com","password":"countess"}"#;
    let answer = gateway.ask("POST", "/v1/sessions", &bad, body).await;
    assert_eq!(answer.status, 200);
    let (_, headers) = arrived.borrow().clone().unwrap();
    assert!(
        headers.contains_key("skyway-identity"),
        "tells where the client is"
    );
}

#[tokio::test]
async fn an_identity_that_a_client_sends_goes_nowhere() {
    let (gateway, mut arrived) = start().await;
    let forged = [("skyway-identity", "forged")];
    let answer = gateway.ask("GET", "/v1/users/me", &forged, "").await;
    assert_eq!(answer.error().1, "UNAUTHENTICATED");
    assert!(!arrived.has_changed().unwrap());
    let answer = gateway.ask("GET", "/v1/airports", &forged, "").await;
    assert_eq!(answer.status, 200);
    let (_, headers) = arrived.borrow_and_update().clone().unwrap();
    assert!(!headers.contains_key("skyway-identity"));
    let good = format!("Bearer {}", token(60));
    let both = [("authorization", &*good), forged[0]];
    let answer = gateway.ask("GET", "/v1/users/me", &both, "").await;
    assert_eq!(answer.status, 200);
    let (_, headers) = arrived.borrow_and_update().clone().unwrap();
    let sent: Vec<_> = headers.get_all("skyway-identity").iter().collect();
    assert!(sent.len() == 1 && sent[0] != "forged", "{sent:?}");
}

#[tokio::test]
async fn an_idempotency_key_is_metadata_where_a_method_takes_one() {
    let (gateway, arrived) = start().await;
    let good = format!("Bearer {}", token(60));
    let headers = [("authorization", &*good), ("idempotency-key", "k-1")];
    let body = r#"{"offerId":"o","contactEmail":"ada@example.com","passengers":[{"givenName":"Ada","familyName":"Lovelace"}]}"#;
    for (verb, path, body, key) in [
        ("POST", "/v1/trips", body, Some("k-1")),
        ("GET", "/v1/users/me", "", None),
    ] {
        let answer = gateway.ask(verb, path, &headers, body).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let (path, headers) = arrived.borrow().clone().unwrap();
        let arrived = headers
            .get("idempotency-key")
            .map(|key| key.to_str().unwrap());
        assert_eq!(arrived, key, "{path}");
    }
}
