//! One replica of a service: one HTTP/2 connection, kept open in the background.
//!
//! An endpoint is ready only while it is connected, so a dead one gets no call at all.

use std::{
    future::poll_fn,
    sync::{Arc, atomic::AtomicU32},
    task::Poll,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::{Request, Response, uri::Authority};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    connection::{Incoming, Link, SendError, Sender, connect},
    ewma::Ewma,
    pool::Pool,
    request::RequestBody,
};
use crate::backoff::Backoff;

/// Delay before connecting again: short at most, so that a restarted replica is back soon.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
/// A connection that lasts as long counts as a success.
const LASTING: Duration = Duration::from_secs(1);

/// One replica.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Host and port.
    pub(super) authority: Authority,
    /// Cancelled when it is no longer one of the service's endpoints.
    pub(super) removed: CancellationToken,
    sender: ArcSwapOption<Sender>,
    trouble: ArcSwapOption<String>,
    pub(super) load: Ewma,
    pub(super) pending: AtomicU32,
}

impl Endpoint {
    pub(super) fn new(authority: Authority, now: Instant) -> Self {
        Self {
            authority,
            removed: CancellationToken::new(),
            sender: ArcSwapOption::empty(),
            trouble: ArcSwapOption::empty(),
            load: Ewma::new(now),
            pending: AtomicU32::new(0),
        }
    }

    /// Whether it can be given a call.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.load().is_some()
    }

    /// What a call costs at this instant, in seconds.
    pub(super) fn cost(&self, now: Instant) -> f64 {
        self.load.cost(now)
    }

    /// Whether no call has been answered since it connected, so that its cost is a guess.
    pub(super) fn is_guess(&self) -> bool {
        self.load.is_guess()
    }

    /// What keeps it from being ready.
    pub(super) fn trouble(&self) -> String {
        self.trouble.load().as_ref().map_or_else(
            || "not connected yet".to_owned(),
            |trouble| trouble.as_ref().clone(),
        )
    }

    /// Sends a call. Dropping the future cancels it.
    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        let sender = self
            .sender
            .load()
            .as_ref()
            .map(|sender| Sender::clone(sender));
        match sender {
            Some(sender) => sender.send(request).await,
            None => Err(SendError::Unsent(Box::new(request))),
        }
    }

    /// Connects, and again whenever the connection is lost, until the endpoint is removed.
    pub(super) async fn keep_connected(self: Arc<Self>, pool: Arc<Pool>) {
        let ready = metrics::gauge!("rpc_client_endpoint_ready", "service" => pool.service, "endpoint" => self.authority.to_string());
        let mut backoff = BACKOFF;
        loop {
            ready.set(0.0);
            let Some(connected) = self
                .removed
                .run_until_cancelled(connect(&self.authority))
                .await
            else {
                return;
            };
            match connected {
                Ok((sender, link)) => {
                    ready.set(1.0);
                    let since = Instant::now();
                    self.serve(sender, link, &pool).await;
                    if since.elapsed() >= LASTING {
                        backoff.reset();
                    }
                }
                Err(trouble) => {
                    tracing::debug!(endpoint = %self.authority, %trouble, "cannot connect");
                    self.trouble.store(Some(Arc::new(trouble)));
                }
            }
            pool.changed.send_replace(());
            let delay = backoff.next(fastrand::f64());
            if self
                .removed
                .run_until_cancelled(tokio::time::sleep(delay))
                .await
                .is_none()
            {
                ready.set(0.0);
                return;
            }
        }
    }

    /// Is ready until the connection takes no more calls.
    async fn serve(&self, sender: Sender, mut link: Link, pool: &Pool) {
        tracing::debug!(endpoint = %self.authority, "connected");
        let now = Instant::now();
        self.load.restart(pool.seed(now), now);
        self.sender.store(Some(Arc::new(sender.clone())));
        pool.changed.send_replace(());
        let ended = self
            .removed
            .run_until_cancelled(open(&mut link, sender))
            .await;
        self.sender.store(None);
        let trouble = ended.flatten().unwrap_or_else(|| {
            // Without a sender the connection ends by itself once its calls are finished. Until
            // then, a peer that has restarted can be connected to anew.
            tokio::spawn(link);
            "connection closing".to_owned()
        });
        tracing::debug!(endpoint = %self.authority, %trouble, "connection lost");
        self.trouble.store(Some(Arc::new(trouble)));
        pool.lost.notify_one();
    }
}

/// Keeps a connection going until it has ended, and then says why, or takes no more calls.
async fn open(link: &mut Link, mut sender: Sender) -> Option<String> {
    poll_fn(|context| match link.as_mut().poll(context) {
        Poll::Ready(trouble) => Poll::Ready(Some(trouble)),
        Poll::Pending if sender.is_closed() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}
