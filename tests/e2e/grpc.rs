//! Real gRPC clients need nothing but reflection.

use serde_json::{Value, json};

use crate::support::cluster::Up;
use crate::support::{day, tools};

const SERVICE: &str = "skyway.search.v1.SearchService";

fn request() -> String {
    json!({"origin": "JFK", "destination": "SEA", "departureDate": day(1), "maxStops": 0})
        .to_string()
}

#[tokio::test]
async fn grpcurl_lists_describes_and_calls() {
    let up = Up::shared().await;
    let address = up.search[0].as_str();
    let list = tools::run("grpcurl", &["-plaintext", address, "list"]).await;
    for service in [
        SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    ] {
        assert!(
            list.text.lines().any(|line| line == service),
            "{service} in {}",
            list.text
        );
    }
    let described = tools::run("grpcurl", &["-plaintext", address, "describe", SERVICE]).await;
    assert!(
        described.text.contains("rpc SearchItineraries"),
        "{}",
        described.text
    );
    assert!(
        described.text.contains("(.google.api.http)"),
        "options are kept: {}",
        described.text
    );

    let call = tools::run(
        "grpcurl",
        &[
            "-plaintext",
            "-d",
            &request(),
            address,
            &format!("{SERVICE}/SearchItineraries"),
        ],
    )
    .await;
    assert!(call.ok, "{}", call.text);
    let answer: Value = serde_json::from_str(&call.text).unwrap();
    assert_eq!(
        answer["itineraries"][0]["legs"][0]["flights"][0]["origin"],
        "JFK"
    );
}

#[tokio::test]
async fn grpcurl_learns_what_was_wrong() {
    let up = Up::shared().await;
    let body = json!({"origin": "XXX1", "destination": "SEA", "departureDate": day(1)}).to_string();
    let call = tools::run(
        "grpcurl",
        &[
            "-plaintext",
            "-d",
            &body,
            &up.search[0],
            &format!("{SERVICE}/SearchItineraries"),
        ],
    )
    .await;
    assert!(!call.ok);
    for part in ["InvalidArgument", "origin", "google.rpc.BadRequest"] {
        assert!(call.text.contains(part), "{part} in {}", call.text);
    }
}

#[tokio::test]
async fn buf_curl_calls_over_the_newer_reflection() {
    let up = Up::shared().await;
    let url = format!("http://{}", up.search[1]);
    let common = ["curl", "--protocol", "grpc", "--http2-prior-knowledge"];
    let list = tools::run("buf", &[&common[..], &[&url, "--list-methods"]].concat()).await;
    assert!(
        list.text.contains(&format!("{SERVICE}/GetFlight")),
        "{}",
        list.text
    );
    let method = format!("{url}/{SERVICE}/SearchItineraries");
    let call = tools::run("buf", &[&common[..], &["-d", &request(), &method]].concat()).await;
    assert!(call.ok && call.text.contains("offerId"), "{}", call.text);
    let board = json!({"airport": "JFK", "date": day(1)}).to_string();
    let method = format!("{url}/{SERVICE}/StreamDepartures");
    let stream = tools::run("buf", &[&common[..], &["-d", &board, &method]].concat()).await;
    assert!(
        stream.ok && stream.text.matches("flightId").count() > 50,
        "{}",
        stream.text
    );
}

#[tokio::test]
async fn health_is_told_for_the_server_and_for_each_service() {
    let up = Up::shared().await;
    for service in ["", SERVICE] {
        let body = json!({"service": service}).to_string();
        let call = tools::run(
            "grpcurl",
            &[
                "-plaintext",
                "-d",
                &body,
                &up.search[0],
                "grpc.health.v1.Health/Check",
            ],
        )
        .await;
        assert!(
            call.text.contains("\"SERVING\""),
            "{service:?}: {}",
            call.text
        );
    }
}
