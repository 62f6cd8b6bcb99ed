//! Requests reach the service as they were meant, and answers come back as JSON.

use http::{Request, StatusCode};
use serde_json::json;

use crate::support::start;

#[tokio::test]
async fn both_spellings_and_both_verbs_bind_alike() {
    let gateway = start().await;
    let mut seen = Vec::new();
    for query in [
        "departureDate=2026-12-01&maxStops=1&orderBy=price&cabin=ECONOMY",
        "departure_date=2026-12-01&max_stops=1&order_by=price&cabin=CABIN_ECONOMY",
        "cabin=1&order_by=price&maxStops=1&departureDate=2026%2D12-01",
    ] {
        let path =
            format!("/v1/itineraries:search?origin=JFK&destination=SEA&passengers=2&{query}");
        seen.push(gateway.get(&path).await.json());
    }
    let body = json!({"origin": "JFK", "destination": "SEA", "departureDate": "2026-12-01", "passengers": 2,
        "cabin": "ECONOMY", "max_stops": "1", "orderBy": "price"});
    seen.push(
        gateway
            .post("/v1/itineraries:search", &body.to_string())
            .await
            .json(),
    );
    assert!(seen.iter().all(|answer| answer == &seen[0]), "{seen:#?}");
    let itinerary = &seen[0]["itineraries"][0];
    assert_eq!(
        (&itinerary["stops"], &itinerary["duration"]),
        (&json!(0), &json!("22500s"))
    );
    let request = itinerary["offerId"].as_str().unwrap();
    for part in [
        r#"origin: "JFK""#,
        "passengers: Some(2)",
        "max_stops: Some(1)",
    ] {
        assert!(request.contains(part), "{request}");
    }
}

#[tokio::test]
async fn a_path_variable_is_decoded_once() {
    let gateway = start().await;
    for (path, flight_id) in [
        ("AS21-2026-12-01-JFK", "AS21-2026-12-01-JFK"),
        ("a%2Fb", "a/b"),
        ("p%20q+r", "p q+r"),
        ("%2525", "%25"),
        ("a:b", "a:b"),
    ] {
        let answer = gateway.get(&format!("/v1/flights/{path}")).await;
        assert_eq!(answer.json()["flightId"], flight_id, "{path}");
    }
}

#[tokio::test]
async fn query_text_is_form_encoded() {
    let gateway = start().await;
    let answer = gateway
        .get("/v1/airports?query=S%C3%A3o+Paulo%2B&pageSize=7&&pageToken=")
        .await
        .json();
    assert_eq!(
        answer,
        json!({"airports": [{"name": "São Paulo+"}], "nextPageToken": "7"})
    );
    assert_eq!(gateway.get("/v1/airports?").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_empty_body_is_the_default_message() {
    let gateway = start().await;
    let answer = gateway.post("/v1/itineraries:search", "").await;
    assert_eq!(answer.fields(), ["origin", "destination", "departureDate"]);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let gateway = start().await;
    let get = gateway.get("/v1/flights/F1").await;
    let head = gateway
        .send(Request::head("/v1/flights/F1").body("").unwrap())
        .await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.headers["content-length"], get.body.len().to_string());
}

#[tokio::test]
async fn metadata_travels_with_the_call() {
    let gateway = start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = Request::get("/v1/airports")
        .header("traceparent", trace)
        .header("x-request-id", "mine")
        .header("cookie", "private=1")
        .header("grpc-timeout", "1S");
    let answer = gateway.send(request.body("").unwrap()).await;
    assert_eq!(answer.headers["x-request-id"], "mine");
    let metadata = gateway.metadata.borrow().clone();
    assert_eq!(metadata["traceparent"], trace);
    assert_eq!(metadata["x-request-id"], "mine");
    assert!(metadata.contains_key("grpc-timeout"));
    assert!(!metadata.contains_key("cookie"));
}

#[tokio::test]
async fn http2_without_tls_is_served_too() {
    let gateway = start().await;
    let stream = tokio::net::TcpStream::connect(gateway.address)
        .await
        .unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("http://{}/v1/flights/F1", gateway.address));
    let body = http_body_util::Empty::<bytes::Bytes>::new();
    let response = sender
        .send_request(request.body(body).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}
