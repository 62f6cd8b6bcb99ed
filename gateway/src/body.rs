//! Bodies: the one type that every answer has, and reading a request's within its bounds.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use mesh::status::{Fault, Kind};

use crate::transcode::Failure;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Stream = dyn http_body::Body<Data = Bytes, Error = Error> + Send;

/// The body of an answer: usually complete, so that only streams pay for indirection.
pub(crate) struct Body(Inner);

enum Inner {
    Whole(Bytes),
    Stream(Pin<Box<Stream>>),
}

impl Body {
    /// A body that is sent piece by piece. An error breaks the connection off: what goes wrong
    /// upstream is told in the text instead.
    pub(crate) fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        Self(Inner::Stream(Box::pin(body.map_err(Into::into))))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self(Inner::Whole(Bytes::new()))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(Inner::Whole(bytes.into()))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.get_mut().0 {
            Inner::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Inner::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Inner::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(bytes) => bytes.is_empty(),
            Inner::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Stream(stream) => stream.size_hint(),
        }
    }
}

/// Reads a request's body of at most `limit` bytes within `time`.
pub(crate) async fn read<B>(body: B, limit: usize, time: Duration) -> Result<Bytes, Failure>
where
    B: http_body::Body<Data = Bytes>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    tokio::time::timeout(time, collect(body, limit))
        .await
        .unwrap_or_else(|_| {
            let message = format!("the body did not arrive within {time:?}");
            Err(Failure::new(
                StatusCode::REQUEST_TIMEOUT,
                Fault::new(Kind::DeadlineExceeded, "BODY_TIMEOUT", message),
            ))
        })
}

async fn collect<B>(body: B, limit: usize) -> Result<Bytes, Failure>
where
    B: http_body::Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let message = "the body broke off";
            Failure::new(
                StatusCode::BAD_REQUEST,
                Fault::new(Kind::InvalidArgument, "BODY_INCOMPLETE", message),
            )
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if whole.len() + pieces.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        // A body usually arrives in one piece, which is then used as it is.
        if whole.is_empty() && pieces.is_empty() {
            whole = data;
        } else {
            pieces.extend_from_slice(&std::mem::take(&mut whole));
            pieces.extend_from_slice(&data);
        }
    }
    Ok(if pieces.is_empty() {
        whole
    } else {
        pieces.freeze()
    })
}

fn too_large(limit: usize) -> Failure {
    let message = format!("the body is larger than {limit} bytes");
    Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        Fault::new(Kind::InvalidArgument, "BODY_TOO_LARGE", message),
    )
}
