//! The answer as it arrives: it keeps the call counted until its last byte, watches the status in
//! the trailers, and ends at the deadline.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame};
use tonic::{Code, Status};
use tracing::Span;

use super::{
    call::{Call, is_failure},
    connection::Incoming,
    trace,
};
use crate::{
    deadline::Deadline,
    status::{Fault, Kind, code_in},
};

/// The body of an answer. Dropping it cancels the call.
#[derive(Debug)]
pub struct ResponseBody {
    incoming: Incoming,
    /// None once the call has ended.
    progress: Option<Progress>,
}

#[derive(Debug)]
struct Progress {
    call: Call,
    deadline: Deadline,
    span: Span,
}

impl ResponseBody {
    /// Takes over a call whose answer has begun.
    pub(super) fn begin(
        response: Response<Incoming>,
        mut call: Call,
        deadline: Deadline,
        span: Span,
    ) -> Response<Self> {
        let (parts, incoming) = response.into_parts();
        // "Trailers-Only": the status is in the head and there is no body.
        let progress = if let Some(code) = code_in(&parts.headers) {
            end(call, &span, code, &parts.headers);
            None
        } else {
            call.answered();
            Some(Progress {
                call,
                deadline,
                span,
            })
        };
        Response::from_parts(parts, Self { incoming, progress })
    }

    fn finish(&mut self, code: Code, trailers: &HeaderMap) {
        if let Some(Progress { call, span, .. }) = self.progress.take() {
            end(call, &span, code, trailers);
        }
    }
}

fn end(mut call: Call, span: &Span, code: Code, headers: &HeaderMap) {
    trace::ended(span, code);
    if is_failure(code) {
        call.failed(pushback(headers));
    } else {
        call.answered();
    }
}

/// When the server wants to be asked again: `grpc-retry-pushback-ms` of gRFC A6.
fn pushback(headers: &HeaderMap) -> Option<std::time::Duration> {
    let text = headers.get("grpc-retry-pushback-ms")?.to_str().ok()?;
    text.parse().ok().map(std::time::Duration::from_millis)
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.finish(code_in(trailers).unwrap_or(Code::Unknown), trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(cause))) => {
                self.finish(Code::Unavailable, &HeaderMap::new());
                let message = format!("the answer broke off: {cause}");
                Poll::Ready(Some(Err(Fault::new(
                    Kind::Unavailable,
                    "UNAVAILABLE",
                    message,
                )
                .into())))
            }
            Poll::Ready(None) => {
                // Without trailers there is no status, which gRPC calls unknown.
                self.finish(Code::Unknown, &HeaderMap::new());
                Poll::Ready(None)
            }
            Poll::Pending => {
                let Some(progress) = &mut self.progress else {
                    return Poll::Pending;
                };
                let expired = std::task::ready!(progress.deadline.poll_expired(context));
                trace::ended(&progress.span, Code::DeadlineExceeded);
                self.progress = None;
                Poll::Ready(Some(Err(expired)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            trace::ended(&progress.span, Code::Cancelled);
        }
    }
}
