//! One REST request onto one gRPC call, and its answer back.
//!
//! No message is ever built: path, query and body become protobuf wire bytes in one buffer
//! ([`request`]), and the answer's wire bytes become JSON in another (`response`, `stream`).

pub(crate) mod error;
pub(crate) mod frames;
pub mod request;
mod response;
mod spread;
pub(crate) mod stream;

use std::sync::Arc;

use contracts::rt::route::{Binding, Body as Destination, Method};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use mesh::client::Channel;
use mesh::status::{Fault, Kind};
use tokio_util::sync::CancellationToken;

pub use error::Failure;

use crate::access::Identity;
use crate::body::{self, Body};
use crate::config::{Limits, Streams};

/// The content type of everything that is not a stream.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A method behind one of its bindings.
#[derive(Debug)]
pub(crate) struct Rpc {
    pub(crate) method: &'static Method,
    pub(crate) binding: &'static Binding,
    /// The method's path, parsed once.
    pub(crate) uri: Uri,
    pub(crate) callee: Callee,
}

/// Who is called.
#[derive(Clone, Debug)]
pub(crate) enum Callee {
    /// The service of the method's area.
    One(Channel),
    /// Every service, as the method's `spread` says.
    All(Arc<[Service]>),
}

/// One of several services that serve a method.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its area, for example `booking`.
    pub(crate) area: String,
    pub(crate) channel: Channel,
}

/// What calls have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) streams: Streams,
    /// Ends streams, which would otherwise outlive the grace period.
    pub(crate) shutdown: CancellationToken,
}

/// Answers `request` on behalf of `identity`; the path without its custom verb has `path_len` bytes.
pub(crate) async fn call<B>(
    rpc: &Rpc,
    shared: &Shared,
    identity: Option<Identity<'_>>,
    request: http::Request<B>,
    path_len: usize,
) -> Result<Response<Body>, Failure>
where
    B: http_body::Body<Data = bytes::Bytes>,
{
    let (head, body) = request.into_parts();
    let body = match rpc.binding.body {
        Destination::None if body.is_end_stream() => bytes::Bytes::new(),
        Destination::None => return Err(no_body_wanted()),
        Destination::Whole | Destination::Field(_) => {
            let body = body::read(body, shared.limits.body_bytes, shared.limits.body).await?;
            if !body.is_empty() {
                check_content_type(&head.headers)?;
            }
            body
        }
    };
    let path = &head.uri.path()[..path_len];
    let message = request::bind(rpc.method, rpc.binding, path, head.uri.query(), &body)?;
    let mut upstream = request::upstream(rpc, &head.headers, message)?;
    if let Some(identity) = identity {
        identity.attach(upstream.headers_mut());
    }
    let failed = |status| Failure::upstream(&status, rpc.method);
    let channel = match &rpc.callee {
        Callee::One(channel) => channel,
        Callee::All(services) => {
            let max = shared.limits.message_bytes;
            let answer = spread::call(rpc.method, services, &upstream, max).await;
            return response::json(rpc, &answer.map_err(failed)?);
        }
    };
    let answer = tower::Service::call(&mut channel.clone(), request::send(upstream));
    if !rpc.method.server_streaming {
        let answer = answer.await.map_err(failed)?;
        let message = response::one(answer, shared.limits.message_bytes).await;
        return response::json(rpc, &message.map_err(failed)?);
    }
    match stream::Format::wanted(&head.headers) {
        stream::Format::Array => stream::array(rpc, answer, shared).await,
        format => {
            let answer = answer.await.map_err(failed)?;
            stream::respond(rpc, answer, format, shared).await
        }
    }
}

fn no_body_wanted() -> Failure {
    let message = "this request takes no body";
    Failure::new(
        StatusCode::BAD_REQUEST,
        Fault::new(Kind::InvalidArgument, "BODY_NOT_ALLOWED", message),
    )
}

/// A body without a type is taken for JSON, and so is what `curl --data` sends unless it is told
/// otherwise; one with another type is not guessed at.
fn check_content_type(headers: &HeaderMap) -> Result<(), Failure> {
    let plain = headers
        .get(header::CONTENT_ENCODING)
        .is_none_or(|encoding| encoding == "identity");
    let json = headers.get(header::CONTENT_TYPE).is_none_or(|value| {
        let value = value.to_str().unwrap_or_default();
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        let charset = parameters.trim().to_ascii_lowercase();
        ["application/json", "application/x-www-form-urlencoded"]
            .iter()
            .any(|known| essence.trim().eq_ignore_ascii_case(known))
            && (!charset.starts_with("charset=") || charset.trim_matches('"').ends_with("utf-8"))
    });
    if plain && json {
        return Ok(());
    }
    let message =
        "the body must be JSON in UTF-8 without content encoding (Content-Type: application/json)";
    let fault = Fault::new(Kind::InvalidArgument, "UNSUPPORTED_MEDIA_TYPE", message);
    Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, fault).with_header(header::ACCEPT, JSON))
}
