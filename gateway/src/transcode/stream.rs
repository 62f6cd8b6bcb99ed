//! Streams, in the format that the client asks for.
//!
//! `text/event-stream` gives an event per message, `application/x-ndjson` a line, and everything
//! else one aggregated array, which is bounded in number, size and time. An error before the first
//! message is an ordinary error; after it, it is the last event or line, so that a stream that was
//! cut off can be told from one that ended. A client that leaves drops the call behind it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use contracts::rt::route::{Binding, Method};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame};
use mesh::status::{Fault, Kind};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;

use super::frames::Messages;
use super::{Failure, JSON, Rpc, Shared, response};
use crate::body::Body;

/// Messages that are ready are sent together up to about this many bytes.
const CHUNK: usize = 16 * 1024;

/// How a stream is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Events,
    Lines,
    Array,
}

impl Format {
    /// The first format of the highest quality that `Accept` lists.
    pub(crate) fn wanted(headers: &HeaderMap) -> Self {
        let mut best = (0, Self::Array);
        let accept = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok());
        for range in accept.flat_map(|value| value.split(',')) {
            let (media_type, parameters) = range.split_once(';').unwrap_or((range, ""));
            let format = match media_type.trim().to_ascii_lowercase().as_str() {
                "text/event-stream" => Self::Events,
                "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::Lines,
                "application/json" | "application/*" | "*/*" => Self::Array,
                _ => continue,
            };
            let quality = quality(parameters);
            if quality > best.0 {
                best = (quality, format);
            }
        }
        best.1
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
            Self::Array => "application/json",
        })
    }

    fn separator(self) -> &'static [u8] {
        if self == Self::Events { b"\n\n" } else { b"\n" }
    }
}

/// The parameter `q` in thousandths.
fn quality(parameters: &str) -> u32 {
    let q = parameters
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("q="));
    let Some(q) = q else { return 1000 };
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole, fraction.parse()) {
        ("1", _) => 1000,
        ("0", Ok(thousandths)) => thousandths,
        _ => 0,
    }
}

/// Answers with one array of all messages, or with an error that tells of the other formats.
pub(super) async fn array<B>(
    rpc: &Rpc,
    answer: impl Future<Output = Result<Response<B>, Status>>,
    shared: &Shared,
) -> Result<Response<Body>, Failure>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let time = shared.streams.array;
    let collected = async {
        let answer = answer
            .await
            .map_err(|status| Failure::upstream(&status, rpc.method))?;
        collect(rpc, answer, shared).await
    };
    let Ok(out) = tokio::time::timeout(time, collected).await else {
        let message = format!("the stream did not end within {time:?}; {ADVICE}");
        let fault = Fault::new(Kind::DeadlineExceeded, "STREAM_TOO_LONG", message);
        return Err(Failure::new(StatusCode::GATEWAY_TIMEOUT, fault));
    };
    let mut response = Response::new(Body::from(Bytes::from(out?)));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    Ok(response)
}

const ADVICE: &str = "ask for it with Accept: text/event-stream or application/x-ndjson";

async fn collect<B>(rpc: &Rpc, answer: Response<B>, shared: &Shared) -> Result<Vec<u8>, Failure>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let failed = |status: Status| Failure::upstream(&status, rpc.method);
    let (head, body) = answer.into_parts();
    let body = std::pin::pin!(body);
    let answer = Response::from_parts(head, body);
    let mut messages =
        Messages::open(answer, shared.limits.message_bytes, |body| body).map_err(failed)?;
    let mut out = vec![b'['];
    let mut count = 0;
    while let Some(message) = messages.next().await {
        let message = message.map_err(failed)?;
        if count > 0 {
            out.push(b',');
        }
        count += 1;
        response::write(rpc.method, rpc.binding, &message, &mut out)
            .map_err(|error| failed(response::unreadable(&error)))?;
        if count > shared.streams.array_messages || out.len() > shared.streams.array_bytes {
            let message = format!("the stream is too long for one array; {ADVICE}");
            let fault = Fault::new(Kind::FailedPrecondition, "STREAM_TOO_LARGE", message);
            return Err(Failure::new(StatusCode::BAD_REQUEST, fault));
        }
    }
    out.push(b']');
    Ok(out)
}

/// Answers with events or lines as they come.
pub(super) async fn respond<B>(
    rpc: &Rpc,
    answer: Response<B>,
    format: Format,
    shared: &Shared,
) -> Result<Response<Body>, Failure>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let failed = |status: Status| Failure::upstream(&status, rpc.method);
    let mut messages =
        Messages::open(answer, shared.limits.message_bytes, Box::pin).map_err(failed)?;
    let keep_alive = shared.streams.keep_alive;
    // The head of the answer waits for the first message, which may be an error, but not for ever.
    let first = tokio::time::timeout(keep_alive, messages.next()).await;
    let first = first.ok().flatten().transpose().map_err(failed)?;
    let body = Body::stream(Stream {
        messages,
        first,
        ended: false,
        method: rpc.method,
        binding: rpc.binding,
        format,
        keep_alive,
        silence: Box::pin(tokio::time::sleep(keep_alive)),
        shutdown: Box::pin(shared.shutdown.clone().cancelled_owned()),
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, format.content_type());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies such as nginx would otherwise hold messages back to fill a buffer.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The body of a streamed answer.
struct Stream<B> {
    messages: Messages<Pin<Box<B>>>,
    first: Option<Bytes>,
    ended: bool,
    method: &'static Method,
    binding: &'static Binding,
    format: Format,
    keep_alive: Duration,
    silence: Pin<Box<Sleep>>,
    /// Streams need not end by themselves, so they are ended before the grace period is spent on them.
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<B> Stream<B> {
    fn message(&mut self, message: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        if self.format == Format::Events {
            out.extend_from_slice(b"data: ");
        }
        match response::write(self.method, self.binding, message, out) {
            Ok(()) => out.extend_from_slice(self.format.separator()),
            Err(error) => {
                out.truncate(start);
                self.failure(&response::unreadable(&error), out);
            }
        }
    }

    fn failure(&mut self, status: &Status, out: &mut Vec<u8>) {
        self.ended = true;
        if self.format == Format::Events {
            out.extend_from_slice(b"event: error\ndata: ");
        }
        out.extend_from_slice(&Failure::upstream(status, self.method).json());
        out.extend_from_slice(self.format.separator());
    }
}

impl<B> HttpBody for Stream<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let mut out = Vec::new();
        if let Some(first) = this.first.take() {
            this.message(&first, &mut out);
        }
        if !this.ended && this.shutdown.as_mut().poll(cx).is_ready() {
            this.failure(
                &Status::unavailable("this gateway is shutting down"),
                &mut out,
            );
        }
        while !this.ended && out.len() < CHUNK {
            match this.messages.poll(cx) {
                Poll::Ready(Some(Ok(message))) => this.message(&message, &mut out),
                Poll::Ready(Some(Err(status))) => this.failure(&status, &mut out),
                Poll::Ready(None) => this.ended = true,
                Poll::Pending => break,
            }
        }
        if out.is_empty() && this.ended {
            return Poll::Ready(None);
        }
        if out.is_empty()
            && this.format == Format::Events
            && this.silence.as_mut().poll(cx).is_ready()
        {
            out.extend_from_slice(b": still here\n\n");
        }
        if out.is_empty() {
            return Poll::Pending;
        }
        this.silence
            .as_mut()
            .reset(Instant::now() + this.keep_alive);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(out)))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.first.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_best_that_accept_lists() {
        let cases = [
            (None, Format::Array),
            (Some("text/event-stream"), Format::Events),
            (Some("application/x-ndjson"), Format::Lines),
            (Some("application/json, text/event-stream"), Format::Array),
            (
                Some("application/json;q=0.5, text/event-stream;q=0.9"),
                Format::Events,
            ),
            (Some("text/event-stream;q=0, */*"), Format::Array),
            (Some("text/html, Application/NDJSON ; q=0.2"), Format::Lines),
            (Some("text/html"), Format::Array),
        ];
        for (accept, format) in cases {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(Format::wanted(&headers), format, "{accept:?}");
        }
    }
}
