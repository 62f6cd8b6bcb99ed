//! From the bytes of a gRPC answer to JSON.

use bytes::Bytes;
use contracts::rt::json;
use contracts::rt::json::WireError;
use contracts::rt::route::{Binding, Method};
use http::{Response, header};
use tonic::Status;

use super::frames::Messages;
use super::{Failure, JSON, Rpc};
use crate::body::Body;

/// JSON is about this many times as long as the wire bytes that it says.
const GROWTH: usize = 4;

/// Answers with a message of the method's answer.
pub(super) fn json(rpc: &Rpc, message: &[u8]) -> Result<Response<Body>, Failure> {
    let mut out = Vec::with_capacity(64 + GROWTH * message.len());
    write(rpc.method, rpc.binding, message, &mut out)
        .map_err(|error| Failure::upstream(&unreadable(&error), rpc.method))?;
    let mut response = Response::new(Body::from(Bytes::from(out)));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    Ok(response)
}

/// The one message of `answer`, which has at most `max` bytes.
pub(super) async fn one<B>(answer: Response<B>, max: usize) -> Result<Bytes, Status>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = answer.into_parts();
    let body = std::pin::pin!(body);
    let mut messages = Messages::open(Response::from_parts(head, body), max, |body| body)?;
    let message = messages.next().await;
    let message = message.unwrap_or_else(|| Err(Status::internal("the answer has no message")))?;
    match messages.next().await {
        None => Ok(message),
        Some(Err(status)) => Err(status),
        Some(Ok(_)) => Err(Status::internal("the answer has more than one message")),
    }
}

/// Appends a message of the method's answer as JSON.
pub(super) fn write(
    method: &'static Method,
    binding: &'static Binding,
    message: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    match binding.response_body {
        None => json::write(method.output, message, out),
        Some(field) => json::write_field(field, method.output, message, out),
    }
}

/// The status of a call whose answer is not the protobuf that the contract says.
pub(super) fn unreadable(error: &WireError) -> Status {
    Status::internal(format!("the answer cannot be read: {error}"))
}
