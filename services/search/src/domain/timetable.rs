//! The timetable in memory: patterns by route and departure, and every way in which they are asked for.
//!
//! One is built when the service starts and whenever a new timetable has been imported; after
//! that it never changes, so that any number of queries read it without a lock.

use super::{
    airport::{AirportId, Airports},
    day::{DAY_MINUTES, Day, Minute},
    flight_id::FlightId,
    pattern::{Cabin, Carrier, Pattern},
    zone::{LocalInstant, Zones},
};

/// How far ahead flights can be searched and sold, in days from today.
pub const HORIZON_DAYS: i32 = 330;

/// What two clock changes can add to or take from the time that a flight takes, in minutes.
const CLOCK_SLACK: i32 = 120;

/// A pair of airports with flights from one to the other.
#[derive(Debug)]
pub struct Route {
    /// Airport of departure.
    pub origin: AirportId,
    /// Airport of arrival.
    pub destination: AirportId,
    /// Whether it crosses a border.
    pub international: bool,
    /// Least base fare per cabin; `u32::MAX` where no pattern has the cabin.
    least_fare: [u32; 4],
    /// Least difference between the clocks at arrival and departure, minutes.
    least_clock: i32,
    first: u32,
    end: u32,
}

impl Route {
    /// Its patterns in order of local departure, as arguments of [`Timetable::pattern`].
    #[must_use]
    pub fn patterns(&self) -> std::ops::Range<u32> {
        self.first..self.end
    }

    /// No pattern's base fare in this cabin is lower; none where no pattern has the cabin.
    #[must_use]
    pub fn least_fare(&self, cabin: Cabin) -> Option<u32> {
        Some(self.least_fare[cabin.index()]).filter(|fare| *fare < u32::MAX)
    }

    /// No flight of it takes less, in minutes, where the clock at its origin is never less than `behind`
    /// ahead of UTC, and the one at its destination never more than `ahead`.
    #[must_use]
    pub fn least_block(&self, behind: i16, ahead: i16) -> i32 {
        (self.least_clock + i32::from(behind) - i32::from(ahead)).max(1)
    }
}

/// A departure of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatedFlight {
    /// Which pattern, for [`Timetable::pattern`] of the timetable that gave it.
    pub pattern: u32,
    /// Local day of departure.
    pub day: Day,
    /// Departure.
    pub departure: Minute,
    /// Arrival, at most a day later.
    pub arrival: Minute,
}

/// All patterns, indexed.
#[derive(Debug)]
pub struct Timetable {
    airports: &'static Airports,
    zones: Zones,
    /// By origin, destination, departure.
    patterns: Vec<Pattern>,
    /// Parallel to `patterns`: names without their day.
    undated: Vec<FlightId>,
    /// By origin, destination.
    routes: Vec<Route>,
    /// For each airport the first of its routes; one entry more than there are airports.
    routes_from: Vec<u32>,
    /// By destination, origin.
    routes_into: Vec<u32>,
    /// Places in `patterns` by carrier, number, origin.
    by_designator: Vec<u32>,
    longest_block: i32,
}

impl Timetable {
    /// Indexes patterns; it answers fastest about the days from `today` on.
    ///
    /// Patterns that never leave their airport are left out.
    #[must_use]
    pub fn new(mut patterns: Vec<Pattern>, today: Day) -> Self {
        let airports = Airports::embedded();
        patterns.retain(|pattern| pattern.origin != pattern.destination);
        patterns.sort_unstable_by_key(|pattern| {
            (
                pattern.origin,
                pattern.destination,
                pattern.departure,
                pattern.carrier,
                pattern.number,
                pattern.from,
            )
        });
        patterns.shrink_to_fit();
        let undated = patterns
            .iter()
            .map(|row| FlightId::undated_from(airports, row.carrier, row.number, row.origin))
            .collect();
        let routes = routes(airports, &patterns);
        let mut routes_into: Vec<u32> = (0..count(routes.len())).collect();
        routes_into.sort_unstable_by_key(|route| {
            (
                routes[*route as usize].destination,
                routes[*route as usize].origin,
            )
        });
        let mut by_designator: Vec<u32> = (0..count(patterns.len())).collect();
        by_designator.sort_unstable_by_key(|at| patterns[*at as usize].designator());
        let routes_from = (0..=airports.len())
            .map(|id| count(routes.partition_point(|route| usize::from(route.origin.0) < id)))
            .collect();
        let mut timetable = Self {
            airports,
            zones: Zones::new(airports, today.plus(-2)),
            patterns,
            undated,
            routes,
            routes_from,
            routes_into,
            by_designator,
            longest_block: 0,
        };
        timetable.longest_block = timetable.measure_longest_block(today);
        timetable
    }

    /// The airports that it flies between, and all others.
    #[must_use]
    pub fn airports(&self) -> &'static Airports {
        self.airports
    }

    /// Clocks of all airports.
    #[must_use]
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// All patterns.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// All routes by origin and destination.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// One pattern.
    #[must_use]
    pub fn pattern(&self, at: u32) -> &Pattern {
        &self.patterns[at as usize]
    }

    /// Routes out of an airport in order of destination.
    #[must_use]
    pub fn routes_from(&self, origin: AirportId) -> &[Route] {
        let at = usize::from(origin.0);
        &self.routes[self.routes_from[at] as usize..self.routes_from[at + 1] as usize]
    }

    /// Routes into an airport in order of origin.
    pub fn routes_into(&self, destination: AirportId) -> impl Iterator<Item = &Route> {
        let start = self
            .routes_into
            .partition_point(|route| self.routes[*route as usize].destination < destination);
        self.routes_into[start..]
            .iter()
            .map(|route| &self.routes[*route as usize])
            .take_while(move |route| route.destination == destination)
    }

    /// The route between two airports.
    #[must_use]
    pub fn route(&self, origin: AirportId, destination: AirportId) -> Option<&Route> {
        let routes = self.routes_from(origin);
        routes
            .binary_search_by_key(&destination, |route| route.destination)
            .ok()
            .map(|at| &routes[at])
    }

    /// A pattern's departure on a local day; none where it does not depart, or where a clock
    /// change would make it arrive before it left or take more than a day.
    #[must_use]
    pub fn dated(&self, pattern: u32, day: Day) -> Option<DatedFlight> {
        let row = self.pattern(pattern);
        if !row.operates(day) {
            return None;
        }
        let (departure, arrival) = times(&self.zones, row, day);
        let block = arrival.utc - departure.utc;
        (0 < block && block <= DAY_MINUTES).then_some(DatedFlight {
            pattern,
            day,
            departure: departure.utc,
            arrival: arrival.utc,
        })
    }

    /// A dated flight's departure and arrival with the clocks there.
    #[must_use]
    pub fn local_times(&self, flight: &DatedFlight) -> (LocalInstant, LocalInstant) {
        times(&self.zones, self.pattern(flight.pattern), flight.day)
    }

    /// A dated flight's name.
    #[must_use]
    pub fn id(&self, flight: &DatedFlight) -> FlightId {
        self.undated[flight.pattern as usize].on(flight.day)
    }

    /// The dated flight of that name.
    #[must_use]
    pub fn find(&self, id: FlightId) -> Option<DatedFlight> {
        let designator = (id.carrier(), id.number(), self.airports.find(id.origin())?);
        self.designated(designator)
            .find_map(|pattern| self.dated(pattern, id.day()))
    }

    /// An airport's departures of a local day, in order of time and then of name.
    #[must_use]
    pub fn departures(&self, airport: AirportId, day: Day) -> Vec<DatedFlight> {
        let patterns = self.routes_from(airport).iter().flat_map(Route::patterns);
        let mut flights: Vec<DatedFlight> = patterns
            .filter_map(|pattern| self.dated(pattern, day))
            .collect();
        flights.sort_unstable_by_key(|flight| (flight.departure, self.id(flight)));
        flights
    }

    /// No flight takes longer, in minutes.
    #[must_use]
    pub fn longest_block(&self) -> i32 {
        self.longest_block
    }

    fn designated(&self, designator: (Carrier, u16, AirportId)) -> impl Iterator<Item = u32> {
        let of = |at: &u32| self.pattern(*at).designator();
        let start = self.by_designator.partition_point(|at| of(at) < designator);
        self.by_designator[start..]
            .iter()
            .take_while(move |at| of(at) == designator)
            .copied()
    }

    fn measure_longest_block(&self, today: Day) -> i32 {
        let blocks = self.patterns.iter().map(|row| {
            let (departure, arrival) = times(&self.zones, row, row.from.max(today).min(row.to));
            arrival.utc - departure.utc + CLOCK_SLACK
        });
        blocks.max().unwrap_or_default().min(DAY_MINUTES)
    }
}

/// When a pattern departs and arrives on a day.
#[must_use]
pub fn times(zones: &Zones, pattern: &Pattern, day: Day) -> (LocalInstant, LocalInstant) {
    let departure = zones.instant(pattern.origin, day, i32::from(pattern.departure));
    let arrival = zones.instant(
        pattern.destination,
        day.plus(i32::from(pattern.arrival_day)),
        i32::from(pattern.arrival),
    );
    (departure, arrival)
}

fn routes(airports: &Airports, patterns: &[Pattern]) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut first = 0;
    for group in patterns.chunk_by(|a, b| (a.origin, a.destination) == (b.origin, b.destination)) {
        let (origin, destination) = (group[0].origin, group[0].destination);
        let fare = |cabin: Cabin| {
            group
                .iter()
                .filter(|row| row.seats[cabin.index()] > 0)
                .map(|row| row.fares[cabin.index()])
                .min()
        };
        let clock = |row: &Pattern| {
            i32::from(row.arrival_day) * DAY_MINUTES + i32::from(row.arrival)
                - i32::from(row.departure)
        };
        let end = first + count(group.len());
        routes.push(Route {
            origin,
            destination,
            international: airports.crosses_border(origin, destination),
            least_fare: Cabin::ALL.map(|cabin| fare(cabin).unwrap_or(u32::MAX)),
            least_clock: group.iter().map(clock).min().unwrap_or_default(),
            first,
            end,
        });
        first = end;
    }
    routes
}

/// Places in our vectors are `u32`: half the memory, and four thousand million patterns are out of reach.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pattern::testing::pattern;

    fn timetable(rows: &[&str]) -> Timetable {
        Timetable::new(
            rows.iter().map(|row| pattern(row)).collect(),
            Day::parse("2026-11-22").unwrap(),
        )
    }

    fn airport(code: &str) -> AirportId {
        pattern(&format!("AA1 {code}-ORD 00:00-00:00")).origin
    }

    #[test]
    fn flights_are_found_by_name() {
        let table = timetable(&[
            "AS21 JFK-SEA 10:00-13:15 135",
            "AS21 JFK-PDX 18:00-21:15 2",
            "AS21 SEA-JFK 10:00-18:15",
        ]);
        for (name, route) in [
            ("AS21-2026-12-01-JFK", Some("PDX")),
            ("AS21-2026-12-02-JFK", Some("SEA")),
            ("AS21-2026-12-03-JFK", None),
            ("AS22-2026-12-01-JFK", None),
        ] {
            let found = table.find(name.parse().unwrap());
            let destination = found.map(|flight| {
                table
                    .airports()
                    .get(table.pattern(flight.pattern).destination)
                    .code
                    .to_string()
            });
            assert_eq!(destination.as_deref(), route, "{name}");
            assert!(found.is_none_or(|flight| table.id(&flight).to_string() == name));
        }
    }

    #[test]
    fn a_board_is_in_order_of_time() {
        let table = timetable(&[
            "AS9 JFK-SEA 10:00-13:15",
            "AA3 JFK-ORD 08:00-10:00",
            "AS10 JFK-PDX 10:00-13:00",
            "UA1 EWR-ORD 09:00-10:00",
        ]);
        let board = table.departures(airport("JFK"), Day::parse("2026-12-01").unwrap());
        let names: Vec<String> = board
            .iter()
            .map(|flight| table.id(flight).to_string())
            .collect();
        assert_eq!(
            names,
            [
                "AA3-2026-12-01-JFK",
                "AS10-2026-12-01-JFK",
                "AS9-2026-12-01-JFK"
            ]
        );
    }

    #[test]
    fn routes_are_found_from_both_ends() {
        let table = timetable(&[
            "AS9 JFK-SEA 10:00-13:15",
            "AS8 JFK-SEA 11:00-14:15",
            "AA3 JFK-ORD 08:00-10:00",
            "AA4 ORD-SEA 08:00-10:00",
        ]);
        assert_eq!(table.routes_from(airport("JFK")).len(), 2);
        let into: Vec<AirportId> = table
            .routes_into(airport("SEA"))
            .map(|route| route.origin)
            .collect();
        assert_eq!(into, [airport("JFK"), airport("ORD")]);
        assert_eq!(
            table
                .route(airport("JFK"), airport("SEA"))
                .unwrap()
                .patterns()
                .len(),
            2
        );
        assert!(table.route(airport("SEA"), airport("JFK")).is_none());
    }

    #[test]
    fn a_clock_change_never_makes_a_flight_arrive_before_it_leaves() {
        // Clocks in New York go back at 2:00: arriving at 1:30 means the first 1:30.
        let table = timetable(&["AA1 JFK-BOS 01:20-01:50", "AA2 BOS-JFK 02:20-02:50"]);
        for day in ["2026-11-01", "2027-03-14", "2026-12-01"] {
            for (carrier, origin) in [("AA1", "JFK"), ("AA2", "BOS")] {
                let flight = table
                    .find(format!("{carrier}-{day}-{origin}").parse().unwrap())
                    .unwrap();
                assert_eq!(flight.arrival - flight.departure, 30, "{carrier} {day}");
            }
        }
        // Phoenix keeps its clock, Las Vegas does not: in summer this one would arrive before it left.
        let table = timetable(&["AA3 LAS-PHX 10:00-10:50"]);
        assert!(table.find("AA3-2026-12-01-LAS".parse().unwrap()).is_none());
        assert!(table.find("AA3-2026-07-01-LAS".parse().unwrap()).is_some());
    }

    #[test]
    fn the_least_block_is_a_lower_bound() {
        let table = timetable(&[
            "AA1 JFK-PHX 10:00-13:00",
            "AA2 PHX-JFK 22:00-05:00+1",
            "AA3 LHR-JFK 09:00-12:00",
        ]);
        for route in table.routes() {
            for day in (0..400).map(|days| Day::parse("2026-10-01").unwrap().plus(days)) {
                for flight in route
                    .patterns()
                    .filter_map(|pattern| table.dated(pattern, day))
                {
                    let block = flight.arrival - flight.departure;
                    let (behind, _) = table.zones().offset_range(route.origin, day, day);
                    let (_, ahead) =
                        table
                            .zones()
                            .offset_range(route.destination, day.plus(-1), day.plus(2));
                    assert!(
                        route.least_block(behind, ahead) <= block && block <= table.longest_block()
                    );
                }
            }
        }
    }
}
