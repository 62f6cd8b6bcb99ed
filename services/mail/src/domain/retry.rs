//! When a mail is tried again.
//!
//! Delays grow exponentially from the first to the longest one, and the jitter is in the exponent: each delay
//! lies anywhere between its own place on the curve and the next one's. So every delay keeps within the
//! bounds, and mails that failed together do not come back together.

use std::time::Duration;

/// How often a mail is tried, and how long it waits in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Attempts in all, at least 1.
    pub tries: u32,
    /// The shortest delay.
    pub first: Duration,
    /// The longest delay.
    pub most: Duration,
}

impl Default for Schedule {
    /// Eight tries, 1 s to 5 min apart: 4 to 9 minutes in all, time for a mail server to be restarted.
    fn default() -> Self {
        Self {
            tries: 8,
            first: Duration::from_secs(1),
            most: Duration::from_mins(5),
        }
    }
}

impl Schedule {
    /// How long to wait after this many failures; none where it has been tried often enough.
    /// `jitter` is between 0 and 1.
    #[must_use]
    pub fn delay(&self, failures: u32, jitter: f64) -> Option<Duration> {
        if failures >= self.tries {
            return None;
        }
        let steps = f64::from(self.tries.saturating_sub(1).max(1));
        let place = f64::from(failures.saturating_sub(1)) + jitter.clamp(0.0, 1.0);
        let growth = self.most.as_secs_f64() / self.first.as_secs_f64().max(f64::MIN_POSITIVE);
        let delay = self.first.as_secs_f64() * growth.powf(place / steps);
        let delay = Duration::try_from_secs_f64(delay).unwrap_or(self.most);
        Some(delay.clamp(self.first, self.most.max(self.first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_from_a_second_to_five_minutes_and_then_end() {
        let schedule = Schedule::default();
        let seconds = |failures, jitter| {
            let delay = schedule.delay(failures, jitter).unwrap();
            format!("{:.1}", delay.as_secs_f64())
        };
        let shortest: Vec<_> = (1..8).map(|failures| seconds(failures, 0.0)).collect();
        assert_eq!(
            shortest,
            ["1.0", "2.3", "5.1", "11.5", "26.0", "58.8", "132.8"]
        );
        assert_eq!(seconds(1, 1.0), "2.3", "up to where the next one begins");
        assert_eq!(seconds(7, 1.0), "300.0");
        assert_eq!(schedule.delay(8, 0.5), None);
    }

    #[test]
    fn odd_schedules_have_delays_too() {
        let schedule = Schedule {
            tries: 2,
            first: Duration::ZERO,
            most: Duration::ZERO,
        };
        assert_eq!(schedule.delay(1, 0.5), Some(Duration::ZERO));
        assert_eq!(schedule.delay(2, 0.5), None);
        let once = Schedule {
            tries: 1,
            ..schedule
        };
        assert_eq!(once.delay(1, 0.5), None);
    }
}
