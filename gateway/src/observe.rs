//! What is known of every request: its id, its span, its access log line, its metrics.
//!
//! All of it hangs on one [`Record`], made when the request arrives and settled when the last byte
//! of the answer has been handed on or the client has left, whichever comes first. The route is
//! found here, before everything else, since all of it is named after the route.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::{Frame, SizeHint};
use mesh::clock;
use metrics::{Gauge, Histogram};
use pin_project_lite::pin_project;
use tower::Service;
use tracing::Span;
use uuid::Uuid;

use crate::app::App;
use crate::connections::{Client, Running};
use crate::router::{Found, Missing};
use crate::trace;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The status of a request whose client left first, as nginx writes it.
const CLIENT_LEFT: u16 = 499;

/// What the router found, for whoever answers.
#[derive(Clone, Debug)]
pub(crate) struct Matched(pub(crate) Result<Found, Missing>);

/// Durations of a route's requests by class of status; looked up once, at start.
#[derive(Debug)]
pub(crate) struct RouteMetrics([Histogram; 5]);

impl RouteMetrics {
    pub(crate) fn new(verb: &'static str, template: &'static str) -> Self {
        Self(["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| {
            metrics::histogram!(
                "http_server_request_duration_seconds",
                "http_request_method" => verb,
                "http_route" => template,
                "http_response_status_class" => class,
            )
        }))
    }

    fn record(&self, status: u16, seconds: f64) {
        let class = usize::from(status / 100).clamp(1, self.0.len());
        self.0[class - 1].record(seconds);
    }
}

/// Gives every request an id and a record.
#[derive(Clone)]
pub(crate) struct Observe<S> {
    inner: S,
    app: Arc<App>,
    active: Gauge,
}

impl<S> Observe<S> {
    pub(crate) fn new(inner: S, app: Arc<App>) -> Self {
        Self {
            inner,
            app,
            active: metrics::gauge!("http_server_active_requests"),
        }
    }
}

impl<S, B, R> Service<Request<B>> for Observe<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    type Response = Response<Observed<R>>;
    type Error = Infallible;
    type Future = ObserveFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = request_id(&mut request);
        let matched = self.app.router.find(request.method(), request.uri().path());
        let route = matched.as_ref().ok().map(|found| found.route);
        let client = request.extensions().get::<Arc<Client>>().cloned();
        let template = route.map(|route| self.app.router.route(route).template);
        let span = trace::server_span(&request, template, client.as_deref());
        let record = Record {
            started: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            id,
            status: CLIENT_LEFT,
            bytes: 0,
            route,
            span,
            app: self.app.clone(),
            active: self.active.clone(),
            _running: client.as_ref().map(Client::start),
            client,
        };
        record.active.increment(1.0);
        request.extensions_mut().insert(Matched(matched));
        let inner = record.span.in_scope(|| self.inner.call(request));
        ObserveFuture {
            inner,
            record: Some(record),
        }
    }
}

/// Keeps an id that the client gave, if it can go into logs as it is; else makes a new one.
fn request_id<B>(request: &mut Request<B>) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        (1..=128).contains(&value.len()) && value.as_bytes().iter().all(allowed)
    };
    if let Some(id) = request.headers().get(REQUEST_ID).filter(sane) {
        return id.clone();
    }
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = new_id().hyphenated().encode_lower(&mut text);
    let id = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none"));
    request.headers_mut().insert(REQUEST_ID, id.clone());
    id
}

/// A UUID of version 7. Nobody gains by guessing it, so it need not cost a call of the kernel.
fn new_id() -> Uuid {
    let millis = u64::try_from(clock::since_epoch().as_millis()).unwrap_or_default();
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// One request, from its arrival to the end of its answer.
struct Record {
    started: Instant,
    method: Method,
    uri: Uri,
    id: HeaderValue,
    status: u16,
    bytes: u64,
    route: Option<usize>,
    span: Span,
    app: Arc<App>,
    active: Gauge,
    client: Option<Arc<Client>>,
    /// Keeps the connection from being closed as idle.
    _running: Option<Running>,
}

impl Record {
    fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
        trace::answered(&self.span, status);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let seconds = self.started.elapsed().as_secs_f64();
        self.active.decrement(1.0);
        let route = self.route.map(|route| self.app.router.route(route));
        route
            .map_or(&self.app.unmatched, |route| &route.metrics)
            .record(self.status, seconds);
        // The query stays out of the log: it says where people travel.
        let _entered = self.span.enter();
        tracing::info!(
            target: "gateway::access",
            method = self.method.as_str(),
            path = self.uri.path(),
            route = route.map(|route| route.template),
            status = self.status,
            duration_ms = (seconds * 1e6).round() / 1e3,
            bytes = self.bytes,
            client = self.client.as_ref().map(|client| tracing::field::display(client.address)),
            request_id = self.id.to_str().unwrap_or_default(),
            "request"
        );
    }
}

pin_project! {
    /// Future of [`Observe`].
    pub(crate) struct ObserveFuture<F> {
        #[pin]
        inner: F,
        record: Option<Record>,
    }
}

impl<F, R> Future for ObserveFuture<F>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
{
    type Output = Result<Response<Observed<R>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.record.as_ref().map(|record| record.span.enter());
        let mut response = ready!(this.inner.poll(cx))?;
        drop(entered);
        if let Some(record) = this.record {
            record.answered(response.status());
            response.headers_mut().insert(REQUEST_ID, record.id.clone());
        }
        let record = this.record.take();
        Poll::Ready(Ok(response.map(|inner| Observed { inner, record })))
    }
}

pin_project! {
    /// A body that settles its request's record when it ends.
    pub(crate) struct Observed<B> {
        #[pin]
        inner: B,
        record: Option<Record>,
    }
}

impl<B> http_body::Body for Observed<B>
where
    B: http_body::Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let entered = this.record.as_ref().map(|record| record.span.enter());
        let frame = ready!(this.inner.poll_frame(cx));
        drop(entered);
        if let (Some(record), Some(Ok(frame))) = (this.record, &frame) {
            record.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sane_ids_are_kept_and_others_replaced() {
        for (given, kept) in [
            ("a.B-9_", true),
            ("", false),
            ("a b", false),
            ("a\"", false),
            (&*"x".repeat(129), false),
        ] {
            let mut request = Request::new(());
            request
                .headers_mut()
                .insert(REQUEST_ID, given.parse().unwrap());
            let id = request_id(&mut request);
            assert_eq!(id == given, kept, "{given}");
            assert_eq!(request.headers()[REQUEST_ID], id);
            assert!(!id.is_empty());
        }
    }
}
