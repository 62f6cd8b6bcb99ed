//! Turns of a rate that many consumers share.
//!
//! All that is kept is the moment of the next turn (the generic cell rate algorithm, as ATM networks
//! police cells): whoever asks gets that moment and moves it on by one interval. Moments that went by
//! unused may still be taken, but only the last few of them, which bounds a burst.

use std::time::Duration;

/// A rate as the queues count it, in whole microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// Between two turns, microseconds.
    pub(super) interval: i64,
    /// How far back unused turns may be taken, microseconds.
    pub(super) tolerance: i64,
}

impl Rate {
    /// Slower than one turn an hour, or faster than one a microsecond, is neither of use nor safe to compute.
    pub(super) fn new(per_second: f64, burst: u32) -> Self {
        let interval = Duration::try_from_secs_f64(per_second.recip())
            .unwrap_or(Duration::MAX)
            .clamp(Duration::from_micros(1), Duration::from_hours(1));
        let interval = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX);
        let unused = i64::from(burst.saturating_sub(1));
        Self {
            interval,
            tolerance: interval.saturating_mul(unused),
        }
    }

    /// The moment of the turn that is asked for now, where `next` is what is kept of the last one.
    /// What is kept afterwards is an interval more. A new rate begins with an interval of waiting.
    pub(super) fn turn(self, next: Option<i64>, now: i64) -> i64 {
        let earliest = now.saturating_sub(self.tolerance);
        next.map_or(now + self.interval, |next| next.max(earliest))
    }
}

/// From `now` until `turn`, both in microseconds.
pub(super) fn until(turn: i64, now: i64) -> Duration {
    Duration::from_micros(u64::try_from(turn - now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits of as many turns asked for at the same moment, in milliseconds.
    fn waits(rate: Rate, mut next: Option<i64>, now: i64, turns: usize) -> Vec<u128> {
        let one = |_| {
            let turn = rate.turn(next, now);
            next = Some(turn + rate.interval);
            until(turn, now).as_millis()
        };
        (0..turns).map(one).collect()
    }

    #[test]
    fn turns_are_an_interval_apart_and_a_new_rate_begins_with_none() {
        let rate = Rate::new(50.0, 50);
        assert_eq!(waits(rate, None, 1_000_000, 3), [20, 40, 60]);
        // The next one after a turn that is yet to come.
        assert_eq!(waits(rate, Some(1_030_000), 1_000_000, 2), [30, 50]);
    }

    #[test]
    fn unused_turns_add_up_to_the_burst() {
        let long_ago = Some(0);
        let now = 3_600_000_000;
        assert_eq!(
            waits(Rate::new(10.0, 3), long_ago, now, 5),
            [0, 0, 0, 100, 200]
        );
        for burst in [0, 1] {
            assert_eq!(
                waits(Rate::new(10.0, burst), long_ago, now, 3),
                [0, 100, 200]
            );
        }
    }

    #[test]
    fn senseless_rates_are_bounded() {
        for (per_second, interval) in [
            (0.0, 3_600_000_000),
            (-1.0, 3_600_000_000),
            (f64::NAN, 3_600_000_000),
            (f64::INFINITY, 1),
            (1e12, 1),
        ] {
            assert_eq!(Rate::new(per_second, u32::MAX).interval, interval);
        }
    }
}
