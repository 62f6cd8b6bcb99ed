//! What a call in progress owes its endpoint: to be counted, and to report how it went.
//!
//! Reporting happens once, however the call ends, also when its caller just lets go.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;
use tonic::Code;

use super::{
    endpoint::Endpoint,
    ewma::{MOST_PUSHBACK, PENALTY},
};

/// A call that an endpoint is working on.
#[derive(Debug)]
pub(super) struct Call {
    endpoint: Arc<Endpoint>,
    started: Instant,
    reported: bool,
}

impl Call {
    pub(super) fn start(endpoint: Arc<Endpoint>, now: Instant) -> Self {
        endpoint.pending.fetch_add(1, Relaxed);
        Self {
            endpoint,
            started: now,
            reported: false,
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The first of the answer is there.
    pub(super) fn answered(&mut self) {
        if !std::mem::replace(&mut self.reported, true) {
            let now = Instant::now();
            self.endpoint.load.observe(now - self.started, now);
        }
    }

    /// The call failed by the endpoint's fault; `pushback` is when it wants to be asked again.
    pub(super) fn failed(mut self, pushback: Option<Duration>) {
        self.reported = true;
        let cost = pushback.map_or(PENALTY, |pushback| pushback.min(MOST_PUSHBACK));
        let now = Instant::now();
        self.endpoint
            .load
            .observe_at_least(cost.max(now - self.started), now);
    }

    /// The call never reached the endpoint, or failed by no fault of it: nothing is learned.
    pub(super) fn unsent(mut self) {
        self.reported = true;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.endpoint.pending.fetch_sub(1, Relaxed);
        if !self.reported {
            let now = Instant::now();
            self.endpoint.load.observe_at_least(now - self.started, now);
        }
    }
}

/// Whether a code says that the endpoint is in trouble, rather than the request.
/// The list is linkerd's without `DEADLINE_EXCEEDED`, whose delay already counts in full.
pub(super) fn is_failure(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::ResourceExhausted
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
