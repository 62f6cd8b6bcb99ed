//! Calling another service.
//!
//! A [`Channel`] is the transport of a generated client, and of the gateway. A call passes, from
//! the outside: deadline, trace context, identity, balancer, endpoint, connection. Each is a file of
//! that name here, but for the identity (`auth`).

mod balance;
mod body;
mod call;
mod connection;
mod endpoint;
mod ewma;
mod pool;
mod request;
mod resolve;
mod trace;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use contracts::rt::route::{Method, Service};
use http::{Request, Response};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;

pub use body::ResponseBody;
pub use resolve::{Endpoints, EndpointsError};

use crate::{auth::Signer, deadline::Deadline};
use balance::{Balance, Random};
use pool::Pool;

/// How to reach a service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where its endpoints are.
    pub endpoints: Endpoints,
    /// How long a call waits, within its deadline, while no endpoint is connected. 1 s by default:
    /// long enough for a lost connection to be made again, short enough to fail while it matters.
    pub patience: Duration,
    /// Says who calls; none by default, which opens public methods only.
    pub signer: Option<Signer>,
}

impl Config {
    /// These endpoints, and defaults for the rest.
    #[must_use]
    pub const fn new(endpoints: Endpoints) -> Self {
        Self {
            endpoints,
            patience: Duration::from_secs(1),
            signer: None,
        }
    }

    /// Puts the identity of this service on every call that has none.
    #[must_use]
    pub fn signed(mut self, signer: Signer) -> Self {
        self.signer = Some(signer);
        self
    }
}

/// A way to call one service, balanced over its endpoints. Clones share their connections, which
/// are closed with the last clone.
#[derive(Clone, Debug)]
pub struct Channel {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    service: &'static Service,
    balance: Balance,
    signer: Option<Signer>,
    _closed_on_drop: DropGuard,
}

impl Channel {
    /// Connects to the endpoints of `service` in the background. Must be called within a Tokio
    /// runtime, whose tasks then keep the connections.
    #[must_use]
    pub fn connect(service: &'static Service, config: Config) -> Self {
        let pool = Arc::new(Pool::new(area(service.name)));
        let closed = CancellationToken::new();
        let balance = Balance {
            pool: Arc::clone(&pool),
            pick: Random,
            patience: config.patience,
        };
        tokio::spawn({
            let closed = closed.clone();
            async move {
                resolve::keep(config.endpoints, Arc::clone(&pool), closed.clone()).await;
                closed.cancelled().await;
                pool.close();
            }
        });
        Self {
            inner: Arc::new(Inner {
                service,
                balance,
                signer: config.signer,
                _closed_on_drop: closed.drop_guard(),
            }),
        }
    }

    /// Whether at least one endpoint is connected.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.inner.balance.pool.is_ready()
    }
}

impl Inner {
    /// The stack, outermost first.
    async fn call(
        &self,
        mut request: Request<tonic::body::Body>,
    ) -> Result<Response<ResponseBody>, Status> {
        let method = self.method(request.uri().path());
        // Outside of all else: whoever waits below, waits no longer than this.
        let mut deadline = Deadline::start(request.headers(), method);
        // One span per call, however many endpoints it takes. Retries will stand below it.
        let span = trace::start(&mut request);
        if let Some(signer) = &self.signer {
            let path = request.uri().path().to_owned();
            signer.sign(request.headers_mut(), &path);
        }
        // The balancer moves a call whose connection breaks. A breaker will stand above it.
        let answer = self.balance.call(method, request, deadline.at());
        match deadline.bound(answer).await {
            Ok((response, call)) => {
                trace::chosen(&span, call.endpoint());
                Ok(ResponseBody::begin(response, call, deadline, span))
            }
            Err(status) => {
                trace::ended(&span, status.code());
                Err(status)
            }
        }
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.service
            .methods
            .iter()
            .find(|method| method.path == path)
    }
}

/// The middle of `skyway.<area>.v1.<Name>Service`, which is what people call the service.
fn area(service: &'static str) -> &'static str {
    service.split('.').nth(1).unwrap_or(service)
}

impl tower_service::Service<Request<tonic::body::Body>> for Channel {
    type Response = Response<ResponseBody>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    /// Always ready: waiting for an endpoint is part of the call, and bounded by its deadline.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.call(request).await })
    }
}
