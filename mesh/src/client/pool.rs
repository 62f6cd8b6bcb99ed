//! The endpoints of a service, and which of them are ready.
//!
//! The list is replaced, never changed, so that a call reads it without a lock.

use std::{fmt::Write, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::uri::Authority;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{endpoint::Endpoint, ewma};

/// The endpoints of one service.
#[derive(Debug)]
pub(super) struct Pool {
    /// Name of the service for metrics and messages, for example `search`.
    pub(super) service: &'static str,
    /// All of them, ready or not.
    pub(super) endpoints: ArcSwap<Vec<Arc<Endpoint>>>,
    /// Changes whenever an endpoint becomes ready or is lost.
    pub(super) changed: watch::Sender<()>,
    /// Told when a connection is lost, so that names are looked up again.
    pub(super) lost: Notify,
    /// Why there are no endpoints at all.
    trouble: ArcSwapOption<String>,
}

impl Pool {
    pub(super) fn new(service: &'static str) -> Self {
        Self {
            service,
            endpoints: ArcSwap::default(),
            changed: watch::Sender::default(),
            lost: Notify::new(),
            trouble: ArcSwapOption::empty(),
        }
    }

    /// Makes `authorities` the endpoints: connects to new ones, lets go of those that are gone and
    /// leaves the others alone.
    pub(super) fn update(self: &Arc<Self>, authorities: Vec<Authority>) {
        let old = self.endpoints.load_full();
        let mut added = Vec::new();
        let new = authorities.into_iter().map(|authority| {
            old.iter()
                .find(|endpoint| endpoint.authority == authority)
                .cloned()
                .unwrap_or_else(|| {
                    let endpoint = Arc::new(Endpoint::new(authority, Instant::now()));
                    added.push(Arc::clone(&endpoint));
                    endpoint
                })
        });
        let new: Vec<_> = new.collect();
        for endpoint in old
            .iter()
            .filter(|endpoint| !new.iter().any(|kept| Arc::ptr_eq(kept, endpoint)))
        {
            endpoint.removed.cancel();
        }
        self.endpoints.store(Arc::new(new));
        for endpoint in added {
            tokio::spawn(endpoint.keep_connected(Arc::clone(self)));
        }
    }

    /// Lets go of every endpoint.
    pub(super) fn close(&self) {
        for endpoint in self.endpoints.swap(Arc::default()).iter() {
            endpoint.removed.cancel();
        }
    }

    /// Remembers why no endpoint is known.
    pub(super) fn note(&self, trouble: String) {
        self.trouble.store(Some(Arc::new(trouble)));
    }

    pub(super) fn is_ready(&self) -> bool {
        self.endpoints
            .load()
            .iter()
            .any(|endpoint| endpoint.is_ready())
    }

    /// What a call to an endpoint that just connected may cost: as much as to its cheapest peer.
    /// A higher guess would keep a replica that is back without calls for as long as it decays.
    pub(super) fn seed(&self, now: Instant) -> std::time::Duration {
        let endpoints = self.endpoints.load();
        let ready = endpoints.iter().filter(|endpoint| endpoint.is_ready());
        let least = ready
            .map(|endpoint| endpoint.cost(now))
            .fold(ewma::SEED.as_secs_f64(), f64::min);
        std::time::Duration::from_secs_f64(least)
    }

    /// Every endpoint with what keeps it away, for people.
    pub(super) fn troubles(&self) -> String {
        let mut text = String::new();
        for endpoint in self.endpoints.load().iter() {
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(
                text,
                "{comma}{}: {}",
                endpoint.authority,
                endpoint.trouble()
            );
        }
        match self.trouble.load().as_ref() {
            Some(trouble) if text.is_empty() => trouble.as_ref().clone(),
            None if text.is_empty() => "none is known".to_owned(),
            _ => text,
        }
    }
}
