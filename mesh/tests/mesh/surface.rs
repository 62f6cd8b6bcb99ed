//! What else is on the port: health, reflection, and plain HTTP.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::support::{Replica, Script, channel, client, eventually, flight};

pub(crate) async fn http_get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn health_and_readyz_follow_the_service() {
    let replica = Replica::start(Script::default());
    let health = HealthClient::new(channel(&[replica.address]));
    let serving = async |service: &str| {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        health
            .clone()
            .check(request)
            .await
            .map(|answer| answer.into_inner().status)
    };
    for (ready, status, readyz) in [(false, 2, (503, "starting\n")), (true, 1, (200, "ready\n"))] {
        replica.ready.send_replace(ready);
        eventually("health follows", async || {
            serving("").await.unwrap() == status
        })
        .await;
        assert_eq!(
            serving("skyway.search.v1.SearchService").await.unwrap(),
            status
        );
        assert_eq!(
            http_get(replica.address, "/readyz").await,
            (readyz.0, readyz.1.to_owned())
        );
    }
    assert_eq!(
        serving("skyway.booking.v1.BookingService")
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn reflection_lists_the_services() {
    let replica = Replica::start(Script::default());
    let mut reflection = ServerReflectionClient::new(channel(&[replica.address]));
    let ask = |message_request| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message_request),
    };
    let requests = tokio_stream::iter([
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol(
            "skyway.search.v1.SearchService".to_owned(),
        )),
        ask(MessageRequest::FileContainingSymbol(
            "grpc.health.v1.Health".to_owned(),
        )),
        ask(MessageRequest::FileContainingSymbol(
            "google.rpc.ErrorInfo".to_owned(),
        )),
    ]);
    let answers = reflection
        .server_reflection_info(requests)
        .await
        .unwrap()
        .into_inner();
    let mut answers = answers.map(|answer| answer.unwrap().message_response.unwrap());
    let Some(MessageResponse::ListServicesResponse(list)) = answers.next().await else {
        panic!("no list")
    };
    let mut names: Vec<_> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    names.sort();
    let expected = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "skyway.search.v1.SearchService",
    ];
    assert_eq!(names, expected);
    for symbol in ["SearchService", "Health", "ErrorInfo"] {
        let answer = answers.next().await.unwrap();
        assert!(
            matches!(answer, MessageResponse::FileDescriptorResponse(_)),
            "{symbol}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn metrics_count_calls_by_method_and_code() {
    let replica = Replica::start(Script {
        code: Some(Code::NotFound),
        ..Script::default()
    });
    client(&[replica.address])
        .get_flight(flight("AA1"))
        .await
        .unwrap_err();
    let (code, text) = http_get(replica.address, "/metrics").await;
    assert_eq!(code, 200);
    let series = |name: &str, labels: &[&str]| {
        text.lines()
            .any(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)))
    };
    let labels = [
        r#"service="skyway.search.v1.SearchService""#,
        r#"method="GetFlight""#,
        r#"code="NOT_FOUND""#,
    ];
    assert!(
        series("rpc_server_duration_seconds_count", &labels),
        "{text}"
    );
    assert!(series("rpc_server_in_flight", &labels[..2]), "{text}");
    assert!(
        series("rpc_client_endpoint_ready", &[r#"service="search""#]),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_callers_protocol() {
    let replica = Replica::start(Script::default());
    assert_eq!(http_get(replica.address, "/nothing").await.0, 404);
    let request = tonic_reflection::pb::v1alpha::ServerReflectionRequest::default();
    let mut grpc = tonic::client::Grpc::new(channel(&[replica.address]));
    let codec = tonic_prost::ProstCodec::<_, HealthCheckRequest>::default();
    let path = http::uri::PathAndQuery::from_static("/no.such.Service/Method");
    let status = grpc
        .unary(tonic::Request::new(request), path, codec)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
