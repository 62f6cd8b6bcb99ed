//! The time that jobs go by, so that a test can have one of its own.

use std::time::Duration;

use futures_util::future::BoxFuture;

/// Tells the time and waits. A function that gives Unix milliseconds is one.
pub trait Clock: Send + Sync + 'static {
    /// Unix milliseconds.
    fn now(&self) -> i64;

    /// Waits.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    /// Between 0 and 1, at random: how much of its jitter a job waits.
    fn jitter(&self) -> f64 {
        fastrand::f64()
    }
}

impl<F: Fn() -> i64 + Send + Sync + 'static> Clock for F {
    fn now(&self) -> i64 {
        self()
    }
}
