//! Frontiers: of many (price, duration) points, those that no other one beats.
//!
//! Whether an itinerary is beaten by any of thousands is asked for each of tens of thousands;
//! against the frontier that is a binary search over a handful of points.

/// Points of which none is at least as cheap and at least as short as another.
#[derive(Clone, Debug, Default)]
pub(super) struct Frontier {
    /// Ascending in price, so strictly descending in duration.
    points: Vec<(i64, i32)>,
}

impl Frontier {
    /// Whether a point is strictly cheaper and strictly shorter than this one.
    pub(super) fn beats(&self, price: i64, duration: i32) -> bool {
        let cheaper = self.points.partition_point(|point| point.0 < price);
        cheaper > 0 && self.points[cheaper - 1].1 < duration
    }

    /// Whether a point is at least as cheap and at least as short.
    pub(super) fn covers(&self, price: i64, duration: i32) -> bool {
        let as_cheap = self.points.partition_point(|point| point.0 <= price);
        as_cheap > 0 && self.points[as_cheap - 1].1 <= duration
    }

    /// Takes a point in, and leaves out what it covers.
    pub(super) fn insert(&mut self, price: i64, duration: i32) {
        if self.covers(price, duration) {
            return;
        }
        let start = self.points.partition_point(|point| point.0 < price);
        let covered = self.points[start..]
            .iter()
            .take_while(|point| point.1 >= duration)
            .count();
        self.points
            .splice(start..start + covered, [(price, duration)]);
    }

    /// Takes all of another's points in.
    pub(super) fn merge(&mut self, other: &Self) {
        for (price, duration) in &other.points {
            self.insert(*price, *duration);
        }
    }

    /// Takes every sum of a point of one and a point of another in.
    pub(super) fn insert_sums(&mut self, one: &Self, other: &Self) {
        for (price, duration) in &one.points {
            for point in &other.points {
                self.insert(price + point.0, duration + point.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_frontier_answers_as_all_its_points_would(
            points in proptest::collection::vec((0_i64..30, 0_i32..30), 0..40), price in 0_i64..32, duration in 0_i32..32,
        ) {
            let mut frontier = Frontier::default();
            for (price, duration) in &points {
                frontier.insert(*price, *duration);
            }
            prop_assert_eq!(frontier.beats(price, duration), points.iter().any(|point| point.0 < price && point.1 < duration));
            prop_assert_eq!(frontier.covers(price, duration), points.iter().any(|point| point.0 <= price && point.1 <= duration));
            prop_assert!(frontier.points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1));
        }
    }
}
