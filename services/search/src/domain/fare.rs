//! Fares: a pure function of a flight's base fare, the days left before departure and the seats left.
//!
//! Its shape follows how airlines price: cheap three months out, dearer in steps of advance
//! purchase, dearest in the last days; and a full aircraft is worth more than an empty one.
//! All of it is integer arithmetic in cents, so that every replica finds the same price.

use super::day::{DAY_MINUTES, Minute};

/// Days before departure and what they make of the base fare, in thousandths; straight lines between.
const ADVANCE: [(i32, u64); 9] = [
    (0, 2_400),
    (3, 2_100),
    (7, 1_750),
    (14, 1_400),
    (21, 1_200),
    (30, 1_100),
    (60, 1_000),
    (90, 950),
    (180, 900),
];

/// What the last seat costs more than the first, in thousandths.
const SCARCITY: u64 = 1_000;

/// Fare of one seat in cents: never less with fewer days left, and never less with fewer seats left.
///
/// `days` before departure, none where negative; `left` of `capacity` seats can still be sold.
#[must_use]
pub fn fare(base: u32, days: i32, left: u16, capacity: u16) -> u32 {
    let sold = u64::from(capacity.saturating_sub(left));
    // Quadratic: the first half of the seats hardly matters, the last tenth does.
    let scarcity = 1_000 + SCARCITY * sold * sold / u64::from(capacity).pow(2).max(1);
    let cents = u64::from(base) * advance(days) * scarcity / 1_000_000;
    u32::try_from(cents).unwrap_or(u32::MAX)
}

/// Whole days from now to a departure.
#[must_use]
pub fn days_ahead(now: Minute, departure: Minute) -> i32 {
    (departure - now).div_euclid(DAY_MINUTES)
}

fn advance(days: i32) -> u64 {
    let days = days.clamp(0, ADVANCE[ADVANCE.len() - 1].0);
    let next = ADVANCE
        .partition_point(|(from, _)| *from <= days)
        .min(ADVANCE.len() - 1);
    let ((from, high), (to, low)) = (ADVANCE[next - 1], ADVANCE[next]);
    high - (high - low) * u64::from((days - from).unsigned_abs())
        / u64::from((to - from).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_base_fare_is_what_an_empty_flight_costs_two_months_out() {
        for (days, left, cents) in [
            (60, 100, 10_000),
            (0, 100, 24_000),
            (-5, 100, 24_000),
            (400, 100, 9_000),
            (60, 0, 20_000),
            (60, 50, 12_500),
            (5, 100, 19_250),
        ] {
            assert_eq!(
                fare(10_000, days, left, 100),
                cents,
                "{days} days, {left} seats"
            );
        }
    }

    proptest! {
        #[test]
        fn nearer_and_fuller_is_never_cheaper(base in 0_u32..2_000_000, capacity in 1_u16..600, days in -3_i32..400, sold in 0_u16..600) {
            let left = capacity.saturating_sub(sold);
            let now = fare(base, days, left, capacity);
            prop_assert!(now <= fare(base, days - 1, left, capacity));
            prop_assert!(now <= fare(base, days, left.saturating_sub(1), capacity));
            prop_assert!(now <= fare(base + 1, days, left, capacity));
        }
    }
}
