//! Search of one leg: non-stop, then one stop, then two, each against what fewer stops can do.
//!
//! An itinerary that another one beats on price, duration and stops alike is left out, so those
//! with fewer stops are complete before those with more are looked at. Two stops are the expensive part:
//! tens of thousands of combinations between large cities. Whole routes are skipped where even
//! their cheapest fare and shortest flight are beaten or come after the page asked for; since both
//! are true lower bounds, nothing is lost by it.

use std::cell::Cell;

use super::{
    airport::AirportId,
    best::Best,
    connection::{
        LEAST_CONNECTION, MOST_CONNECTION, Spoke, connecting_into, departing_between,
        least_connection,
    },
    day::{DAY_MINUTES, Day, Minute},
    fare::{days_ahead, fare},
    frontier::Frontier,
    itinerary::{Key, Leg, Market, Order, Query, Segment},
    timetable::{DatedFlight, Route},
};

/// Which of the legs found are wanted.
pub(super) struct Scope {
    /// The first ones after this place.
    pub(super) after: Option<Key>,
    /// So many at most.
    pub(super) limit: usize,
    /// Those that can be part of an answer at all.
    pub(super) useful: Span,
    /// Those that can stand in for any other: only they beat others.
    pub(super) safe: Span,
    /// Whether the frontiers must be complete even where no leg behind them is wanted.
    pub(super) frontiers: bool,
}

/// Legs that depart and arrive between two instants.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) departs_from: Minute,
    pub(super) arrives_by: Minute,
}

impl Span {
    /// Any leg.
    pub(super) const ANY: Self = Self {
        departs_from: Minute::MIN,
        arrives_by: Minute::MAX,
    };

    fn contains(self, departure: Minute, arrival: Minute) -> bool {
        self.departs_from <= departure && arrival <= self.arrives_by
    }
}

/// What was found.
pub(super) struct Found {
    /// Legs in order.
    pub(super) legs: Vec<(Key, Leg)>,
    /// Of the safe ones, by number of stops.
    pub(super) frontiers: [Frontier; 3],
    /// Whether there was none but safe ones.
    pub(super) all_safe: bool,
}

/// What an itinerary at least costs and takes, and when it departs at the earliest.
#[derive(Clone, Copy)]
struct Bound {
    price: i64,
    duration: i32,
    departure: Minute,
}

pub(super) struct LegSearch<'a> {
    market: Market<'a>,
    query: &'a Query,
    origin: AirportId,
    destination: AirportId,
    day: Day,
    order: Order,
    scope: Scope,
    best: Best<Leg>,
    frontiers: [Frontier; 3],
    /// Of all legs with fewer stops than those looked at now.
    fewer: Frontier,
    all_safe: bool,
    /// Least and greatest offset by zone, over the days that a leg can touch; filled when needed.
    offsets: Vec<Cell<Option<(i16, i16)>>>,
}

impl<'a> LegSearch<'a> {
    pub(super) fn new(
        market: Market<'a>,
        query: &'a Query,
        (origin, destination, day): (AirportId, AirportId, Day),
        order: Order,
        scope: Scope,
    ) -> Self {
        let best = Best::new(scope.after, scope.limit);
        Self {
            market,
            query,
            origin,
            destination,
            day,
            order,
            scope,
            best,
            frontiers: Default::default(),
            fewer: Frontier::default(),
            all_safe: true,
            offsets: vec![Cell::new(None); market.timetable.airports().zones().len()],
        }
    }

    pub(super) fn run(mut self) -> Found {
        if let Some(route) = self.market.timetable.route(self.origin, self.destination) {
            for segment in self.first_flights(route) {
                self.consider(&[segment]);
            }
        }
        if self.query.max_stops > 0 {
            let spokes = self.spokes_out();
            self.fewer.merge(&self.frontiers[0]);
            self.one_stop(&spokes);
            if self.query.max_stops > 1 {
                self.fewer.merge(&self.frontiers[1]);
                self.two_stops(&spokes);
            }
        }
        Found {
            legs: self.best.into_sorted(),
            frontiers: self.frontiers,
            all_safe: self.all_safe,
        }
    }

    fn one_stop(&mut self, spokes: &[Spoke]) {
        let mut seconds = Vec::new();
        for spoke in spokes {
            let Some(route) = self.market.timetable.route(spoke.airport, self.destination) else {
                continue;
            };
            let least = least_connection(spoke.international, route.international);
            let window = (spoke.arrivals.0 + least, spoke.arrivals.1 + MOST_CONNECTION);
            let Some((fare, block)) = self.bounds(route, window) else {
                continue;
            };
            if self.is_hopeless(1, self.bound(spoke, [fare], [block, least])) {
                continue;
            }
            seconds.clear();
            self.segments(route, window, &mut seconds);
            for second in &seconds {
                for first in connecting_into(&spoke.segments, second.flight.departure, least) {
                    self.consider(&[*first, *second]);
                }
            }
        }
    }

    fn two_stops(&mut self, spokes: &[Spoke]) {
        let into = self.spokes_in(spokes);
        let mut places = vec![u16::MAX; self.market.timetable.airports().len()];
        for (at, spoke) in (0..).zip(&into) {
            places[usize::from(spoke.airport.0)] = at;
        }
        let mut middles = Vec::new();
        for first in spokes {
            for route in self.market.timetable.routes_from(first.airport) {
                let Some(last) = into.get(usize::from(places[usize::from(route.destination.0)]))
                else {
                    continue;
                };
                let waits = [
                    least_connection(first.international, route.international),
                    least_connection(route.international, last.international),
                ];
                let window = (
                    first.arrivals.0 + waits[0],
                    first.arrivals.1 + MOST_CONNECTION,
                );
                let Some((fare, block)) = self.bounds(route, window) else {
                    continue;
                };
                let bound = |fare, block| {
                    self.bound(
                        first,
                        [fare, last.least_fare],
                        [block, last.least_block, waits[0], waits[1]],
                    )
                };
                if self.is_hopeless(2, bound(fare, block)) {
                    continue;
                }
                middles.clear();
                self.segments(route, window, &mut middles);
                for middle in &middles {
                    self.through(first, middle, last, waits);
                }
            }
        }
    }

    /// All ways over one middle flight.
    fn through(&mut self, first: &Spoke, middle: &Segment, last: &Spoke, waits: [i32; 2]) {
        let block = middle.flight.arrival - middle.flight.departure;
        if self.is_hopeless(
            2,
            self.bound(
                first,
                [middle.fare, last.least_fare],
                [block, last.least_block, waits[0], waits[1]],
            ),
        ) {
            return;
        }
        let onward = departing_between(
            &last.segments,
            middle.flight.arrival + waits[1],
            middle.flight.arrival + MOST_CONNECTION,
        );
        if onward.is_empty() {
            return;
        }
        for before in connecting_into(&first.segments, middle.flight.departure, waits[0]) {
            for after in onward {
                self.consider(&[*before, *middle, *after]);
            }
        }
    }

    fn consider(&mut self, segments: &[Segment]) {
        let stops = segments.len() - 1;
        let (first, last) = (&segments[0].flight, &segments[stops].flight);
        let price = self.price(segments.iter().map(|segment| segment.fare));
        let duration = last.arrival - first.departure;
        if self.is_hopeless(
            stops,
            Bound {
                price,
                duration,
                departure: first.departure,
            },
        ) {
            return;
        }
        if !self.scope.useful.contains(first.departure, last.arrival) {
            return;
        }
        if self.scope.safe.contains(first.departure, last.arrival) {
            self.frontiers[stops].insert(price, duration);
        } else {
            self.all_safe = false;
        }
        let leg = Leg::new(segments, price);
        self.best.push(
            Key::new(self.market.timetable, self.order, std::iter::once(&leg)),
            leg,
        );
    }

    /// Whether nothing that costs and takes at least that much is wanted.
    fn is_hopeless(&self, stops: usize, bound: Bound) -> bool {
        let Bound {
            price,
            duration,
            departure,
        } = bound;
        self.query.max_price.is_some_and(|most| price > most)
            || departure + duration > self.scope.useful.arrives_by
            || self.fewer.beats(price, duration)
            || self
                .best
                .is_closed_to(self.order.first(price, duration, departure))
                && (!self.needs_frontier(stops) || self.frontiers[stops].covers(price, duration))
    }

    /// Whether a leg that is not wanted itself may still beat one that is. By price or duration what
    /// beats another comes before it, so that both are wanted or neither is.
    fn needs_frontier(&self, stops: usize) -> bool {
        self.scope.frontiers || self.order == Order::Departure && stops < 2
    }

    fn bound<const F: usize, const T: usize>(
        &self,
        first: &Spoke,
        fares: [u32; F],
        times: [i32; T],
    ) -> Bound {
        Bound {
            price: self.price(fares.into_iter().chain([first.least_fare])),
            duration: first.least_block + times.into_iter().sum::<i32>(),
            departure: first.first_departure,
        }
    }

    fn price(&self, fares: impl Iterator<Item = u32>) -> i64 {
        fares.map(i64::from).sum::<i64>() * i64::from(self.query.passengers)
    }

    /// Lower bounds of fare and minutes on a route for departures within a window.
    fn bounds(&self, route: &Route, window: (Minute, Minute)) -> Option<(u32, i32)> {
        let base = route.least_fare(self.query.cabin)?;
        let (behind, _) = self.offsets(route.origin);
        let (_, ahead) = self.offsets(route.destination);
        Some((
            fare(base, self.days_ahead(window.1), 1, 1),
            route.least_block(behind, ahead),
        ))
    }

    /// Flights out of the origin to every airport but the destination.
    fn spokes_out(&self) -> Vec<Spoke> {
        let routes = self
            .market
            .timetable
            .routes_from(self.origin)
            .iter()
            .filter(|route| route.destination != self.destination);
        let spokes = routes.filter_map(|route| {
            let mut segments = self.first_flights(route);
            segments.sort_unstable_by_key(|segment| segment.flight.arrival);
            Spoke::new(route.destination, route.international, segments)
        });
        spokes.collect()
    }

    /// Flights into the destination, from every airport but the origin, that anything over one more stop could reach.
    fn spokes_in(&self, out: &[Spoke]) -> Vec<Spoke> {
        let from = out
            .iter()
            .map(|spoke| spoke.arrivals.0)
            .min()
            .unwrap_or(Minute::MAX);
        let to = out
            .iter()
            .map(|spoke| spoke.arrivals.1)
            .max()
            .unwrap_or(Minute::MIN);
        if from > to {
            return Vec::new();
        }
        let window = (
            from + 2 * LEAST_CONNECTION,
            to + 2 * MOST_CONNECTION + self.market.timetable.longest_block(),
        );
        let routes = self
            .market
            .timetable
            .routes_into(self.destination)
            .filter(|route| route.origin != self.origin);
        let spokes = routes.filter_map(|route| {
            let mut segments = Vec::new();
            self.segments(route, window, &mut segments);
            segments.sort_unstable_by_key(|segment| segment.flight.departure);
            Spoke::new(route.origin, route.international, segments)
        });
        spokes.collect()
    }

    /// Flights that a leg may start with.
    fn first_flights(&self, route: &Route) -> Vec<Segment> {
        let timetable = self.market.timetable;
        let clock = |flight: &DatedFlight| {
            let local = timetable.local_times(flight).0;
            let minute = (local.utc + i32::from(local.offset)).rem_euclid(DAY_MINUTES);
            i32::from(self.query.depart_after) <= minute
                && minute <= i32::from(self.query.depart_before)
        };
        let flights = route
            .patterns()
            .filter_map(|pattern| timetable.dated(pattern, self.day));
        flights
            .filter(|flight| {
                flight.departure > self.market.now
                    && flight.departure >= self.scope.useful.departs_from
                    && clock(flight)
            })
            .filter_map(|flight| self.segment(flight))
            .collect()
    }

    /// Flights of a route that depart within a window.
    fn segments(&self, route: &Route, window: (Minute, Minute), into: &mut Vec<Segment>) {
        let (from, to) = self.days(route.origin, window);
        for day in from.number()..=to.number() {
            let flights = route
                .patterns()
                .filter_map(|pattern| self.market.timetable.dated(pattern, Day::from_number(day)));
            let within = flights
                .filter(|flight| window.0 <= flight.departure && flight.departure <= window.1);
            into.extend(within.filter_map(|flight| self.segment(flight)));
        }
    }

    /// A flight with its price, where the query allows it.
    fn segment(&self, flight: DatedFlight) -> Option<Segment> {
        let pattern = self.market.timetable.pattern(flight.pattern);
        let (cabin, carriers) = (self.query.cabin, &self.query.carriers);
        let capacity = pattern.seats[cabin.index()];
        if capacity < self.query.passengers
            || !carriers.is_empty() && !carriers.contains(&pattern.carrier)
        {
            return None;
        }
        let left =
            self.market
                .availability
                .seats_left(self.market.timetable.id(&flight), cabin, capacity);
        let fare = || {
            fare(
                pattern.fares[cabin.index()],
                self.days_ahead(flight.departure),
                left,
                capacity,
            )
        };
        (left >= self.query.passengers).then(|| Segment {
            flight,
            fare: fare(),
            left,
        })
    }

    fn days_ahead(&self, departure: Minute) -> i32 {
        days_ahead(self.market.now, departure)
    }

    /// Local days that a window touches.
    fn days(&self, airport: AirportId, window: (Minute, Minute)) -> (Day, Day) {
        let (least, most) = self.offsets(airport);
        (Day::of(window.0, least), Day::of(window.1, most))
    }

    fn offsets(&self, airport: AirportId) -> (i16, i16) {
        let timetable = self.market.timetable;
        let known = &self.offsets[usize::from(timetable.airports().get(airport).zone)];
        known.get().unwrap_or_else(|| {
            // Three flights of up to a day and two waits.
            let range =
                timetable
                    .zones()
                    .offset_range(airport, self.day.plus(-2), self.day.plus(6));
            known.set(Some(range));
            range
        })
    }
}
