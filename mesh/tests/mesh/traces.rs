//! A call is one trace over both of its ends, seen by a real OTLP receiver.

use std::time::Duration;

use mesh::telemetry::{self, propagate};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind},
};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};
use tracing::{Instrument, instrument::WithSubscriber};

use crate::support::{Replica, Script, calls, client, flight};

struct Receiver(mpsc::UnboundedSender<(String, Span)>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let name = text(
                &resource.resource.unwrap_or_default().attributes,
                "service.name",
            );
            for span in resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans)
            {
                self.0
                    .send((name.clone(), span))
                    .map_err(|_| Status::internal("nobody listens"))?;
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let value = attributes
        .iter()
        .find(|attribute| attribute.key == key)
        .and_then(|attribute| attribute.value.clone());
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{key}: {other:?}"),
    }
}

async fn receiver() -> (String, mpsc::UnboundedReceiver<(String, Span)>) {
    let (sender, spans) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server =
        tonic::transport::Server::builder().add_service(TraceServiceServer::new(Receiver(sender)));
    tokio::spawn(server.serve_with_incoming(incoming));
    (format!("http://{address}"), spans)
}

fn config(name: &str, endpoint: &str) -> telemetry::Config {
    telemetry::Config {
        otlp_endpoint: Some(endpoint.to_owned()),
        ..telemetry::Config::new(name)
    }
}

#[tokio::test]
async fn client_and_server_span_are_one_trace() {
    let (endpoint, mut received) = receiver().await;
    let (gateway, gateway_guard) = telemetry::subscriber(&config("gateway", &endpoint)).unwrap();
    let (search, search_guard) = telemetry::subscriber(&config("search", &endpoint)).unwrap();
    let mut replica =
        Replica::start_traced("127.0.0.1:0".parse().unwrap(), Script::default(), search);

    let call = async {
        let mut client = client(&[replica.address]);
        let root = tracing::info_span!(target: "mesh::span", "root");
        client
            .get_flight(flight("AA1"))
            .instrument(root)
            .await
            .unwrap();
    };
    call.with_subscriber(gateway).await;
    replica.shutdown.cancel();
    tokio::task::spawn_blocking(move || replica.join())
        .await
        .unwrap();
    gateway_guard.shutdown().await;
    search_guard.shutdown().await;

    let mut spans = Vec::new();
    while spans.len() < 3 {
        spans.push(
            tokio::time::timeout(Duration::from_secs(10), received.recv())
                .await
                .unwrap()
                .unwrap(),
        );
    }
    let find = |service: &str, name: &str| {
        let found = spans
            .iter()
            .find(|(from, span)| from == service && span.name == name);
        &found
            .unwrap_or_else(|| panic!("no span {name} of {service} in {spans:?}"))
            .1
    };
    let name = "skyway.search.v1.SearchService/GetFlight";
    let (root, sent, served) = (
        find("gateway", "root"),
        find("gateway", name),
        find("search", name),
    );
    assert_eq!(sent.parent_span_id, root.span_id);
    assert_eq!(served.parent_span_id, sent.span_id);
    assert!(spans.iter().all(|(_, span)| span.trace_id == root.trace_id));
    assert_eq!(
        (sent.kind(), served.kind()),
        (SpanKind::Client, SpanKind::Server)
    );
    assert_eq!(text(&sent.attributes, "server.address"), "127.0.0.1");
    for span in [sent, served] {
        assert_eq!(text(&span.attributes, "rpc.system"), "grpc");
        assert_eq!(text(&span.attributes, "rpc.method"), "GetFlight");
        assert_eq!(text(&span.attributes, "rpc.grpc.status_code"), "0");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_no_call() {
    let endpoint = format!("http://{}", crate::support::nobody());
    let (dispatch, guard) = telemetry::subscriber(&config("gateway", &endpoint)).unwrap();
    let replica = Replica::start(Script::default());
    let client = client(&[replica.address]);
    let errors = calls(&client, 4, 200).with_subscriber(dispatch).await;
    assert!(errors.is_empty());
    tokio::time::timeout(Duration::from_secs(10), guard.shutdown())
        .await
        .unwrap();
}

#[test]
fn without_an_exporter_spans_are_off() {
    let (dispatch, _guard) = telemetry::subscriber(&telemetry::Config::new("gateway")).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        assert!(tracing::info_span!(target: "mesh::span", "call").is_disabled());
        let mut headers = http::HeaderMap::new();
        propagate::inject(&tracing::Span::current(), &mut headers);
        assert!(headers.is_empty());
    });
}

#[test]
fn a_bad_filter_or_endpoint_names_its_variable() {
    let config = telemetry::Config {
        log_filter: Some("=!".to_owned()),
        ..telemetry::Config::new("gateway")
    };
    let error = telemetry::subscriber(&config).unwrap_err().to_string();
    assert!(error.contains("RUST_LOG"), "{error}");
    let error = telemetry::subscriber(&self::config("gateway", "not a url"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{error}");
}
