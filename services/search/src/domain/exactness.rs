//! The search against another one that is too simple to be wrong: over small random timetables
//! it must find exactly the same itineraries in the same order.

use chrono::{Duration, NaiveDateTime, TimeZone};
use proptest::prelude::*;

use super::{
    airport::{AirportId, Airports, Code},
    day::{Day, Minute},
    fare::fare,
    flight_id::FlightId,
    itinerary::{Itinerary, Key, Leg, Market, Order, Query, search},
    pattern::{Cabin, Carrier, Pattern, Weekdays},
    seats::{Availability, WholeCapacity},
    timetable::Timetable,
};

/// Two zones that change their clocks, one that does not, and one across a border.
const AIRPORTS: [&str; 6] = ["JFK", "ORD", "PHX", "SEA", "YYZ", "BOS"];
/// Their clocks in winter, hours ahead of UTC.
const CLOCKS: [i32; 6] = [-5, -6, -7, -8, -5, -5];
const CARRIERS: [&str; 3] = ["AA", "B6", "WN"];
/// The days around both clock changes, and quiet ones.
const DAYS: [&str; 4] = ["2026-10-31", "2027-03-13", "2026-12-01", "2027-07-04"];

fn airport(at: usize) -> AirportId {
    Airports::embedded()
        .find(Code::parse(AIRPORTS[at]).unwrap())
        .unwrap()
}

/// Every third seat is sold.
struct Sold(WholeCapacity);

impl Availability for Sold {
    fn seats_left(&self, flight: FlightId, _: Cabin, capacity: u16) -> u16 {
        capacity - (flight.bits() % 7).min(u64::from(capacity)) as u16
    }

    fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.changes()
    }
}

#[derive(Clone, Debug)]
struct Plain {
    id: String,
    from: AirportId,
    to: AirportId,
    day: Day,
    departure: Minute,
    arrival: Minute,
    clock: i64,
    fare: i64,
}

/// An instant from the time-zone database, asked minute by minute.
fn instant(airport: AirportId, day: Day, minute: u16) -> NaiveDateTime {
    let airports = Airports::embedded();
    let tz = airports.zones()[usize::from(airports.get(airport).zone)];
    let local = day.date().and_hms_opt(0, 0, 0).unwrap() + Duration::minutes(i64::from(minute));
    let found = tz.from_local_datetime(&local).earliest();
    // In a gap: as long after it as the local time is after its beginning.
    found.map_or_else(
        || {
            (tz.from_local_datetime(&(local - Duration::hours(2)))
                .unwrap()
                + Duration::hours(2))
            .naive_utc()
        },
        |time| time.naive_utc(),
    )
}

fn minute(time: NaiveDateTime) -> Minute {
    i32::try_from(time.and_utc().timestamp() / 60).unwrap()
}

fn flights(
    patterns: &[Pattern],
    query: &Query,
    availability: &dyn Availability,
    now: Minute,
) -> Vec<Plain> {
    let airports = Airports::embedded();
    let mut flights = Vec::new();
    let last = query.back.unwrap_or(query.departure).plus(6);
    for row in patterns {
        let mut day = query.departure;
        while day <= last {
            let (departure, arrival) = (
                minute(instant(row.origin, day, row.departure)),
                minute(instant(
                    row.destination,
                    day.plus(i32::from(row.arrival_day)),
                    row.arrival,
                )),
            );
            let id = FlightId::new(row.carrier, row.number, day, airports.get(row.origin).code);
            let capacity = row.seats[query.cabin.index()];
            let left = availability.seats_left(id, query.cabin, capacity);
            let fits = row.operates(day)
                && arrival > departure
                && arrival - departure <= 1_440
                && capacity > 0
                && left >= query.passengers;
            if fits && (query.carriers.is_empty() || query.carriers.contains(&row.carrier)) {
                let tz = airports.zones()[usize::from(airports.get(row.origin).zone)];
                let clock = tz
                    .from_utc_datetime(&instant(row.origin, day, row.departure))
                    .naive_local();
                let cents = fare(
                    row.fares[query.cabin.index()],
                    (departure - now).div_euclid(1_440),
                    left,
                    capacity,
                );
                let clock = (clock - clock.date().and_hms_opt(0, 0, 0).unwrap()).num_minutes();
                flights.push(Plain {
                    id: id.to_string(),
                    from: row.origin,
                    to: row.destination,
                    day,
                    departure,
                    arrival,
                    clock,
                    fare: i64::from(cents),
                });
            }
            day = day.plus(1);
        }
    }
    flights
}

fn connects(one: &Plain, other: &Plain) -> bool {
    let airports = Airports::embedded();
    let border = [one, other]
        .iter()
        .any(|flight| airports.get(flight.from).country != airports.get(flight.to).country);
    let wait = other.departure - one.arrival;
    one.to == other.from && wait >= if border { 60 } else { 45 } && wait <= 360
}

fn legs(
    flights: &[Plain],
    (from, to, day): (AirportId, AirportId, Day),
    query: &Query,
    now: Minute,
) -> Vec<Vec<Plain>> {
    let starts = flights.iter().filter(|flight| {
        let clock = (i64::from(query.depart_after)..=i64::from(query.depart_before))
            .contains(&flight.clock);
        flight.from == from && flight.day == day && clock && flight.departure > now
    });
    let mut paths: Vec<Vec<Plain>> = starts.map(|flight| vec![flight.clone()]).collect();
    let mut legs = Vec::new();
    for _ in 0..=query.max_stops {
        legs.extend(
            paths
                .iter()
                .filter(|path| path[path.len() - 1].to == to)
                .cloned(),
        );
        let mut longer = Vec::new();
        for path in paths.iter().filter(|path| path[path.len() - 1].to != to) {
            let been = |airport: AirportId| {
                path.iter()
                    .any(|flight| flight.from == airport || flight.to == airport)
            };
            for next in flights
                .iter()
                .filter(|next| connects(&path[path.len() - 1], next) && !been(next.to))
            {
                longer.push([path.as_slice(), std::slice::from_ref(next)].concat());
            }
        }
        paths = longer;
    }
    legs
}

/// Names of the itineraries in order, with the price of each.
fn brute_force(
    patterns: &[Pattern],
    query: &Query,
    availability: &dyn Availability,
    now: Minute,
) -> Vec<(Vec<String>, i64)> {
    let flights = flights(patterns, query, availability, now);
    let out = legs(
        &flights,
        (query.origin, query.destination, query.departure),
        query,
        now,
    );
    let mut ways: Vec<Vec<Vec<Plain>>> = out.iter().map(|leg| vec![leg.clone()]).collect();
    if let Some(back) = query.back {
        let home = legs(
            &flights,
            (query.destination, query.origin, back),
            query,
            now,
        );
        let border = |flight: &Plain| Airports::embedded().crosses_border(flight.from, flight.to);
        let fits = |out: &[Plain], home: &[Plain]| {
            let (last, first) = (&out[out.len() - 1], &home[0]);
            first.departure - last.arrival
                >= if border(last) || border(first) {
                    60
                } else {
                    45
                }
        };
        ways = out
            .iter()
            .flat_map(|out| {
                home.iter()
                    .filter(|home| fits(out, home))
                    .map(|home| vec![out.clone(), home.clone()])
            })
            .collect();
    }
    let price = |way: &[Vec<Plain>]| {
        way.iter().flatten().map(|flight| flight.fare).sum::<i64>() * i64::from(query.passengers)
    };
    let duration = |way: &[Vec<Plain>]| {
        way.iter()
            .map(|leg| leg[leg.len() - 1].arrival - leg[0].departure)
            .sum::<i32>()
    };
    let stops = |way: &[Vec<Plain>]| way.iter().map(|leg| leg.len() - 1).sum::<usize>();
    ways.retain(|way| query.max_price.is_none_or(|most| price(way) <= most));
    let facts: Vec<(i64, i32, usize)> = ways
        .iter()
        .map(|way| (price(way), duration(way), stops(way)))
        .collect();
    let beaten = |fact: &(i64, i32, usize)| {
        facts
            .iter()
            .any(|other| other.0 < fact.0 && other.1 < fact.1 && other.2 < fact.2)
    };
    let mut found: Vec<_> = ways
        .iter()
        .zip(&facts)
        .filter(|(_, fact)| !beaten(fact))
        .map(|(way, (price, duration, _))| {
            let names: Vec<String> = way
                .iter()
                .flatten()
                .map(|flight| flight.id.clone())
                .collect();
            let departure = way[0][0].departure;
            let first = match query.order {
                Order::Price => *price,
                Order::Duration => i64::from(*duration),
                Order::Departure => i64::from(departure),
            };
            (first, *price, *duration, departure, names)
        })
        .collect();
    found.sort();
    found
        .into_iter()
        .map(|(_, price, _, _, names)| (names, price))
        .collect()
}

fn names(timetable: &Timetable, found: &[Itinerary]) -> Vec<(Vec<String>, i64)> {
    let name = |itinerary: &Itinerary| {
        let segments = itinerary.legs.iter().flat_map(Leg::segments);
        (
            segments
                .map(|segment| timetable.id(&segment.flight).to_string())
                .collect(),
            itinerary.price,
        )
    };
    found.iter().map(name).collect()
}

prop_compose! {
    // Times in quarters of an hour, some a minute off: so that waits fall on their limits and beside them.
    fn any_pattern()(
        carrier in 0..3_usize,
        ends in (0..6_usize, 1..6_usize),
        departure in (0_i32..96, 0_i32..2),
        block in 3_i32..17,
        weekdays in prop_oneof![4 => Just(0x7F_u8), 1 => 1_u8..128],
        fares in (1_000_u32..60_000, 1_000_u32..60_000),
        seats in prop_oneof![4 => 8_u16..20, 1 => 0_u16..8],
    ) -> Pattern {
        let destination = (ends.0 + ends.1) % 6;
        // As a timetable has it: by the clocks of winter, whatever they show on the day.
        let departure = departure.0 * 15 + departure.1;
        let arrival = departure + block * 15 + (CLOCKS[destination] - CLOCKS[ends.0]) * 60;
        Pattern {
            carrier: Carrier::parse(CARRIERS[carrier]).unwrap(),
            number: 0,
            origin: airport(ends.0),
            destination: airport(destination),
            departure: u16::try_from(departure).unwrap(),
            arrival: u16::try_from(arrival.rem_euclid(1_440)).unwrap(),
            arrival_day: i8::try_from(arrival.div_euclid(1_440)).unwrap(),
            weekdays: Weekdays(weekdays),
            from: Day::MIN,
            to: Day::MAX,
            seats: [seats, 0, seats / 2, 0],
            fares: [fares.0, 0, fares.1, 0],
        }
    }
}

prop_compose! {
    fn any_query()(
        ends in (0..6_usize, 1..6_usize),
        day in 0..4_usize,
        back in proptest::option::of(0..4_i32),
        passengers in 1_u16..4,
        business in any::<bool>(),
        max_stops in prop_oneof![1 => 0_u8..2, 3 => Just(2_u8)],
        max_price in proptest::option::weighted(0.3, 10_000_i64..400_000),
        carrier in proptest::option::weighted(0.1, 0..3_usize),
        times in prop_oneof![2 => Just((0_u16, 1_439_u16)), 1 => (0_u16..600, 700_u16..1_440)],
        order in 0..3_usize,
    ) -> Query {
        let departure = Day::parse(DAYS[day]).unwrap();
        Query {
            origin: airport(ends.0),
            destination: airport((ends.0 + ends.1) % 6),
            departure,
            back: back.map(|days| departure.plus(days)),
            passengers,
            cabin: if business { Cabin::Business } else { Cabin::Economy },
            max_stops,
            max_price,
            carriers: carrier.map(|at| Carrier::parse(CARRIERS[at]).unwrap()).into_iter().collect(),
            depart_after: times.0,
            depart_before: times.1,
            order: [Order::Price, Order::Duration, Order::Departure][order],
        }
    }
}

fn numbered(mut patterns: Vec<Pattern>) -> Vec<Pattern> {
    // Numbers that sort differently as text and as numbers.
    patterns
        .iter_mut()
        .zip(1..)
        .for_each(|(row, number)| row.number = number * 7);
    patterns
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 100 } else { 2_000 }))]

    #[test]
    fn the_search_finds_what_trying_everything_finds(patterns in proptest::collection::vec(any_pattern(), 20..70), query in any_query(), sold in any::<bool>(), early in any::<bool>()) {
        let patterns = numbered(patterns);
        let today = query.departure.plus(-20);
        let timetable = Timetable::new(patterns.clone(), today);
        let (whole, some) = (WholeCapacity::default(), Sold(WholeCapacity::default()));
        let availability: &dyn Availability = if sold { &some } else { &whole };
        // Half of the time, the morning of the day itself.
        let now = if early { today.number() * 1_440 } else { query.departure.number() * 1_440 + 15 * 60 };
        let market = Market { timetable: &timetable, availability, now };
        let expected = brute_force(&patterns, &query, availability, now);
        let found = search(market, &query, None, 100_000);
        prop_assert_eq!(names(&timetable, &found), expected.clone());

        let mut paged: Vec<Itinerary> = Vec::new();
        loop {
            let after: Option<Key> = paged.last().map(|last| last.key);
            let page = search(market, &query, after, 3);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        prop_assert_eq!(names(&timetable, &paged), expected);
        prop_assert!(paged.windows(2).all(|pair| pair[0].key < pair[1].key));
    }
}
