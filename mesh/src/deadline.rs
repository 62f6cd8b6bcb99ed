//! How long a call may take, from its request to the last byte of the answer; the same on both sides.
//!
//! The timer stands outside of everything else, so that it also ends a wait for an endpoint.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use contracts::rt::route::Method;
use http::HeaderMap;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use crate::{status::deadline_exceeded, timeout};

/// A call's deadline; none for a stream whose caller set none.
#[derive(Debug)]
pub(crate) struct Deadline {
    budget: Duration,
    // Boxed once: it moves from the call to the answer's body while it runs.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// The earlier of what the caller says and what the contract says.
    pub(crate) fn start(headers: &HeaderMap, method: Option<&Method>) -> Self {
        let contract = method.and_then(|method| method.deadline);
        let budget = match (timeout::read(headers), contract) {
            (Some(caller), Some(contract)) => Some(caller.min(contract)),
            (caller, contract) => caller.or(contract),
        };
        let timer = budget.map(|budget| Box::pin(sleep_until(Instant::now() + budget)));
        Self {
            budget: budget.unwrap_or_default(),
            timer,
        }
    }

    pub(crate) fn at(&self) -> Option<Instant> {
        self.timer.as_ref().map(|timer| timer.deadline())
    }

    /// Waits for `work` until the deadline.
    pub(crate) async fn bound<T>(
        &mut self,
        work: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        tokio::pin!(work);
        std::future::poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Pending => self.poll_expired(context).map(Err),
            done @ Poll::Ready(_) => done,
        })
        .await
    }

    /// Ready with the error once the time is up.
    pub(crate) fn poll_expired(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        match &mut self.timer {
            Some(timer) => timer
                .as_mut()
                .poll(context)
                .map(|()| deadline_exceeded(self.budget)),
            None => Poll::Pending,
        }
    }
}
