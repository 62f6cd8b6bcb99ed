//! The innermost service: a route's answer.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use contracts::rt::route::{self, Access, Spread};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use mesh::client::{Channel, Endpoints};
use mesh::status::{Fault, Kind};
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::config::Config;
use crate::connections::Client;
use crate::observe::{Matched, RouteMetrics};
use crate::pages::{self, Page};
use crate::router::{Missing, Router};
use crate::transcode::{self, Callee, Failure, Rpc, Service, Shared};
use crate::{ServeError, access, panics};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) router: Router<Route>,
    pub(crate) unmatched: RouteMetrics,
    upstreams: Vec<Upstream>,
    draining: AtomicBool,
    shared: Shared,
}

/// A route and what is known of it before any request.
#[derive(Debug)]
pub(crate) struct Route {
    /// Its path template, as it is called in logs, metrics and traces.
    pub(crate) template: &'static str,
    pub(crate) metrics: RouteMetrics,
    target: Target,
}

/// A service behind the gateway.
#[derive(Debug)]
struct Upstream {
    channel: Channel,
    /// Whether it has been connected once.
    reached: AtomicBool,
}

impl Upstream {
    fn is_connected(&self) -> bool {
        let connected = self.channel.ready();
        if connected {
            self.reached.store(true, Ordering::Relaxed);
        }
        connected
    }
}

#[derive(Debug)]
enum Target {
    Rpc(Rpc),
    Page(Page),
}

impl App {
    /// Makes the routes of every public service, each with a channel to where `config` says it is.
    pub(crate) fn new(
        config: Config,
        shutdown: CancellationToken,
    ) -> Result<Arc<Self>, ServeError> {
        let mut router = Router::default();
        let mut upstreams = Vec::new();
        for page in Page::ALL {
            let route = Route::new("GET", page.path(), Target::Page(page));
            router.add("GET", page.segments(), None, route);
        }
        for service in contracts::SERVICES {
            let public = |method: &&route::Method| {
                method.access != Access::Mesh
                    && !method.client_streaming
                    && !method.bindings.is_empty()
            };
            let methods = service.methods.iter().filter(public);
            let (own, spread): (Vec<_>, Vec<_>) =
                methods.partition(|method| method.spread == Spread::None);
            if !own.is_empty() {
                let area = service.name.split('.').nth(1).unwrap_or(service.name);
                let endpoints = config.endpoints.get(area);
                let endpoints = endpoints.ok_or_else(|| ServeError::NoEndpoints {
                    area: area.to_owned(),
                })?;
                let channel = connect(service, endpoints);
                add(&mut router, own, &Callee::One(channel.clone()));
                upstreams.push(Upstream {
                    channel,
                    reached: AtomicBool::new(false),
                });
            }
            if !spread.is_empty() {
                let services = config.endpoints.iter();
                let services = services.map(|(area, endpoints)| Service {
                    area: area.clone(),
                    channel: connect(service, endpoints),
                });
                add(&mut router, spread, &Callee::All(services.collect()));
            }
        }
        let shared = Shared {
            limits: config.limits.clone(),
            streams: config.streams.clone(),
            shutdown,
        };
        let unmatched = RouteMetrics::new("other", "unmatched");
        let draining = AtomicBool::new(false);
        Ok(Arc::new(Self {
            config,
            router,
            unmatched,
            upstreams,
            draining,
            shared,
        }))
    }

    /// Whether requests can be answered, and nobody wants us to stop. At first every service must have
    /// been reached. After that one is enough: a service that is away takes its routes with it, and not
    /// the whole gateway.
    pub(crate) fn ready(&self) -> bool {
        let connected = self
            .upstreams
            .iter()
            .filter(|upstream| upstream.is_connected());
        let any = connected.count() > 0;
        let reached = |upstream: &Upstream| upstream.reached.load(Ordering::Relaxed);
        any && self.upstreams.iter().all(reached) && !self.draining.load(Ordering::Relaxed)
    }

    /// Says "not ready" from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

fn connect(contract: &'static route::Service, endpoints: &Endpoints) -> Channel {
    Channel::connect(contract, mesh::client::Config::new(endpoints.clone()))
}

/// Adds the routes of methods that are all called at `callee`.
fn add(router: &mut Router<Route>, methods: Vec<&'static route::Method>, callee: &Callee) {
    for method in methods {
        for binding in method.bindings {
            let rpc = Rpc {
                method,
                binding,
                uri: Uri::from_static(method.path),
                callee: callee.clone(),
            };
            let route = Route::new(binding.verb, binding.template, Target::Rpc(rpc));
            router.add(binding.verb, binding.segments, binding.custom_verb, route);
        }
    }
}

impl Route {
    fn new(verb: &'static str, template: &'static str, target: Target) -> Self {
        Self {
            template,
            metrics: RouteMetrics::new(verb, template),
            target,
        }
    }
}

fn no_route() -> Failure {
    let message = "there is nothing at this path; /openapi.json lists what there is";
    Failure::new(
        StatusCode::NOT_FOUND,
        Fault::new(Kind::NotFound, "ROUTE_NOT_FOUND", message),
    )
}

fn wrong_verb(method: &Method, allow: &str) -> Result<Response<Body>, Failure> {
    let header = HeaderValue::from_str(allow).unwrap_or(HeaderValue::from_static("GET"));
    if method == Method::OPTIONS {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(header::ALLOW, header);
        return Ok(response);
    }
    let message = format!("{method} is not possible here, only {allow}");
    let fault = Fault::new(Kind::Unimplemented, "METHOD_NOT_ALLOWED", message);
    Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, fault).with_header(header::ALLOW, header))
}

/// [`App`] as a tower service.
#[derive(Clone, Debug)]
pub(crate) struct Answer(pub(crate) Arc<App>);

impl<B> tower::Service<Request<B>> for Answer
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(panics::catch(answer(self.0.clone(), request)))
    }
}

/// Answers a request by the route that was found for it.
async fn answer<B>(app: Arc<App>, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = bytes::Bytes>,
{
    let (head, body) = request.into_parts();
    let found = match head.extensions.get::<Matched>() {
        Some(Matched(Ok(found))) => Ok(*found),
        Some(Matched(Err(Missing::Verb(allow)))) => Err(wrong_verb(&head.method, allow)),
        Some(Matched(Err(Missing::Path))) | None => Err(Err(no_route())),
    };
    let answer = match found.map(|found| (found, &app.router.route(found.route).target)) {
        Ok((found, Target::Rpc(rpc))) => {
            let peer = head.extensions.get::<Arc<Client>>();
            let peer = peer.map(|client| client.address.ip());
            match access::check(&app.config, rpc.method, &head.headers, peer).await {
                Ok(identity) => {
                    let request = Request::from_parts(head, body);
                    transcode::call(rpc, &app.shared, identity, request, found.path_len).await
                }
                Err(failure) => Err(failure),
            }
        }
        Ok((_, Target::Page(page))) => Ok(pages::answer(*page, &app, &head.headers)),
        Err(missing) => missing,
    };
    let mut response = answer.unwrap_or_else(Failure::response);
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
