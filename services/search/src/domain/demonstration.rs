//! The demonstration timetable: every US route of 2008, flown as often as it was.
//!
//! Real are the routes, their yearly number of flights (`data/us-routes-2008.csv`), the airports
//! and the carriers' names. Derived are the carriers of a route (by their hubs and reach), times
//! of day, flight numbers, cabins and fares. The same facts give the same timetable, so that two
//! replicas agree; the day it is made only decides where clock changes cut patterns in two.

use std::collections::HashMap;

use super::{
    airport::{AirportId, Airports, Code},
    cabins::{derive, scatter},
    day::{DAY_MINUTES, Day},
    pattern::{Carrier, Pattern, Weekdays},
    zone::Zones,
};

/// Days for which clock changes are foreseen; after them the last season's times stand.
const FORESEEN_DAYS: i32 = 3 * 366;
/// First departure of the day, minutes after midnight.
const FIRST_DEPARTURE: u64 = 5 * 60 + 30;
/// Departures spread over so many minutes.
const SPREAD: u64 = 17 * 60;
/// 2008 was a leap year.
const DAYS_OF_2008: u64 = 366;

/// How a carrier chooses its routes.
struct Airline {
    code: &'static str,
    /// How likely it flies a route, hubs apart.
    weight: u64,
    /// Longest route, km.
    reach: u32,
    /// Whether it has economy only.
    single: bool,
    hubs: &'static [&'static str],
}

const fn airline(
    code: &'static str,
    weight: u64,
    reach: u32,
    single: bool,
    hubs: &'static [&'static str],
) -> Airline {
    Airline {
        code,
        weight,
        reach,
        single,
        hubs,
    }
}

const ANY: u32 = u32::MAX;
/// What a regional carrier's jets reach.
const REGIONAL: u32 = 1_500;

/// The carriers of `data/airlines.csv` and where they were at home.
const AIRLINES: [Airline; 16] = [
    airline("9E", 1, REGIONAL, false, &["MSP", "DTW", "MEM"]),
    airline(
        "AA",
        4,
        ANY,
        false,
        &["DFW", "ORD", "MIA", "STL", "JFK", "LAX"],
    ),
    airline(
        "AS",
        2,
        ANY,
        false,
        &[
            "SEA", "PDX", "ANC", "JNU", "FAI", "KTN", "SIT", "BET", "OME", "OTZ",
        ],
    ),
    airline("B6", 2, ANY, true, &["JFK", "BOS", "FLL", "MCO", "LGB"]),
    airline(
        "DL",
        5,
        ANY,
        false,
        &["ATL", "CVG", "SLC", "JFK", "DTW", "MSP", "MEM"],
    ),
    airline("EV", 1, REGIONAL, false, &["ATL", "IAH", "EWR", "CLE"]),
    airline("F9", 1, ANY, true, &["DEN", "MKE"]),
    airline("FL", 1, ANY, true, &["ATL", "BWI", "MCO", "MKE"]),
    airline("HA", 1, ANY, false, &["HNL", "OGG", "KOA", "LIH", "ITO"]),
    airline("MQ", 1, REGIONAL, false, &["DFW", "ORD", "RDU"]),
    airline(
        "OO",
        1,
        REGIONAL,
        false,
        &["SLC", "DEN", "SFO", "LAX", "ORD"],
    ),
    airline(
        "UA",
        5,
        ANY,
        false,
        &[
            "ORD", "DEN", "IAD", "SFO", "LAX", "IAH", "EWR", "CLE", "GUM",
        ],
    ),
    airline(
        "US",
        4,
        ANY,
        false,
        &["CLT", "PHL", "PHX", "DCA", "LGA", "PIT"],
    ),
    airline("VX", 1, ANY, false, &["SFO", "LAX"]),
    airline(
        "WN",
        5,
        ANY,
        true,
        &[
            "MDW", "BWI", "LAS", "PHX", "DAL", "HOU", "OAK", "LAX", "MCO", "TPA", "SAN",
        ],
    ),
    airline("YV", 1, REGIONAL, false, &["PHX", "IAD", "CLT"]),
];

/// How much likelier a carrier flies from its hub.
const HUB_FACTOR: u64 = 24;
/// Hawaii's carrier flies nowhere else.
const ISLANDS: &str = "HA";

/// Weekdays by demand, for what does not fly daily; bit 0 is Monday.
const BUSIEST: [u8; 7] = [4, 0, 6, 3, 2, 1, 5];

/// Days from and to which the clocks of two zones differ by so many minutes.
type Seasons = Vec<(Day, Day, i32)>;

/// Makes the timetable as it stands on a day.
#[must_use]
pub fn patterns(today: Day) -> Vec<Pattern> {
    let mut maker = Maker::new(today);
    for line in include_str!("../../../../data/us-routes-2008.csv")
        .lines()
        .skip(1)
    {
        maker.add_route(line);
    }
    maker.patterns
}

struct Maker {
    airports: &'static Airports,
    today: Day,
    /// Offsets by zone and day from `today` on.
    offsets: HashMap<u16, Vec<i16>>,
    seasons: HashMap<(u16, u16), Seasons>,
    /// Numbers given, by carrier.
    numbers: HashMap<Carrier, u16>,
    zones: Zones,
    patterns: Vec<Pattern>,
}

impl Maker {
    fn new(today: Day) -> Self {
        let airports = Airports::embedded();
        let zones = Zones::new(airports, today);
        Self {
            airports,
            today,
            offsets: HashMap::new(),
            seasons: HashMap::new(),
            numbers: HashMap::new(),
            zones,
            patterns: Vec::new(),
        }
    }

    /// Adds a route; one with an airport that no longer exists is left out.
    fn add_route(&mut self, line: &str) {
        let mut columns = line.split(',');
        let mut airport = || {
            columns
                .next()
                .and_then(Code::parse)
                .and_then(|code| self.airports.find(code))
        };
        let (Some(origin), Some(destination)) = (airport(), airport()) else {
            return;
        };
        let yearly: u64 = columns
            .next()
            .and_then(|count| count.parse().ok())
            .unwrap_or(1);
        let weekly = ((yearly * 7 + DAYS_OF_2008 / 2) / DAYS_OF_2008).max(1);
        let airlines = self.airlines_of(origin, destination, weekly);
        let count = weekly.div_ceil(7);
        for slot in 0..count {
            let days = (weekly - slot * 7).min(7);
            let airline =
                &AIRLINES[airlines[usize::try_from(slot).unwrap_or_default() % airlines.len()]];
            self.add_flight(airline, (origin, destination), (slot, count), days);
        }
    }

    fn add_flight(
        &mut self,
        airline: &Airline,
        (origin, destination): (AirportId, AirportId),
        (slot, count): (u64, u64),
        days: u64,
    ) {
        let Some(carrier) = Carrier::parse(airline.code) else {
            return;
        };
        let seed = scatter(u64::from(origin.0) << 48 | u64::from(destination.0) << 32 | slot);
        let departure = (FIRST_DEPARTURE + (slot * SPREAD + seed % SPREAD) / count) / 5 * 5;
        let departure = u16::try_from(departure).unwrap_or_default();
        let km = self.airports.distance_km(origin, destination);
        let (seats, fares) = derive(km, airline.single, seed >> 20);
        let number = self.number(carrier);
        let block = self.block(origin, destination, km);
        for (from, to, ahead) in self.seasons(origin, destination) {
            let arrival = i32::from(departure) + block + ahead;
            self.patterns.push(Pattern {
                carrier,
                number,
                origin,
                destination,
                departure,
                arrival: u16::try_from(arrival.rem_euclid(DAY_MINUTES)).unwrap_or_default(),
                arrival_day: i8::try_from(arrival.div_euclid(DAY_MINUTES)).unwrap_or_default(),
                weekdays: weekdays(days, seed >> 40),
                from,
                to,
                seats,
                fares,
            });
        }
    }

    /// The next number of a carrier. They start again after 9999: numbers of one airport follow each
    /// other, so that none of them is given twice there.
    fn number(&mut self, carrier: Carrier) -> u16 {
        let number = self.numbers.entry(carrier).or_default();
        *number = *number % 9_999 + 1;
        *number
    }

    /// One to three carriers, the more the busier; the same in both directions.
    fn airlines_of(&self, origin: AirportId, destination: AirportId, weekly: u64) -> Vec<usize> {
        let km = self.airports.distance_km(origin, destination);
        let ends = [origin, destination].map(|id| self.airports.get(id).code);
        let pair =
            u64::from(origin.0.min(destination.0)) << 16 | u64::from(origin.0.max(destination.0));
        let score = |at: usize, airline: &Airline| {
            let hubs = ends
                .iter()
                .filter(|end| airline.hubs.contains(&end.as_str()))
                .count();
            let flies = km <= airline.reach
                && (airline.code != ISLANDS || hubs > 0)
                && (airline.reach == ANY || hubs > 0);
            let luck = 1 + scatter(pair << 8 | at as u64) % 64;
            let affinity = [1, HUB_FACTOR, HUB_FACTOR * 4][hubs];
            u64::from(flies) * luck * airline.weight * affinity
        };
        let mut scores: Vec<(u64, usize)> = AIRLINES
            .iter()
            .enumerate()
            .map(|(at, airline)| (score(at, airline), at))
            .collect();
        scores.sort_unstable_by(|a, b| b.cmp(a));
        let wanted = match weekly {
            ..=14 => 1,
            15..=50 => 2,
            _ => 3,
        };
        scores
            .into_iter()
            .take(wanted)
            .filter(|score| score.0 > 0)
            .map(|score| score.1)
            .collect()
    }

    /// Minutes in the air and on the ground: about 730 km/h, less against the westerly wind.
    fn block(&self, origin: AirportId, destination: AirportId, km: u32) -> i32 {
        let west = self.airports.get(destination).longitude < self.airports.get(origin).longitude;
        let speed = if west { 690 } else { 770 };
        let minutes = 30 + km * 60 / speed;
        (minutes.div_ceil(5) * 5).cast_signed()
    }

    /// How far the clock at the destination is ahead of the origin's, and when. Where both change their
    /// clocks together, or neither does, that is one season without end.
    fn seasons(&mut self, origin: AirportId, destination: AirportId) -> Seasons {
        let pair = (
            self.airports.get(origin).zone,
            self.airports.get(destination).zone,
        );
        if let Some(seasons) = self.seasons.get(&pair) {
            return seasons.clone();
        }
        let (here, there) = (self.offsets(origin), self.offsets(destination));
        let ahead: Vec<i32> = here
            .iter()
            .zip(&there)
            .map(|(here, there)| i32::from(*there) - i32::from(*here))
            .collect();
        let mut seasons = Seasons::new();
        for (day, ahead) in (0..).map(|day| self.today.plus(day)).zip(ahead) {
            match seasons.last_mut() {
                Some(season) if season.2 == ahead => season.1 = day,
                _ => seasons.push((day, day, ahead)),
            }
        }
        if let (Some(first), Some(last)) = (seasons.first().copied(), seasons.len().checked_sub(1))
        {
            seasons[0] = (Day::MIN, first.1, first.2);
            seasons[last].1 = Day::MAX;
        }
        self.seasons.insert(pair, seasons.clone());
        seasons
    }

    fn offsets(&mut self, airport: AirportId) -> Vec<i16> {
        let noon = |day| {
            self.zones
                .instant(airport, self.today.plus(day), DAY_MINUTES / 2)
                .offset
        };
        let zone = self.airports.get(airport).zone;
        self.offsets
            .entry(zone)
            .or_insert_with(|| (0..FORESEEN_DAYS).map(noon).collect())
            .clone()
    }
}

/// So many weekdays, the busiest first; one or two of them anywhere in the week.
fn weekdays(days: u64, seed: u64) -> Weekdays {
    let turn = if days <= 2 { (seed % 7) as u8 } else { 0 };
    let chosen = BUSIEST.iter().take(usize::try_from(days).unwrap_or(7));
    Weekdays(chosen.fold(0, |mask, weekday| mask | 1 << ((weekday + turn) % 7)))
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::domain::timetable::Timetable;

    fn today() -> Day {
        Day::parse("2026-11-22").unwrap()
    }

    #[test]
    fn every_route_is_flown_and_seven_million_times_a_year() {
        let made = patterns(today());
        let routes: HashSet<_> = made
            .iter()
            .map(|row| (row.origin, row.destination))
            .collect();
        assert_eq!(
            routes.len(),
            5_366 - 8,
            "all but those of the closed airport PFN"
        );
        let flights: usize = (0..365)
            .map(|day| {
                made.iter()
                    .filter(|row| row.operates(today().plus(day)))
                    .count()
            })
            .sum();
        assert!(flights.abs_diff(7_000_000) < 70_000, "{flights}");
    }

    #[test]
    fn no_name_is_given_twice() {
        let made = patterns(today());
        let mut by_name: HashMap<_, Vec<&Pattern>> = HashMap::new();
        for row in &made {
            assert!((1..=9_999).contains(&row.number));
            by_name.entry(row.designator()).or_default().push(row);
        }
        for rows in by_name.values() {
            for (at, row) in rows.iter().enumerate() {
                assert!(
                    rows[at + 1..]
                        .iter()
                        .all(|other| row.clash(other).is_none()),
                    "{row:?}"
                );
            }
        }
    }

    #[test]
    fn every_flight_takes_as_long_as_its_distance_demands() {
        let table = Timetable::new(patterns(today()), today());
        for (at, row) in (0..).zip(table.patterns()) {
            let km =
                i32::try_from(table.airports().distance_km(row.origin, row.destination)).unwrap();
            for day in [0, 150, 330].map(|days| today().plus(days)) {
                let flight = table.dated(at, day);
                assert!(flight.is_some() == row.operates(day), "{row:?} on {day}");
                let block = flight.map_or(0, |flight| flight.arrival - flight.departure);
                assert!(
                    flight.is_none()
                        || (30..=60).contains(&(block - km * 60 / 730 + km / 200))
                        || block.abs_diff(30 + km * 60 / 730) <= 60,
                    "{row:?}: {block} min for {km} km"
                );
            }
        }
    }

    #[test]
    fn carriers_are_those_of_the_table() {
        let known: HashSet<&str> = include_str!("../../../../data/airlines.csv")
            .lines()
            .skip(1)
            .map(|line| &line[..2])
            .collect();
        assert_eq!(
            AIRLINES
                .iter()
                .map(|airline| airline.code)
                .collect::<HashSet<_>>(),
            known
        );
        let flown: HashSet<Carrier> = patterns(today()).iter().map(|row| row.carrier).collect();
        assert_eq!(flown.len(), 16);
    }

    #[test]
    fn it_is_the_same_every_time() {
        assert_eq!(patterns(today()), patterns(today()));
    }
}
