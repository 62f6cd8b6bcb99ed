//! One request is one trace, with every service under its own name.

use tempfile::TempDir;

use crate::support::cluster::{Gateway, Replica, Up};
use crate::support::otlp::{Collector, Span};
use crate::support::{day, wait};

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const RPC: &str = "skyway.search.v1.SearchService/SearchItineraries";

fn search() -> String {
    format!(
        "/v1/itineraries:search?origin=JFK&destination=SEA&departureDate={}&maxStops=0",
        day(1)
    )
}

/// Waits for the tree of one search and gives it: gateway server, gateway client, search server.
async fn tree(collector: &Collector) -> [Span; 3] {
    wait::until("the three spans of a search", async || {
        let spans = collector.spans();
        let rest = spans
            .iter()
            .find(|span| span.kind == SERVER && span.name.ends_with("itineraries:search"))?;
        let within = |parent: &Span, service: &str, kind| {
            spans.iter().find(|span| {
                span.parent == parent.id && span.service == service && span.kind == kind
            })
        };
        let call = within(rest, "gateway", CLIENT)?;
        let rpc = within(call, "search", SERVER)?;
        Some([rest.clone(), call.clone(), rpc.clone()])
    })
    .await
}

fn check([rest, call, rpc]: &[Span; 3], replicas: &[&str]) {
    assert_eq!(rest.name, "GET /v1/itineraries:search");
    assert_eq!((call.name.as_str(), rpc.name.as_str()), (RPC, RPC));
    assert_eq!(rest.service, "gateway");
    assert_eq!(
        (&call.parent, &call.trace),
        (&rest.id, &rest.trace),
        "the call is within the request"
    );
    assert_eq!(
        (&rpc.parent, &rpc.trace),
        (&call.id, &call.trace),
        "the RPC is within the call"
    );
    let attribute =
        |span: &Span, name: &str| span.attributes.get(name).cloned().unwrap_or_default();
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/v1/itineraries:search"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(attribute(rest, name), value, "{name} of {rest:?}");
    }
    for span in [call, rpc] {
        assert_eq!(
            attribute(span, "rpc.service"),
            "skyway.search.v1.SearchService"
        );
        assert_eq!(attribute(span, "rpc.method"), "SearchItineraries");
    }
    let replica = format!(
        "{}:{}",
        attribute(call, "server.address"),
        attribute(call, "server.port")
    );
    assert!(
        replicas.contains(&replica.as_str()),
        "{replica} is one of {replicas:?}"
    );
}

#[tokio::test]
async fn processes_share_one_trace() {
    let (collector, endpoint) = Collector::start();
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let data = TempDir::new().unwrap();
    let replica = Replica::start(data.path(), &environment).await;
    let gateway = Gateway::start(&[&replica], &environment).await;
    assert_eq!(gateway.rest.get(&search()).await.status, 200);
    check(&tree(&collector).await, &[&replica.address]);
}

#[tokio::test]
async fn so_do_the_parts_of_one_process_and_every_replica_has_its_share() {
    let (collector, endpoint) = Collector::start();
    let up = Up::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]).await;
    for _ in 0..40 {
        assert_eq!(up.rest().get(&search()).await.status, 200);
    }
    let replicas: Vec<&str> = up.search.iter().map(String::as_str).collect();
    check(&tree(&collector).await, &replicas);
    wait::until("calls to either replica", async || {
        let called = |replica: &&str| {
            let port = replica.rsplit(':').next().map(str::to_owned);
            collector.spans().iter().any(|span| {
                span.kind == CLIENT && span.attributes.get("server.port") == port.as_ref()
            })
        };
        replicas.iter().all(called).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_trace_that_the_client_began_goes_on() {
    let (collector, endpoint) = Collector::start();
    let up = Up::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]).await;
    let request = up.rest().request(reqwest::Method::GET, &search());
    let request = request.header(
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    );
    assert_eq!(request.send().await.unwrap().status(), 200);
    let [rest, _, rpc] = tree(&collector).await;
    assert_eq!(rest.parent, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(
        rpc.trace,
        0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes()
    );
}
