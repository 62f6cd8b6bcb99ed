//! What the gateway itself does per request: finding the route, and binding the request.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench may panic; its macros document nothing"
)]

use std::hint::black_box;

use contracts::rt::route::{Binding, Method};
use criterion::{Criterion, criterion_group, criterion_main};
use gateway::router::Router;
use gateway::transcode::request::bind;

fn routes() -> impl Iterator<Item = (&'static Method, &'static Binding)> {
    let methods = contracts::SERVICES
        .iter()
        .flat_map(|service| service.methods);
    methods.flat_map(|method| method.bindings.iter().map(move |binding| (method, binding)))
}

fn router(c: &mut Criterion) {
    let mut router = Router::default();
    for (method, binding) in routes() {
        router.add(binding.verb, binding.segments, binding.custom_verb, method);
    }
    for path in [
        "/v1/airports",
        "/v1/flights/AS21-2026-12-01-JFK:watch",
        "/v1/nothing",
    ] {
        c.bench_function(&format!("router {path}"), |b| {
            b.iter(|| router.find(&http::Method::GET, black_box(path)));
        });
    }
}

fn binding(c: &mut Criterion) {
    let find = |verb: &str, name: &str| {
        routes()
            .find(|(method, binding)| method.name == name && binding.verb == verb)
            .unwrap()
    };
    let (method, binding) = find("GET", "GetFlight");
    c.bench_function("bind one path variable", |b| {
        b.iter(|| {
            bind(
                method,
                binding,
                black_box("/v1/flights/AS21-2026-12-01-JFK"),
                None,
                b"",
            )
        });
    });
    let (method, binding) = find("GET", "SearchItineraries");
    let query =
        "origin=JFK&destination=SEA&departureDate=2026-12-01&passengers=2&orderBy=price&maxStops=1";
    c.bench_function("bind six parameters", |b| {
        b.iter(|| {
            bind(
                method,
                binding,
                "/v1/itineraries",
                Some(black_box(query)),
                b"",
            )
        });
    });
    let (method, binding) = find("POST", "SearchItineraries");
    let body =
        br#"{"origin":"JFK","destination":"SEA","departureDate":"2026-12-01","passengers":2}"#;
    c.bench_function("bind a body", |b| {
        b.iter(|| bind(method, binding, "/v1/itineraries", None, black_box(body)));
    });
}

criterion_group!(benches, router, binding);
criterion_main!(benches);
