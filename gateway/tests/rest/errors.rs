//! Every error is an AIP-193 document that says what would be right.

use http::{Request, StatusCode};
use tokio::net::TcpListener;

use crate::support::{self, start, start_with};

const SEARCH: &str = "/v1/itineraries:search?destination=SEA&departureDate=2026-12-01";

#[tokio::test]
async fn bad_fields_are_named() {
    let gateway = start().await;
    let cases: [(&str, &[&str], &str); 10] = [
        ("&origin=XXX1", &["origin"], "must match"),
        (
            "&origin=JFK&passengers=0",
            &["passengers"],
            "between 1 and 9",
        ),
        ("&origin=JFK&passengers=two", &["passengers"], ""),
        (
            "&origin=JFK&maxStop=1",
            &["maxStop"],
            "did you mean maxStops?",
        ),
        ("&origin=JFK&foo_bar=1", &["foo_bar"], "is not a parameter"),
        ("&origin=JFK&origin=LGA", &["origin"], "more than once"),
        ("&origin=JFK&cabin=SOFA", &["cabin"], ""),
        (
            "&origin=JFK&orderBy=mood",
            &["orderBy"],
            "price, duration, departure",
        ),
        ("&origin=J%FFK", &["origin"], "percent-encoded UTF-8"),
        (
            "&passengers=12&maxStops=x&colour=red",
            &["maxStops", "colour", "origin", "passengers"],
            "",
        ),
    ];
    for (query, fields, text) in cases {
        let answer = gateway.get(&format!("{SEARCH}{query}")).await;
        let (code, reason, message) = answer.error();
        assert_eq!(
            (code, reason.as_str()),
            (400, "INVALID_ARGUMENT"),
            "{query}"
        );
        assert_eq!(answer.fields(), fields, "{query}: {message}");
        assert!(message.contains(text), "{query}: {message}");
    }
}

#[tokio::test]
async fn fields_that_the_service_refuses_are_named_as_json_spells_them() {
    let gateway = start().await;
    let path = "/v1/itineraries:search?origin=JFK&destination=SEA&departureDate=2001-01-01";
    let answer = gateway.get(path).await;
    assert_eq!(answer.error().1, "DATE_PAST");
    assert_eq!(answer.fields(), ["departureDate"]);
}

#[tokio::test]
async fn bad_bodies_are_named() {
    let gateway = start().await;
    for (body, fields) in [
        (
            r#"{"origin":"JFK","destination":"SEA","departureDate":"2026-12-01","colour":1}"#,
            vec!["colour"],
        ),
        (
            r#"{"origin":7,"destination":"SEA","departureDate":"2026-12-01"}"#,
            vec!["origin"],
        ),
    ] {
        let answer = gateway.post("/v1/itineraries:search", body).await;
        assert_eq!(
            (answer.error().0, answer.fields()),
            (400, fields.iter().map(ToString::to_string).collect())
        );
    }
    for body in [
        r#"{ "origin": "JFK""#,
        "{}EXTRA",
        "[]",
        "{\"origin\" \"JFK\"}",
    ] {
        assert_eq!(
            gateway.post("/v1/itineraries:search", body).await.error().0,
            400,
            "{body}"
        );
    }
    let answer = gateway
        .post("/v1/itineraries:search?origin=JFK", "{}")
        .await;
    assert!(answer.fields().contains(&"origin".to_owned()));
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_so() {
    let gateway = start().await;
    let (code, reason, message) = gateway.get("/v1/flights/NOPE").await.error();
    assert_eq!(
        (code, reason.as_str(), message.as_str()),
        (404, "FLIGHT_NOT_FOUND", "no flight NOPE")
    );
    for path in [
        "/v1/nothing",
        "/v1/flights/",
        "/v1//flights",
        "/v1/flights/x/y",
        "/metrics",
    ] {
        let (code, reason, _) = gateway.get(path).await.error();
        assert_eq!((code, reason.as_str()), (404, "ROUTE_NOT_FOUND"), "{path}");
    }
    let request = Request::delete("/v1/itineraries:search").body("").unwrap();
    let answer = gateway.send(request).await;
    assert_eq!(answer.error().1, "METHOD_NOT_ALLOWED");
    assert_eq!(
        (answer.status, &answer.headers["allow"]),
        (
            StatusCode::METHOD_NOT_ALLOWED,
            &"GET, POST, HEAD".parse().unwrap()
        )
    );
    let answer = gateway
        .send(Request::options("/v1/airports").body("").unwrap())
        .await;
    assert_eq!(
        (answer.status, &answer.headers["allow"]),
        (StatusCode::NO_CONTENT, &"GET, HEAD".parse().unwrap())
    );
}

#[tokio::test]
async fn the_inside_stays_inside() {
    let gateway = start().await;
    let (code, reason, message) = gateway.get("/v1/flights/INTERNAL").await.error();
    assert_eq!((code, reason.as_str()), (500, "INTERNAL"));
    assert!(!message.contains("secret"), "{message}");
}

#[tokio::test]
async fn coming_back_later_is_proposed() {
    let gateway = start().await;
    let answer = gateway.get("/v1/flights/BUSY").await;
    assert_eq!(
        (answer.error().0, &answer.headers["retry-after"]),
        (429, &"3".parse().unwrap())
    );
}

#[tokio::test]
async fn an_unreachable_service_is_a_503() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let (_open, open) = tokio::sync::watch::channel(0);
    let (_metadata, metadata) = tokio::sync::watch::channel(http::HeaderMap::new());
    let gateway = support::start_before(nobody, |_| (), open, metadata).await;
    let answer = gateway.get("/v1/flights/F1").await;
    let (code, _, message) = answer.error();
    assert_eq!(code, 503);
    assert!(answer.headers.contains_key("retry-after"));
    assert!(!message.contains(&nobody.to_string()), "{message}");
    assert_eq!(
        gateway.get("/readyz").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(gateway.get("/livez").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_clients_deadline_counts() {
    let gateway = start().await;
    let slow = |timeout: &str| {
        Request::get("/v1/flights/SLOW")
            .header("grpc-timeout", timeout)
            .body("")
            .unwrap()
    };
    let (code, reason, _) = gateway.send(slow("50m")).await.error();
    assert_eq!((code, reason.as_str()), (504, "DEADLINE_EXCEEDED"));
    let (code, reason, _) = gateway.send(slow("soon")).await.error();
    assert_eq!((code, reason.as_str()), (400, "INVALID_TIMEOUT"));
}

#[tokio::test]
async fn bodies_must_be_json_and_wanted() {
    let gateway = start().await;
    let post =
        |kind: &'static str| Request::post("/v1/itineraries:search").header("content-type", kind);
    for kind in [
        "application/xml",
        "text/plain",
        "application/json; charset=latin1",
    ] {
        let answer = gateway.send(post(kind).body("{}").unwrap()).await;
        assert_eq!(answer.error().1, "UNSUPPORTED_MEDIA_TYPE", "{kind}");
    }
    // The last is what `curl --data` says of anything.
    for kind in [
        "application/json; charset=UTF-8",
        "application/x-www-form-urlencoded",
    ] {
        let answer = gateway.send(post(kind).body("{}").unwrap()).await;
        assert_eq!(answer.error().1, "INVALID_ARGUMENT", "{kind}");
    }
    let answer = gateway
        .send(Request::get("/v1/airports").body("{}").unwrap())
        .await;
    assert_eq!(answer.error().1, "BODY_NOT_ALLOWED");
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let gateway = start_with(|config| config.limits.body_bytes = 100).await;
    let body = format!(r#"{{"origin":"{}"}}"#, "x".repeat(100));
    let (code, reason, _) = gateway.post("/v1/itineraries:search", &body).await.error();
    assert_eq!((code, reason.as_str()), (413, "BODY_TOO_LARGE"));
}

#[tokio::test]
async fn a_bad_configuration_is_one_line_that_names_the_key() {
    let serve = async |config| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = gateway::serve(
            config,
            listener,
            None,
            tokio_util::sync::CancellationToken::new(),
        )
        .await;
        error.unwrap_err().to_string()
    };
    let nowhere = gateway::Config::new([]);
    assert_eq!(
        serve(nowhere).await,
        "no endpoints for booking; set SKYWAY_BOOKING_ENDPOINTS"
    );
    let mut config = gateway::Config::new([]);
    config.cors_origins = vec!["example.com".to_owned()];
    assert!(
        serve(config)
            .await
            .starts_with("\"example.com\" is not an origin")
    );
}
