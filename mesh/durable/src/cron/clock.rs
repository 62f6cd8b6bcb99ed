//! The time that jobs go by, so that a test can have one of its own.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use mesh::clock::milliseconds;

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

/// A clock that many replicas may go by: the system's, unless it is another one.
#[derive(Clone)]
pub struct SharedClock(Arc<dyn Clock>);

impl SharedClock {
    /// Shares a clock.
    pub fn new(clock: impl Clock) -> Self {
        Self(Arc::new(clock))
    }
}

impl Default for SharedClock {
    fn default() -> Self {
        Self::new(milliseconds)
    }
}

impl fmt::Debug for SharedClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("SharedClock")
            .field(&self.now())
            .finish()
    }
}

impl Clock for SharedClock {
    fn now(&self) -> i64 {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        self.0.sleep(duration)
    }

    fn jitter(&self) -> f64 {
        self.0.jitter()
    }
}
