//! What the gateway serves by itself: the OpenAPI document, its health, and a way in at `/`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use contracts::rt::route::Segment;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::app::App;
use crate::body::Body;
use crate::transcode::JSON;

/// A page of the gateway's own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Page {
    Index,
    OpenApi,
    Live,
    Ready,
}

impl Page {
    pub(crate) const ALL: [Self; 4] = [Self::Index, Self::OpenApi, Self::Live, Self::Ready];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Index => "/",
            Self::OpenApi => "/openapi.json",
            Self::Live => "/livez",
            Self::Ready => "/readyz",
        }
    }

    pub(crate) fn segments(self) -> &'static [Segment] {
        match self {
            Self::Index => &[],
            Self::OpenApi => &[Segment::Literal("openapi.json")],
            Self::Live => &[Segment::Literal("livez")],
            Self::Ready => &[Segment::Literal("readyz")],
        }
    }
}

/// Answers with `page`.
pub(crate) fn answer(page: Page, app: &App, request: &HeaderMap) -> Response<Body> {
    match page {
        Page::Index => json(r#"{"name":"Skyway","openapi":"/openapi.json"}"#),
        Page::OpenApi => open_api(request),
        Page::Live => json(r#"{"status":"live"}"#),
        Page::Ready if app.ready() => json(r#"{"status":"ready"}"#),
        Page::Ready => {
            let mut response = json(r#"{"status":"not ready"}"#);
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    }
}

fn json(text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// The document changes only with the build, so that a client need not load it twice.
fn open_api(request: &HeaderMap) -> Response<Body> {
    // Weak, since compression may change the bytes.
    static TAG: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
        let mut hasher = DefaultHasher::new();
        contracts::OPENAPI.hash(&mut hasher);
        HeaderValue::from_str(&format!("W/\"{:016x}\"", hasher.finish())).ok()
    });
    let known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    let tag = TAG.as_ref().and_then(|tag| tag.to_str().ok());
    let mut response = json(contracts::OPENAPI);
    if let (Some(known), Some(tag)) = (known, tag)
        && known
            .split(',')
            .any(|known| known.trim() == tag || known.trim() == "*")
    {
        response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if let Some(tag) = &*TAG {
        headers.insert(header::ETAG, tag.clone());
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
