//! What a search costs, over the demonstration network and over one with four times its routes.
//!
//! The larger network gives every airport a twin, and every route its four combinations.

use std::{collections::HashMap, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use search::domain::{
    airport::{AirportId, Airports, Code},
    day::{DAY_MINUTES, Day, Minute},
    demonstration,
    itinerary::{Market, Order, Query, search},
    pattern::{Cabin, Carrier, Pattern},
    seats::WholeCapacity,
    timetable::Timetable,
    typeahead::Typeahead,
};

const TODAY: &str = "2026-11-22";

fn day(text: &str) -> Day {
    Day::parse(text).expect("a date")
}

fn airport(code: &str) -> AirportId {
    Code::parse(code)
        .and_then(|code| Airports::embedded().find(code))
        .expect("an airport")
}

fn now() -> Minute {
    day(TODAY).number() * DAY_MINUTES
}

/// The network with each airport twice.
fn four_times(patterns: &[Pattern]) -> Vec<Pattern> {
    let airports = Airports::embedded();
    let mut used: Vec<AirportId> = patterns
        .iter()
        .flat_map(|row| [row.origin, row.destination])
        .collect();
    used.sort_unstable();
    used.dedup();
    let mut twins: HashMap<AirportId, AirportId> = HashMap::new();
    for id in &used {
        let free = airports
            .iter()
            .map(|(id, _)| id)
            .filter(|other| !used.contains(other) && !twins.values().any(|twin| twin == other));
        let nearest = free
            .min_by_key(|other| airports.distance_km(*id, *other))
            .expect("more airports than are used");
        twins.insert(*id, nearest);
    }
    let mut rows = Vec::with_capacity(patterns.len() * 4);
    for row in patterns {
        for origin in [row.origin, twins[&row.origin]] {
            // Another number for the twin, so that no name is given twice.
            for (destination, number) in [
                (row.destination, row.number),
                (twins[&row.destination], (row.number + 5_000) % 9_999 + 1),
            ] {
                rows.push(Pattern {
                    origin,
                    destination,
                    number,
                    ..row.clone()
                });
            }
        }
    }
    rows
}

fn query(max_stops: u8) -> Query {
    Query {
        origin: airport("JFK"),
        destination: airport("SEA"),
        departure: day("2026-12-15"),
        back: None,
        passengers: 1,
        cabin: Cabin::Economy,
        max_stops,
        max_price: None,
        carriers: Vec::new(),
        depart_after: 0,
        depart_before: 1_439,
        order: Order::Price,
    }
}

/// Two stops with every filter set, none of them so narrow that little is left to do.
fn with_all_filters() -> Query {
    let carriers = ["AA", "DL", "UA", "WN", "AS", "B6", "US", "OO", "MQ"]
        .iter()
        .filter_map(|code| Carrier::parse(code))
        .collect();
    Query {
        passengers: 2,
        max_price: Some(300_000),
        carriers,
        depart_after: 300,
        depart_before: 1_300,
        ..query(2)
    }
}

fn benches(criterion: &mut Criterion) {
    let once = demonstration::patterns(day(TODAY));
    criterion.bench_function("make the demonstration timetable", |bencher| {
        bencher.iter(|| demonstration::patterns(black_box(day(TODAY))));
    });
    criterion.bench_function("index it", |bencher| {
        bencher.iter_with_setup(
            || once.clone(),
            |patterns| Timetable::new(patterns, day(TODAY)),
        );
    });
    let times_four = four_times(&once);
    let availability = WholeCapacity::default();
    for (size, patterns) in [("1x", once), ("4x", times_four)] {
        let timetable = Timetable::new(patterns, day(TODAY));
        println!(
            "{size}: {} patterns, {} routes",
            timetable.patterns().len(),
            timetable.routes().len()
        );
        let market = Market {
            timetable: &timetable,
            availability: &availability,
            now: now(),
        };
        let round_trip = |back: &str| Query {
            back: Some(day(back)),
            ..query(2)
        };
        for (name, query) in [
            ("non-stop JFK-SEA", query(0)),
            ("one stop JFK-SEA", query(1)),
            ("two stops JFK-SEA", query(2)),
            ("two stops JFK-SEA, all filters", with_all_filters()),
            (
                "two stops JFK-SEA by duration",
                Query {
                    order: Order::Duration,
                    ..query(2)
                },
            ),
            (
                "two stops JFK-SEA by departure",
                Query {
                    order: Order::Departure,
                    ..query(2)
                },
            ),
            (
                "two stops BTV-FAT (no non-stop)",
                Query {
                    origin: airport("BTV"),
                    destination: airport("FAT"),
                    ..query(2)
                },
            ),
            ("round trip JFK-SEA, a week", round_trip("2026-12-22")),
            ("round trip JFK-SEA, the same day", round_trip("2026-12-15")),
        ] {
            println!(
                "{size} {name}: {} itineraries",
                search(market, &query, None, 100_000).len()
            );
            criterion.bench_function(&format!("{size} {name}"), |bencher| {
                bencher.iter(|| search(market, black_box(&query), None, 21));
            });
        }
        let typeahead = Typeahead::new(timetable.airports());
        for text in ["a", "san f", "jfk"] {
            criterion.bench_function(&format!("{size} airports {text:?}"), |bencher| {
                bencher.iter(|| typeahead.find(black_box(text), &timetable, None, 21));
            });
        }
    }
}

criterion_group! { name = group; config = Criterion::default().sample_size(20); targets = benches }
criterion_main!(group);
