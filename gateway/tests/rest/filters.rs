//! What every answer has, whatever its route.

use http::{Request, StatusCode};

use crate::support::{send_to, start, start_with};

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let gateway = start().await;
    let mut ids = Vec::new();
    for path in ["/v1/airports", "/v1/nothing", "/v1/flights/NOPE", "/livez"] {
        let answer = gateway.get(path).await;
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        ids.push(answer.headers["x-request-id"].to_str().unwrap().to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| id.len() == 36));
}

#[tokio::test]
async fn long_answers_are_compressed_as_asked() {
    let gateway = start().await;
    let plain = gateway.get("/v1/flights/BIG").await;
    for encoding in ["br", "gzip", "zstd"] {
        let request = |path| {
            Request::get(path)
                .header("accept-encoding", encoding)
                .body("")
                .unwrap()
        };
        let answer = gateway.send(request("/v1/flights/BIG")).await;
        assert_eq!(answer.headers["content-encoding"], encoding);
        assert_eq!(answer.headers["vary"], "accept-encoding");
        assert!(
            answer.body.len() * 4 < plain.body.len(),
            "{encoding}: {}",
            answer.body.len()
        );
        let short = gateway.send(request("/v1/flights/F1")).await;
        assert!(!short.headers.contains_key("content-encoding"));
    }
    assert!(!plain.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn pages_of_other_origins_may_read() {
    let gateway = start().await;
    let request = Request::get("/v1/airports")
        .header("origin", "https://a.example")
        .body("")
        .unwrap();
    let answer = gateway.send(request).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(
        answer.headers["access-control-expose-headers"],
        "retry-after, x-request-id"
    );
    let preflight = Request::options("/v1/itineraries:search")
        .header("origin", "https://a.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let answer = gateway.send(preflight.body("").unwrap()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert!(
        answer.headers["access-control-allow-methods"]
            .to_str()
            .unwrap()
            .contains("POST")
    );
    assert!(
        answer.headers["access-control-allow-headers"]
            .to_str()
            .unwrap()
            .contains("content-type")
    );
}

#[tokio::test]
async fn origins_can_be_named() {
    let gateway =
        start_with(|config| config.cors_origins = vec!["https://a.example".to_owned()]).await;
    for (origin, allowed) in [("https://a.example", true), ("https://b.example", false)] {
        let request = Request::get("/v1/airports")
            .header("origin", origin)
            .body("")
            .unwrap();
        let answer = gateway.send(request).await;
        let allow = answer.headers.get("access-control-allow-origin");
        assert_eq!(allow.is_some_and(|allow| allow == origin), allowed);
        assert_eq!(answer.headers["vary"], "origin");
    }
}

#[tokio::test]
async fn the_openapi_document_is_served_once() {
    let gateway = start().await;
    let answer = gateway.get("/openapi.json").await;
    assert_eq!(
        answer.json()["openapi"]
            .as_str()
            .map(|version| &version[..3]),
        Some("3.1")
    );
    let tag = answer.headers["etag"].clone();
    let request = Request::get("/openapi.json")
        .header("if-none-match", tag)
        .body("")
        .unwrap();
    let again = gateway.send(request).await;
    assert_eq!(
        (again.status, again.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    assert_eq!(gateway.get("/").await.json()["openapi"], "/openapi.json");
}

#[tokio::test]
async fn metrics_are_on_the_admin_port_only() {
    let gateway = start().await;
    let answer = send_to(gateway.admin, Request::get("/metrics").body("").unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(gateway.get("/metrics").await.status, StatusCode::NOT_FOUND);
    let answer = send_to(gateway.admin, Request::get("/readyz").body("").unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
}
