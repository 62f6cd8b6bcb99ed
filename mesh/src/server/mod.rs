//! Serving: one port for gRPC, reflection, health and plain HTTP.
//!
//! A call passes, from the outside: metrics and trace (so that refused calls are seen too),
//! deadline, access rule, service. Each is a file of that name here.

mod accept;
mod access;
mod body;
mod drain;
mod health;
mod http;
mod metrics;
mod reflection;
mod trace;

use std::{
    collections::HashMap, convert::Infallible, future::Future, net::IpAddr,
    panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration,
};

use ::http::{Request, Response};
use contracts::rt::route;
use futures_util::FutureExt;
use hyper::body::Incoming;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tonic::{
    Status,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tower_service::Service;
use tracing::Instrument;

use self::{
    body::{AnswerBody, Progress},
    drain::Readiness,
    metrics::Meter,
};
use crate::{
    auth::Auth,
    deadline::Deadline,
    status::{Fault, Kind},
    telemetry,
};

/// How to serve.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the service for logs, for example `search`.
    pub name: &'static str,
    /// Time between "not ready" and the end of accepting, for balancers to notice. Zero by default;
    /// under an orchestrator as long as it takes between two of its probes.
    pub drain_wait: Duration,
    /// Time for calls in flight to finish after that; 30 s by default.
    pub grace: Duration,
    /// How callers are known. None by default: only public methods are open.
    pub auth: Option<Auth>,
}

impl Config {
    /// A service of this name, and defaults for the rest.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            drain_wait: Duration::ZERO,
            grace: Duration::from_secs(30),
            auth: None,
        }
    }
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The contracts cannot be reflected: a bug.
    #[error("cannot reflect the contracts")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// The services of one port.
#[derive(Debug)]
pub struct Server {
    config: Config,
    routes: RoutesBuilder,
    services: Vec<&'static str>,
    meters: HashMap<&'static str, Arc<Meter>>,
    ready: watch::Receiver<bool>,
}

impl Server {
    /// A server without services, ready as soon as it serves.
    #[must_use]
    pub fn new(config: Config) -> Self {
        // Meters made before there is a recorder would measure nothing.
        telemetry::metrics();
        // The sender may go: what it sent last stays.
        let ready = watch::channel(true).1;
        Self {
            config,
            routes: RoutesBuilder::default(),
            services: Vec::new(),
            meters: HashMap::new(),
            ready,
        }
    }

    /// Adds a generated server and the table of its service.
    #[must_use]
    pub fn add<S>(mut self, service: S, table: &'static route::Service) -> Self
    where
        S: Service<Request<tonic::body::Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        debug_assert_eq!(S::NAME, table.name, "a server with another's table");
        self.routes.add_service(service);
        self.services.push(table.name);
        self.meters.extend(
            table
                .methods
                .iter()
                .map(|method| (method.path, Arc::new(Meter::new(method)))),
        );
        self
    }

    /// Makes the server ready only while `ready` holds `true`. Calls are served all the same: who
    /// must not be called yet says so to health checks, not to callers.
    #[must_use]
    pub fn ready_when(mut self, ready: watch::Receiver<bool>) -> Self {
        self.ready = ready;
        self
    }

    /// Serves until `shutdown`, then drains: not ready, `drain_wait`, no new connections, and up to
    /// `grace` for calls in flight. A service ends its endless streams by the same token.
    ///
    /// # Errors
    ///
    /// [`ServeError`] where the server cannot start.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let Self {
            config,
            mut routes,
            services,
            meters,
            ready,
        } = self;
        let readiness = Readiness::new(ready);
        let (reporter, health) = tonic_health::server::health_reporter();
        health::set(&reporter, &services, &readiness).await;
        routes.add_service(health);
        reflection::add(&mut routes, &services)?;
        let grpc = routes.routes().into_axum_router().reset_fallback();
        let routes = Routes::from(grpc.merge(http::router(readiness.clone()))).prepare();
        let stack = Stack {
            routes,
            meters: Arc::new(meters),
            auth: config.auth.map(Arc::new),
            peer: None,
        };
        if let Ok(address) = listener.local_addr() {
            tracing::info!(server = config.name, %address, "serving");
        }
        let stop = readiness.until_stop(shutdown, config.drain_wait);
        tokio::select! {
            () = accept::run(listener, stack, stop, config.grace) => {}
            () = health::follow(reporter, services, readiness.clone()) => {}
            () = telemetry::keep_metrics_small() => {}
        }
        tracing::info!(server = config.name, "stopped");
        Ok(())
    }
}

/// What every request passes.
#[derive(Clone)]
struct Stack {
    routes: Routes,
    /// The methods of the contracts by path; all else passes unwatched.
    meters: Arc<HashMap<&'static str, Arc<Meter>>>,
    auth: Option<Arc<Auth>>,
    /// Who is at the other end of this connection.
    peer: Option<IpAddr>,
}

impl Stack {
    /// The stack of a connection from `peer`.
    fn from(&self, peer: IpAddr) -> Self {
        Self {
            // A dual-stack socket writes IPv4 addresses as IPv6.
            peer: Some(peer.to_canonical()),
            ..self.clone()
        }
    }

    /// The stack, outermost first.
    async fn call(mut self, mut request: Request<Incoming>) -> Response<AnswerBody> {
        let Some(meter) = self.meters.get(request.uri().path()) else {
            let Ok(response) = self.routes.call(request).await;
            return response.map(AnswerBody::plain);
        };
        // Outside of what may refuse a call.
        let measured = meter.start();
        let method = measured.method();
        let span = trace::start(method, request.headers());
        let deadline = Deadline::start(request.headers(), Some(method));
        let mut progress = Progress::new(measured, deadline, span.clone());
        let answer = async {
            let work = async {
                access::check(self.auth.as_deref(), method, self.peer, &mut request).await?;
                // Load shedding will stand here: below the deadline, above the service.
                guarded(self.routes.call(request)).await
            };
            progress.deadline().bound(work).await
        };
        let response = answer
            .instrument(span)
            .await
            .unwrap_or_else(Status::into_http);
        AnswerBody::begin(response, progress)
    }
}

/// Turns a panic into an answer, so that it costs one call and not the connection's others.
async fn guarded<B>(
    work: impl Future<Output = Result<Response<B>, Infallible>>,
) -> Result<Response<B>, Status> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(response)) => Ok(response),
        Err(_) => Err(Fault::new(Kind::Internal, "INTERNAL", "the service failed").into()),
    }
}

impl hyper::service::Service<Request<Incoming>> for Stack {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let stack = self.clone();
        Box::pin(async move { Ok(stack.call(request).await) })
    }
}
