//! The answer as it leaves: measured until its last byte, and ended at the deadline.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};
use tracing::Span;

use super::{metrics::Measured, trace};
use crate::{deadline::Deadline, status::code_in};

/// The body of an answer.
#[derive(Debug)]
pub(super) struct AnswerBody {
    inner: tonic::body::Body,
    /// None once the call has ended, and for what is no call.
    progress: Option<Progress>,
}

/// A call that is not finished.
#[derive(Debug)]
pub(super) struct Progress {
    // None only while the whole is dropped.
    measured: Option<Measured>,
    deadline: Deadline,
    span: Span,
}

impl Progress {
    pub(super) fn new(measured: Measured, deadline: Deadline, span: Span) -> Self {
        Self {
            measured: Some(measured),
            deadline,
            span,
        }
    }

    pub(super) fn deadline(&mut self) -> &mut Deadline {
        &mut self.deadline
    }

    fn end(&mut self, code: Code) {
        if let Some(measured) = self.measured.take() {
            let method = measured.method();
            let seconds = measured.ended(code);
            trace::ended(&self.span, method, code, seconds);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // Whoever lets go of an unfinished call has cancelled it.
        self.end(Code::Cancelled);
    }
}

impl AnswerBody {
    /// A body that is not watched.
    pub(super) const fn plain(inner: tonic::body::Body) -> Self {
        Self {
            inner,
            progress: None,
        }
    }

    /// Takes over a call whose answer has begun.
    pub(super) fn begin(
        response: Response<tonic::body::Body>,
        mut progress: Progress,
    ) -> Response<Self> {
        // "Trailers-Only": the status is in the head.
        let progress = match code_in(response.headers()) {
            Some(code) => {
                progress.end(code);
                None
            }
            None => Some(progress),
        };
        response.map(|inner| Self { inner, progress })
    }

    fn finish(&mut self, code: Code) {
        if let Some(mut progress) = self.progress.take() {
            progress.end(code);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.finish(code_in(trailers).unwrap_or(Code::Unknown));
                }
            }
            Poll::Ready(Some(Err(status))) => self.finish(status.code()),
            Poll::Ready(None) => self.finish(Code::Unknown),
            Poll::Pending => {
                let Some(progress) = &mut self.progress else {
                    return Poll::Pending;
                };
                let expired = std::task::ready!(progress.deadline.poll_expired(context));
                self.finish(Code::DeadlineExceeded);
                // What the service was still going to say is dropped with it.
                self.inner = tonic::body::Body::empty();
                let mut trailers = HeaderMap::new();
                return Poll::Ready(Some(
                    expired
                        .add_header(&mut trailers)
                        .map(|()| Frame::trailers(trailers)),
                ));
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream() && self.progress.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
