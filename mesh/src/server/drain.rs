//! Whether a server takes calls: not before its service is ready, and not while it drains.
//!
//! Draining goes in steps, so that no call is lost: say "not ready", wait until balancers have
//! noticed, stop accepting, finish what is in flight, and only then, after the grace, drop it.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a server says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The service is still loading, or has fallen behind.
    Starting,
    /// It takes calls.
    Ready,
    /// It finishes its calls and leaves.
    Draining,
}

/// Shared by all who ask or tell.
#[derive(Clone, Debug)]
pub(super) struct Readiness {
    ready: watch::Receiver<bool>,
    draining: CancellationToken,
}

impl Readiness {
    pub(super) fn new(ready: watch::Receiver<bool>) -> Self {
        Self {
            ready,
            draining: CancellationToken::new(),
        }
    }

    pub(super) fn state(&self) -> State {
        if self.draining.is_cancelled() {
            State::Draining
        } else if *self.ready.borrow() {
            State::Ready
        } else {
            State::Starting
        }
    }

    /// Waits until the state may have changed. Never ends once it is draining.
    pub(super) async fn changed(&mut self) {
        if self.draining.is_cancelled() {
            return std::future::pending().await;
        }
        tokio::select! {
            () = self.draining.cancelled() => {}
            // A service that drops its end has said its last word.
            changed = self.ready.changed() => if changed.is_err() { self.draining.cancelled().await },
        }
    }

    /// Ends when it is time to stop accepting: `wait` after `shutdown`.
    pub(super) async fn until_stop(&self, shutdown: CancellationToken, wait: Duration) {
        shutdown.cancelled().await;
        self.draining.cancel();
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn goes_from_starting_to_ready_to_draining() {
        let (service, ready) = watch::channel(false);
        let mut readiness = Readiness::new(ready);
        assert_eq!(readiness.state(), State::Starting);
        service.send_replace(true);
        readiness.changed().await;
        assert_eq!(readiness.state(), State::Ready);

        let shutdown = CancellationToken::new();
        let stop = tokio::spawn({
            let (readiness, shutdown) = (readiness.clone(), shutdown.clone());
            async move { readiness.until_stop(shutdown, Duration::from_secs(2)).await }
        });
        let before = tokio::time::Instant::now();
        shutdown.cancel();
        readiness.changed().await;
        assert_eq!(readiness.state(), State::Draining, "told before the wait");
        stop.await.unwrap();
        assert_eq!(before.elapsed(), Duration::from_secs(2));
    }
}
