//! What the transcoder costs: an answer of 20 itineraries to JSON, and a search request to wire.
//!
//! `prost decode` alone is there for scale: a gateway that builds messages pays it before it has
//! written the first byte of JSON.

use std::hint::black_box;

use contracts::{
    google::r#type::Money,
    rt::{constraint, json, schema::Described as _},
    search::v1::{
        Cabin, Itinerary, Leg, LegFlight, SearchItinerariesRequest, SearchItinerariesResponse,
    },
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prost::Message as _;

fn flight(number: u32) -> LegFlight {
    let departure = 1_796_137_200 + i64::from(number) * 600;
    LegFlight {
        flight_id: format!("AS{number}-2026-12-01-JFK"),
        carrier: "AS".to_owned(),
        flight_number: number,
        origin: "JFK".to_owned(),
        destination: "SEA".to_owned(),
        departure_time: Some(prost_types::Timestamp {
            seconds: departure,
            nanos: 0,
        }),
        arrival_time: Some(prost_types::Timestamp {
            seconds: departure + 22_500,
            nanos: 0,
        }),
        departure_local: "2026-12-01T10:00:00-05:00".to_owned(),
        arrival_local: "2026-12-01T13:15:00-08:00".to_owned(),
        cabin: Cabin::Economy.into(),
        seats_left: Some(number % 180),
    }
}

/// Non-stop itineraries, so that they hold 20 flights, with an offer of the usual length each.
fn answer() -> SearchItinerariesResponse {
    let itinerary = |number| Itinerary {
        offer_id: "Q2hhcmFjdGVyc09mQVNpZ25lZE9mZmVy".repeat(5),
        stops: Some(0),
        duration: Some(prost_types::Duration {
            seconds: 22_500,
            nanos: 0,
        }),
        total_price: Some(Money {
            currency_code: "USD".to_owned(),
            units: 412,
            nanos: 500_000_000,
        }),
        legs: vec![Leg {
            flights: vec![flight(number)],
        }],
    };
    SearchItinerariesResponse {
        itineraries: (21..41).map(itinerary).collect(),
        next_page_token: "bmV4dCBwYWdlIHRva2Vu".to_owned(),
    }
}

const REQUEST: &[u8] = br#"{"origin":"JFK","destination":"SEA","departureDate":"2026-12-01","passengers":2,"cabin":"ECONOMY","maxStops":1,"maxPrice":900.5,"carriers":["AS","DL","B6"],"orderBy":"price","pageSize":20}"#;

fn answers(criterion: &mut Criterion) {
    let wire = answer().encode_to_vec();
    let mut out = Vec::new();
    json::write(SearchItinerariesResponse::MESSAGE, &wire, &mut out).expect("is a message");
    println!(
        "20 itineraries: {} bytes on the wire, {} bytes of JSON",
        wire.len(),
        out.len()
    );

    let mut group = criterion.benchmark_group("answer");
    group.throughput(Throughput::Bytes(out.len() as u64));
    group.bench_function("wire to JSON", |bencher| {
        bencher.iter(|| {
            out.clear();
            json::write(
                SearchItinerariesResponse::MESSAGE,
                black_box(&wire),
                &mut out,
            )
        });
    });
    group.bench_function("prost decode alone", |bencher| {
        bencher.iter(|| SearchItinerariesResponse::decode(black_box(wire.as_slice())));
    });
    group.finish();
}

fn requests(criterion: &mut Criterion) {
    let mut wire = Vec::new();
    json::read(SearchItinerariesRequest::MESSAGE, REQUEST, &mut wire).expect("is a request");

    let mut group = criterion.benchmark_group("request");
    group.throughput(Throughput::Bytes(REQUEST.len() as u64));
    group.bench_function("JSON to wire", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            json::read(
                SearchItinerariesRequest::MESSAGE,
                black_box(REQUEST),
                &mut out,
            )
        });
    });
    group.bench_function("constraints", |bencher| {
        bencher.iter(|| constraint::check(SearchItinerariesRequest::MESSAGE, black_box(&wire)));
    });
    group.finish();
}

criterion_group!(benches, answers, requests);
criterion_main!(benches);
