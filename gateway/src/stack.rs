//! The filters of a request, in order, and nothing else.

use std::sync::Arc;

use http::{Response, header};
use tower::ServiceBuilder;
use tower::layer::layer_fn;
use tower::util::MapResponse;
use tower_http::CompressionLevel;
use tower_http::compression::{Compression, CompressionBody, CompressionLayer, Predicate};

use crate::ServeError;
use crate::app::{Answer, App};
use crate::body::Body;
use crate::cors::{Cors, Origins};
use crate::observe::Observe;

/// The whole stack.
pub(crate) type Stack = Observe<Cors<MapResponse<Compression<Answer, WorthIt>, Slim>>>;

type Slim = fn(Response<CompressionBody<Body>>) -> Response<Body>;

/// What the filters need to know, checked.
pub(crate) struct Config {
    origins: Arc<Origins>,
}

impl Config {
    pub(crate) fn new(config: &crate::Config) -> Result<Self, ServeError> {
        Ok(Self {
            origins: Arc::new(Origins::parse(&config.cors_origins)?),
        })
    }
}

/// Builds the stack, outermost first. Connection and header limits come before it, in `connections`.
pub(crate) fn new(app: &Arc<App>, config: &Config) -> Stack {
    ServiceBuilder::new()
        // Request id, trace, access log and metrics: they see what the client sees.
        .layer(layer_fn(|inner| Observe::new(inner, app.clone())))
        .layer(layer_fn(|inner| Cors::new(inner, config.origins.clone())))
        .map_response(slim as Slim)
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(WorthIt),
        )
        // Below here per route: access, body limit, transcoding; the deadline is the channel's.
        .service(Answer(app.clone()))
}

/// Takes the encoder away from an answer that has none, and keeps it elsewhere for the others: it
/// has kilobytes, which would be moved from filter to filter.
fn slim(response: Response<CompressionBody<Body>>) -> Response<Body> {
    let encoded = response.headers().contains_key(header::CONTENT_ENCODING);
    response.map(|mut body| {
        if encoded {
            Body::stream(body)
        } else {
            std::mem::take(body.get_mut())
        }
    })
}

/// Compresses what is long enough to gain from it. Streams have no known length, and compressing
/// would hold their messages back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorthIt;

impl Predicate for WorthIt {
    fn should_compress<B: http_body::Body>(&self, response: &Response<B>) -> bool {
        response
            .body()
            .size_hint()
            .exact()
            .is_some_and(|size| size >= 1024)
    }
}
