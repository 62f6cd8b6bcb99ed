//! Cross-origin requests: whose pages may read answers.
//!
//! Credentials are never allowed: requests are signed in by a header, not by cookies, so that
//! allowing every origin gives a foreign page nothing that any other client could not get.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use pin_project_lite::pin_project;
use tower::Service;

use crate::ServeError;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, grpc-timeout, idempotency-key, traceparent, tracestate, x-request-id",
);
const EXPOSED: HeaderValue = HeaderValue::from_static("retry-after, x-request-id");
/// Two hours, the most that Chromium keeps.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The origins whose pages may read answers.
#[derive(Debug)]
pub(crate) enum Origins {
    All,
    These(Vec<HeaderValue>),
}

impl Origins {
    /// Reads origins such as `https://example.com`; `*` stands for all.
    pub(crate) fn parse(origins: &[String]) -> Result<Self, ServeError> {
        if origins.iter().any(|origin| origin == "*") {
            return Ok(Self::All);
        }
        let origins = origins.iter().map(|origin| {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            let plain = authority.is_some_and(|a| !a.is_empty() && !a.contains('/'));
            let value = HeaderValue::from_str(origin).ok().filter(|_| plain);
            value.ok_or_else(|| ServeError::Origin {
                origin: origin.clone(),
            })
        });
        origins.collect::<Result<_, _>>().map(Self::These)
    }

    /// The value of `Access-Control-Allow-Origin`, where this origin may.
    fn allow(&self, origin: HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::All => Some(HeaderValue::from_static("*")),
            Self::These(origins) => origins.contains(&origin).then_some(origin),
        }
    }
}

/// Answers preflight requests and marks answers to allowed origins.
#[derive(Clone, Debug)]
pub(crate) struct Cors<S> {
    inner: S,
    origins: Arc<Origins>,
}

impl<S> Cors<S> {
    pub(crate) fn new(inner: S, origins: Arc<Origins>) -> Self {
        Self { inner, origins }
    }
}

impl<S, B, R> Service<Request<B>> for Cors<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    R: Default,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = CorsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let headers = request.headers();
        let origin = headers.get(header::ORIGIN).cloned();
        let varies = matches!(*self.origins, Origins::These(_));
        let preflight = request.method() == Method::OPTIONS
            && origin.is_some()
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        CorsFuture {
            inner: (!preflight).then(|| self.inner.call(request)),
            allow: origin.and_then(|origin| self.origins.allow(origin)),
            varies,
        }
    }
}

pin_project! {
    /// Future of [`Cors`]; without an inner one, the request is a preflight.
    pub(crate) struct CorsFuture<F> {
        #[pin]
        inner: Option<F>,
        allow: Option<HeaderValue>,
        varies: bool,
    }
}

impl<F, R> Future for CorsFuture<F>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
    R: Default,
{
    type Output = Result<Response<R>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match this.inner.as_pin_mut() {
            Some(inner) => ready!(inner.poll(cx))?,
            None => preflight(this.allow.is_some()),
        };
        let headers = response.headers_mut();
        if let Some(allow) = this.allow.take() {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allow);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        if *this.varies {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        Poll::Ready(Ok(response))
    }
}

fn preflight<R: Default>(allowed: bool) -> Response<R> {
    let mut response = Response::new(R::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if allowed {
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_allowed_origins_may_read() {
        let all = Origins::parse(&["*".to_owned()]).unwrap();
        let one = Origins::parse(&["https://a.example".to_owned()]).unwrap();
        for (origins, origin, allowed) in [
            (&all, "https://b.example", Some("*")),
            (&one, "https://a.example", Some("https://a.example")),
            (&one, "https://b.example", None),
            (&one, "null", None),
        ] {
            let value = origins.allow(HeaderValue::from_static(origin));
            assert_eq!(value.as_ref().map(|value| value.to_str().unwrap()), allowed);
        }
    }

    #[test]
    fn an_origin_has_a_scheme_and_no_path() {
        for origin in [
            "example.com",
            "https://",
            "https://a.example/",
            "https://a\n",
        ] {
            let error = Origins::parse(&[origin.to_owned()]).unwrap_err();
            assert!(error.to_string().contains("is not an origin"), "{error}");
        }
    }
}
