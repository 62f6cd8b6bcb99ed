//! Chooses an endpoint for each call: the better of two taken at random.
//!
//! "Power of two choices" (Mitzenmacher, 1996) comes close to the best endpoint at the price of
//! two estimates and, unlike always taking the best, does not send every caller to the same one
//! at the same time. The estimate is the cost of a call (see [`super::ewma`]) times the calls
//! that the endpoint would then have.
//!
//! A call whose connection breaks is moved to another endpoint where that is harmless: always if
//! it was never processed, once if the contract says that doing it twice changes nothing.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use contracts::rt::route::{Idempotency, Method};
use http::{HeaderMap, Request, Response, Uri};
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::{
    call::Call,
    connection::{Incoming, MOST_PENDING, SendError},
    endpoint::Endpoint,
    pool::Pool,
    request::RequestBody,
};
use crate::{
    status::{Fault, Kind},
    timeout,
};

/// How often a call that was never processed is moved.
const MOST_MOVES: u32 = 4;
/// Costs below this are the same: on a fast network such differences are noise.
const LEAST_COST: f64 = 0.001;
/// Loads within this factor are the same, so that low traffic spreads over equal endpoints.
const TOLERANCE: f64 = 2.0;

/// Takes two different positions out of `count`, which is at least two.
pub(super) trait Pick {
    fn pair(&self, count: usize) -> (usize, usize);
}

/// Takes any two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random;

impl Pick for Random {
    fn pair(&self, count: usize) -> (usize, usize) {
        let first = fastrand::usize(..count);
        let second = fastrand::usize(..count - 1);
        (first, if second < first { second } else { second + 1 })
    }
}

/// The balancer of one service.
#[derive(Debug)]
pub(super) struct Balance<P = Random> {
    pub(super) pool: Arc<Pool>,
    pub(super) pick: P,
    /// How long a call waits for an endpoint where none is ready.
    pub(super) patience: Duration,
}

impl<P: Pick> Balance<P> {
    /// Sends a call to one endpoint, and to others where that one fails harmlessly.
    pub(super) async fn call(
        &self,
        method: Option<&Method>,
        request: Request<tonic::body::Body>,
        deadline: Option<Instant>,
    ) -> Result<(Response<Incoming>, Call), Status> {
        let (parts, body) = request.into_parts();
        let body = RequestBody::read(body)?;
        let mut moves = MOST_MOVES;
        let mut resends =
            u32::from(method.is_some_and(|method| method.idempotency != Idempotency::Unknown));
        let mut failed: Option<Arc<Endpoint>> = None;
        let mut spare = None;
        let mut next = Some((parts.headers, body));
        loop {
            let Some((headers, body)) = next.take() else {
                return Err(Fault::new(Kind::Internal, "INTERNAL", "a call was lost").into());
            };
            let endpoint = self.ready_endpoint(failed.as_ref()).await?;
            let call = Call::start(Arc::clone(&endpoint), Instant::now());
            if let Some(again) = body.again() {
                spare = Some((headers.clone(), again));
            }
            match endpoint
                .send(address(&parts.uri, headers, body, &endpoint, deadline))
                .await
            {
                Ok(response) => return Ok((response, call)),
                Err(SendError::Unsent(request)) if moves > 0 => {
                    moves -= 1;
                    call.unsent();
                    let (parts, body) = request.into_parts();
                    next = Some((parts.headers, body));
                }
                Err(SendError::Refused(_)) if moves > 0 && spare.is_some() => {
                    moves -= 1;
                    call.unsent();
                    next = spare.take();
                }
                Err(SendError::Broken(cause)) if resends > 0 && spare.is_some() => {
                    resends -= 1;
                    call.failed(None);
                    tracing::debug!(endpoint = %endpoint.authority, %cause, "call is moved");
                    next = spare.take();
                }
                Err(SendError::Body(status)) => {
                    call.unsent();
                    return Err(status);
                }
                Err(SendError::Refused(cause) | SendError::Broken(cause)) => {
                    call.failed(None);
                    return Err(self.lost(&endpoint, &cause));
                }
                Err(SendError::Unsent(_)) => return Err(self.lost(&endpoint, "connection closed")),
            }
            metrics::counter!("rpc_client_failovers_total", "service" => self.pool.service)
                .increment(1);
            failed = Some(endpoint);
        }
    }

    fn lost(&self, endpoint: &Endpoint, cause: &str) -> Status {
        let message = format!(
            "lost the connection to {} at {}: {cause}",
            self.pool.service, endpoint.authority
        );
        Fault::new(Kind::Unavailable, "UNAVAILABLE", message)
            .with("service", self.pool.service)
            .into()
    }

    /// An endpoint to call; waits for one where none is connected.
    async fn ready_endpoint(&self, avoid: Option<&Arc<Endpoint>>) -> Result<Arc<Endpoint>, Status> {
        if let Some(endpoint) = self.choose(avoid, Instant::now()) {
            return Ok(endpoint);
        }
        let mut changed = self.pool.changed.subscribe();
        let give_up = Instant::now() + self.patience;
        loop {
            if let Some(endpoint) = self.choose(avoid, Instant::now()) {
                return Ok(endpoint);
            }
            if self.pool.is_ready() {
                return Err(self.busy());
            }
            if timeout_at(give_up, changed.changed()).await.is_err() {
                return Err(self.unreachable());
            }
        }
    }

    fn choose(&self, avoid: Option<&Arc<Endpoint>>, now: Instant) -> Option<Arc<Endpoint>> {
        let endpoints = self.pool.endpoints.load();
        let is_other =
            |endpoint: &Arc<Endpoint>| avoid.is_none_or(|avoid| !Arc::ptr_eq(avoid, endpoint));
        self.better_of_two(&endpoints, now, |endpoint| {
            is_eligible(endpoint) && is_other(endpoint)
        })
        // The one that failed has perhaps reconnected; it is better than none.
        .or_else(|| endpoints.iter().find(|endpoint| is_eligible(endpoint)))
        .cloned()
    }

    fn better_of_two<'a>(
        &self,
        endpoints: &'a [Arc<Endpoint>],
        now: Instant,
        eligible: impl Fn(&Arc<Endpoint>) -> bool,
    ) -> Option<&'a Arc<Endpoint>> {
        let count = endpoints
            .iter()
            .filter(|endpoint| eligible(endpoint))
            .count();
        // One may be lost between counting and taking, so the last resort is whoever is left.
        let nth = |position| {
            endpoints
                .iter()
                .filter(|endpoint| eligible(endpoint))
                .nth(position)
        };
        if count < 2 {
            return nth(0);
        }
        let (first, second) = self.pick.pair(count);
        match (nth(first), nth(second)) {
            (Some(first), Some(second)) if load(first, now) > TOLERANCE * load(second, now) => {
                Some(second)
            }
            (Some(first), _) => Some(first),
            (None, second) => second.or_else(|| nth(0)),
        }
    }

    fn busy(&self) -> Status {
        let message = format!(
            "every endpoint of {} has {MOST_PENDING} calls",
            self.pool.service
        );
        let fault = Fault::new(Kind::ResourceExhausted, "TOO_MANY_CALLS", message)
            .with("service", self.pool.service);
        fault.retry_after(self.patience).into()
    }

    fn unreachable(&self) -> Status {
        let message = format!(
            "no endpoint of {} is reachable ({})",
            self.pool.service,
            self.pool.troubles()
        );
        let fault = Fault::new(Kind::Unavailable, "UNAVAILABLE", message)
            .with("service", self.pool.service);
        fault.retry_after(self.patience).into()
    }
}

fn is_eligible(endpoint: &Arc<Endpoint>) -> bool {
    endpoint.is_ready() && endpoint.pending.load(Relaxed) < MOST_PENDING
}

fn load(endpoint: &Endpoint, now: Instant) -> f64 {
    let pending = endpoint.pending.load(Relaxed);
    // One call is worth more than a guess: else the first endpoint that answers would get all
    // calls of a quiet client until the guesses about the others have decayed.
    if pending == 0 && endpoint.is_guess() {
        return 0.0;
    }
    endpoint.cost(now).max(LEAST_COST) * f64::from(pending + 1)
}

/// The request as it goes to `endpoint`, with the time that is left.
fn address(
    uri: &Uri,
    mut headers: HeaderMap,
    body: RequestBody,
    endpoint: &Endpoint,
    deadline: Option<Instant>,
) -> Request<RequestBody> {
    if let Some(deadline) = deadline {
        timeout::write(
            &mut headers,
            deadline.saturating_duration_since(Instant::now()),
        );
    }
    let mut request = Request::new(body);
    let mut target = http::uri::Parts::default();
    target.scheme = Some(http::uri::Scheme::HTTP);
    target.authority = Some(endpoint.authority.clone());
    target.path_and_query = uri.path_and_query().cloned();
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = Uri::from_parts(target).unwrap_or_default();
    *request.headers_mut() = headers;
    request
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Always these two.
    struct These(usize, usize);

    impl Pick for These {
        fn pair(&self, _: usize) -> (usize, usize) {
            (self.0, self.1)
        }
    }

    /// Endpoints that cost so many milliseconds and have so many calls.
    fn chosen(endpoints: &[(u64, u32)], pick: These) -> usize {
        let now = Instant::now();
        let endpoints: Vec<_> = endpoints
            .iter()
            .map(|&(cost, pending)| {
                let endpoint = Endpoint::new("localhost:1".parse().unwrap(), now);
                endpoint.load.observe(Duration::from_millis(cost), now);
                endpoint.pending.store(pending, Relaxed);
                Arc::new(endpoint)
            })
            .collect();
        let balance = Balance {
            pool: Arc::new(Pool::new("test")),
            pick,
            patience: Duration::ZERO,
        };
        let chosen = balance.better_of_two(&endpoints, now, |_| true).unwrap();
        endpoints
            .iter()
            .position(|endpoint| Arc::ptr_eq(endpoint, chosen))
            .unwrap()
    }

    #[test]
    fn the_cheaper_of_the_two_is_chosen() {
        for (endpoints, pick, expected) in [
            (&[(1, 0), (25, 0)][..], These(1, 0), 0),
            (&[(25, 0), (1, 0)], These(0, 1), 1),
            // Calls under way count.
            (&[(2, 9), (5, 0)], These(0, 1), 1),
            // About the same, and below what can be told apart: whoever comes first.
            (&[(20, 0), (15, 0)], These(0, 1), 0),
            (&[(1, 0), (0, 0)], These(0, 1), 0),
            // The best of all is not looked at unless it is one of the two.
            (&[(1, 0), (30, 0), (90, 0)], These(2, 1), 1),
        ] {
            let pair = (pick.0, pick.1);
            assert_eq!(chosen(endpoints, pick), expected, "{endpoints:?} {pair:?}");
        }
    }

    #[test]
    fn any_two_different_ones_are_taken() {
        let pairs: HashSet<_> = (0..1000).map(|_| Random.pair(3)).collect();
        assert_eq!(
            pairs,
            HashSet::from([(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)])
        );
    }
}
