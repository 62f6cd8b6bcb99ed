//! Round trips: the best pairs of a leg out and a leg back.
//!
//! Pairs are made of the best [`LEGS`] legs of either direction, in the order asked for (the legs back
//! of a search by departure: the cheapest). Within these the answer is exact.
//!
//! A leg that another one beats is dropped at once where the better one can stand in for it in every pair:
//! a leg out if the better one arrives before the day of the way back begins, a leg back
//! if the better one leaves after every leg out has arrived. Of what is left every pair is tried.

use super::{
    best::Best,
    connection::{LEAST_CONNECTION, LEAST_INTERNATIONAL_CONNECTION, least_connection},
    day::{DAY_MINUTES, Day, Minute},
    frontier::Frontier,
    itinerary::{Itinerary, Key, Leg, Market, Order, Query},
    leg::{Found, LegSearch, Scope, Span},
};

/// Legs of either direction that pairs are made of.
pub const LEGS: usize = 500;

/// The greatest number of stops of a pair, and one more.
const STOPS: usize = 5;

pub(super) fn search(
    market: Market<'_>,
    query: &Query,
    back: Day,
    after: Option<Key>,
    limit: usize,
) -> Vec<Itinerary> {
    let outward = (query.origin, query.destination, query.departure);
    let out = LegSearch::new(
        market,
        query,
        outward,
        query.order,
        scope_out(market, query, back),
    )
    .run();
    let arrivals = || out.legs.iter().map(|(_, leg)| leg.arrival());
    let (Some(first), Some(last)) = (arrivals().min(), arrivals().max()) else {
        return Vec::new();
    };
    let order = if query.order == Order::Departure {
        Order::Price
    } else {
        query.order
    };
    let homeward = (query.destination, query.origin, back);
    let home = LegSearch::new(market, query, homeward, order, scope_home(first, last)).run();
    let fewer = beating(market, query, &out, &home);

    let mut best: Best<[Leg; 2]> = Best::new(after, limit);
    for (_, first) in &out.legs {
        for (_, second) in &home.legs {
            let (price, duration) = (
                first.price + second.price,
                first.duration() + second.duration(),
            );
            if best.is_closed_to(query.order.first(price, duration, first.departure())) {
                // Those that follow are no better, except that by departure they may be as good.
                break;
            }
            let stops = usize::from(first.stops() + second.stops());
            if fits(market, query, first, second) && !fewer[stops].beats(price, duration) {
                best.push(
                    Key::new(market.timetable, query.order, [first, second].into_iter()),
                    [*first, *second],
                );
            }
        }
    }
    let found = best.into_sorted().into_iter();
    found
        .map(|(key, legs)| Itinerary {
            price: key.price,
            legs: legs.to_vec(),
            key,
        })
        .collect()
}

/// Legs out that arrive before the last flight back leaves.
fn scope_out(market: Market<'_>, query: &Query, back: Day) -> Scope {
    let zones = market.timetable.zones();
    let begins = zones.instant(query.destination, back, 0).utc;
    // An hour more than a day: clocks may go back.
    let ends = begins + DAY_MINUTES + 60;
    Scope {
        after: None,
        limit: LEGS,
        useful: Span {
            arrives_by: ends - LEAST_CONNECTION,
            ..Span::ANY
        },
        safe: Span {
            arrives_by: begins - LEAST_INTERNATIONAL_CONNECTION,
            ..Span::ANY
        },
        frontiers: true,
    }
}

/// Legs back that leave after the first leg out has arrived.
fn scope_home(first: Minute, last: Minute) -> Scope {
    Scope {
        after: None,
        limit: LEGS,
        useful: Span {
            departs_from: first + LEAST_CONNECTION,
            ..Span::ANY
        },
        safe: Span {
            departs_from: last + LEAST_INTERNATIONAL_CONNECTION,
            ..Span::ANY
        },
        frontiers: true,
    }
}

/// Whether the way back leaves late enough, and the pair is within the price asked for.
fn fits(market: Market<'_>, query: &Query, out: &Leg, home: &Leg) -> bool {
    let crosses = |leg: &Leg, last: bool| {
        let segments = leg.segments();
        let pattern = market.timetable.pattern(
            segments[if last { segments.len() - 1 } else { 0 }]
                .flight
                .pattern,
        );
        market
            .timetable
            .airports()
            .crosses_border(pattern.origin, pattern.destination)
    };
    let wait = home.departure() - out.arrival();
    query
        .max_price
        .is_none_or(|most| out.price + home.price <= most)
        && (wait >= LEAST_INTERNATIONAL_CONNECTION
            || wait >= least_connection(crosses(out, true), crosses(home, false)))
}

/// By number of stops, the frontier of all pairs with fewer.
fn beating(market: Market<'_>, query: &Query, out: &Found, home: &Found) -> [Frontier; STOPS] {
    let mut exact: [Frontier; STOPS] = Default::default();
    // Safe legs fit each other.
    for (first, one) in out.frontiers.iter().enumerate() {
        for (second, other) in home.frontiers.iter().enumerate() {
            exact[first + second].insert_sums(one, other);
        }
    }
    if !(out.all_safe && home.all_safe) {
        for (_, first) in &out.legs {
            for (_, second) in home
                .legs
                .iter()
                .filter(|(_, second)| fits(market, query, first, second))
            {
                let stops = usize::from(first.stops() + second.stops());
                exact[stops].insert(
                    first.price + second.price,
                    first.duration() + second.duration(),
                );
            }
        }
    }
    let mut fewer: [Frontier; STOPS] = Default::default();
    for stops in 1..STOPS {
        fewer[stops] = fewer[stops - 1].clone();
        fewer[stops].merge(&exact[stops - 1]);
    }
    fewer
}
