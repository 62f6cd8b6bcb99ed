//! Exponential backoff with jitter.
//!
//! Half of each delay is random, so that many callers who failed together do not come back
//! together ("equal jitter" of Marc Brooker's "Exponential Backoff And Jitter", AWS, 2015).

use std::time::Duration;

/// A sequence of growing delays.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at `first`, doubles with every failure and never passes `most`.
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            failures: 0,
        }
    }

    /// The delay after one more failure. `jitter` is between 0 and 1: 0 gives half of the full
    /// delay, 1 all of it.
    pub fn next(&mut self, jitter: f64) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        doubled
            .min(self.most)
            .mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn doubles_up_to_the_cap() {
        let mut backoff = Backoff::new(100 * MS, 1000 * MS);
        let delays: Vec<_> = (0..40).map(|_| backoff.next(1.0)).collect();
        assert_eq!(
            delays[..5],
            [100 * MS, 200 * MS, 400 * MS, 800 * MS, 1000 * MS]
        );
        assert!(delays[5..].iter().all(|delay| *delay == 1000 * MS));
    }

    #[test]
    fn jitter_takes_up_to_half_away() {
        let mut backoff = Backoff::new(100 * MS, 1000 * MS);
        assert_eq!(backoff.next(0.0), 50 * MS);
        assert_eq!(backoff.next(0.5), 150 * MS);
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::new(100 * MS, 1000 * MS);
        backoff.next(1.0);
        backoff.next(1.0);
        backoff.reset();
        assert_eq!(backoff.next(1.0), 100 * MS);
    }
}
