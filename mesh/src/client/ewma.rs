//! What a call to an endpoint costs: a peak-sensitive moving average of round-trip times.
//!
//! A slow answer counts at once and in full, a fast one only as time passes, so that an endpoint
//! that stalls loses its traffic immediately and earns it back gradually. With time alone the
//! estimate decays towards zero, so that an endpoint nobody calls is tried again.
//! The algorithm is Finagle's `PeakEwma` (also linkerd's), with the failure penalty of linkerd's
//! `load-biaser`: without it, whoever fails fastest looks best and attracts all calls.
//!
//! Estimate and time of change share one atomic word, so reading costs no lock.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

/// Time in which a sample loses all but 1/e of its weight.
const DECAY: Duration = Duration::from_secs(10);
/// Time after connecting in which the best answer counts: those of a cold replica say little.
const WARM_UP: Duration = Duration::from_secs(1);
/// What a call is expected to cost where nothing is known.
pub(super) const SEED: Duration = Duration::from_millis(30);
/// What a failed call costs.
pub(super) const PENALTY: Duration = Duration::from_secs(5);
/// The most that a server's push-back is believed.
pub(super) const MOST_PUSHBACK: Duration = Duration::from_mins(5);

/// Unit of the time of change: 2^-14 s, so that 32 bits last for three days.
const TICKS_PER_SECOND: f64 = 16_384.0;
/// [`WARM_UP`] in ticks.
const WARM_UP_TICKS: u32 = 16_384;
/// Marks an estimate that no call has confirmed; the first answer replaces it.
const SEEDED: u64 = 1 << 63;

/// The estimate of one endpoint.
#[derive(Debug)]
pub(super) struct Ewma {
    epoch: Instant,
    /// From the top: seeded (the sign bit of the estimate, which is never negative), estimate in
    /// seconds as `f32`, ticks since `epoch`.
    state: AtomicU64,
    /// Ticks at which the warm-up ends.
    warm: AtomicU32,
}

impl Ewma {
    pub(super) fn new(now: Instant) -> Self {
        let ewma = Self {
            epoch: now,
            state: AtomicU64::default(),
            warm: AtomicU32::default(),
        };
        ewma.restart(SEED, now);
        ewma
    }

    /// Forgets what is known; `seed` is the guess until the first answer.
    pub(super) fn restart(&self, seed: Duration, now: Instant) {
        self.warm.store(self.ticks(now + WARM_UP), Relaxed);
        self.state
            .store(pack(seed.as_secs_f32(), self.ticks(now)) | SEEDED, Relaxed);
    }

    /// The estimate at this instant, in seconds.
    pub(super) fn cost(&self, now: Instant) -> f64 {
        let (cost, changed) = unpack(self.state.load(Relaxed));
        f64::from(cost) * weight(self.ticks(now).wrapping_sub(changed))
    }

    /// Whether the estimate is the seed, which no call has confirmed.
    pub(super) fn is_guess(&self) -> bool {
        self.state.load(Relaxed) & SEEDED != 0
    }

    /// Takes in a call that was answered after `rtt`.
    pub(super) fn observe(&self, rtt: Duration, now: Instant) {
        let (sample, ticks) = (rtt.as_secs_f32(), self.ticks(now));
        // Compared by distance, because ticks wrap around.
        let is_cold = self.warm.load(Relaxed).wrapping_sub(ticks) <= WARM_UP_TICKS;
        let next = |state: u64| {
            let (cost, changed) = unpack(state);
            if state & SEEDED != 0 || (is_cold && sample < cost) {
                return Some(pack(sample, ticks));
            }
            if sample >= cost {
                return (!is_cold).then(|| pack(sample, ticks));
            }
            // Samples within one tick carry no weight. Keeping the old time lets the next one count.
            let elapsed = ticks.wrapping_sub(changed);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a weight needs no more precision"
            )]
            let old = weight(elapsed) as f32;
            (elapsed > 0).then(|| pack(cost * old + sample * (1.0 - old), ticks))
        };
        // It declines only where nothing changes.
        let _ = self.state.fetch_update(Relaxed, Relaxed, next);
    }

    /// Takes in a call that was given up after `elapsed`, or failed and counts as so long: it can
    /// only raise the estimate.
    pub(super) fn observe_at_least(&self, elapsed: Duration, now: Instant) {
        if elapsed.as_secs_f64() > self.cost(now) {
            self.state
                .store(pack(elapsed.as_secs_f32(), self.ticks(now)), Relaxed);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "wraps around by design"
    )]
    fn ticks(&self, now: Instant) -> u32 {
        (now.saturating_duration_since(self.epoch).as_secs_f64() * TICKS_PER_SECOND) as u64 as u32
    }
}

fn weight(elapsed_ticks: u32) -> f64 {
    (-f64::from(elapsed_ticks) / (TICKS_PER_SECOND * DECAY.as_secs_f64())).exp()
}

fn pack(cost: f32, ticks: u32) -> u64 {
    (u64::from(cost.to_bits()) << 32) | u64::from(ticks)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "takes the two halves apart"
)]
fn unpack(state: u64) -> (f32, u32) {
    (
        f32::from_bits(((state & !SEEDED) >> 32) as u32),
        state as u32,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn close(actual: f64, expected_ms: f64) {
        let actual_ms = actual * 1000.0;
        assert!(
            (actual_ms - expected_ms).abs() < expected_ms * 0.01 + 0.001,
            "{actual_ms} ms, expected {expected_ms} ms"
        );
    }

    #[test]
    fn the_first_answer_replaces_the_seed() {
        let start = Instant::now();
        let ewma = Ewma::new(start);
        close(ewma.cost(start), 30.0);
        ewma.observe(2 * MS, start + MS);
        close(ewma.cost(start + MS), 2.0);
    }

    /// An estimate of 1 ms that has been there for a while.
    fn warm(start: Instant) -> (Ewma, Instant) {
        let (ewma, now) = (Ewma::new(start), start + 2 * WARM_UP);
        ewma.observe(MS, now);
        (ewma, now)
    }

    #[test]
    fn a_cold_replica_is_judged_by_its_best_answer() {
        let start = Instant::now();
        let ewma = Ewma::new(start);
        for sample in [80, 3, 40] {
            ewma.observe(sample * MS, start);
        }
        close(ewma.cost(start), 3.0);
        ewma.observe_at_least(PENALTY, start);
        close(ewma.cost(start), 5000.0);
    }

    #[test]
    fn a_peak_counts_at_once_and_fades() {
        let (ewma, now) = warm(Instant::now());
        ewma.observe(100 * MS, now);
        close(ewma.cost(now), 100.0);
        let later = now + DECAY;
        ewma.observe(MS, later);
        close(
            ewma.cost(later),
            100.0 / std::f64::consts::E + (1.0 - 1.0 / std::f64::consts::E),
        );
    }

    #[test]
    fn it_decays_towards_zero_unasked() {
        let (ewma, now) = warm(Instant::now());
        ewma.observe(PENALTY, now);
        close(ewma.cost(now + 10 * DECAY), 5000.0 * (-10.0_f64).exp());
    }

    #[test]
    fn samples_faster_than_the_clock_still_add_up() {
        let (ewma, now) = warm(Instant::now());
        ewma.observe(100 * MS, now);
        for step in 0..2_000_000_u32 {
            ewma.observe(MS, now + step * Duration::from_micros(10));
        }
        let old = (-2.0_f64).exp();
        close(ewma.cost(now + 2 * DECAY), 100.0 * old + 1.0 - old);
    }

    #[test]
    fn a_call_given_up_can_only_raise_the_estimate() {
        let start = Instant::now();
        let ewma = Ewma::new(start);
        ewma.observe(50 * MS, start);
        ewma.observe_at_least(10 * MS, start);
        close(ewma.cost(start), 50.0);
        ewma.observe_at_least(200 * MS, start);
        close(ewma.cost(start), 200.0);
    }
}
