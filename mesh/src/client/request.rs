//! A request body that can be sent twice.
//!
//! When a connection breaks, the call is moved to another endpoint, and needs its body again. A
//! unary request is one small message that is there at once, so it is kept; anything longer or
//! slower is passed through and cannot be resent (the limit is linkerd's).

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tonic::Status;

/// The most that is kept for sending again, in bytes.
const MOST_KEPT: usize = 64 * 1024;

/// A request body on its way to an endpoint.
#[derive(Debug)]
pub(super) enum RequestBody {
    /// All of it; none once it is sent.
    Kept(Option<Bytes>),
    /// What has been read, and where the rest comes from.
    Passing(VecDeque<Bytes>, tonic::body::Body),
}

impl RequestBody {
    /// Reads what is there without waiting.
    pub(super) fn read(mut body: tonic::body::Body) -> Result<Self, Status> {
        let mut chunks = VecDeque::new();
        let mut length = 0;
        while !body.is_end_stream() {
            match body.frame().now_or_never() {
                Some(None) => break,
                Some(Some(frame)) => {
                    // gRPC requests have no trailers, so only data counts.
                    if let Ok(data) = frame?.into_data() {
                        length += data.len();
                        chunks.push_back(data);
                    }
                }
                None => return Ok(Self::Passing(chunks, body)),
            }
            if length > MOST_KEPT {
                return Ok(Self::Passing(chunks, body));
            }
        }
        Ok(match chunks.len() {
            0 => Self::Kept(None),
            1 => Self::Kept(chunks.pop_front()),
            _ => Self::Kept(Some(Vec::from(chunks).concat().into())),
        })
    }

    /// A second one, where all of it is kept.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Kept(bytes) => Some(Self::Kept(bytes.clone())),
            Self::Passing(..) => None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.get_mut() {
            Self::Kept(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passing(chunks, rest) => match chunks.pop_front() {
                Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
                None => Pin::new(rest).poll_frame(context),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Kept(bytes) => bytes.is_none(),
            Self::Passing(chunks, rest) => chunks.is_empty() && rest.is_end_stream(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::StreamBody;

    use super::*;

    fn body(chunks: &[usize], then_wait: bool) -> tonic::body::Body {
        let frames = stream::iter(chunks.to_vec())
            .map(|size| Ok::<_, Status>(Frame::data(Bytes::from(vec![1; size]))));
        if then_wait {
            tonic::body::Body::new(StreamBody::new(frames.chain(stream::pending())))
        } else {
            tonic::body::Body::new(StreamBody::new(frames))
        }
    }

    #[test]
    fn what_is_small_and_complete_can_be_sent_again() {
        for (chunks, then_wait, kept) in [
            (&[][..], false, Some(0)),
            (&[10], false, Some(10)),
            (&[10, 20], false, Some(30)),
            (&[MOST_KEPT], false, Some(MOST_KEPT)),
            (&[MOST_KEPT, 1], false, None),
            (&[10], true, None),
        ] {
            let read = RequestBody::read(body(chunks, then_wait)).unwrap();
            let again = read.again().map(|again| {
                again
                    .collect()
                    .now_or_never()
                    .unwrap()
                    .unwrap()
                    .to_bytes()
                    .len()
            });
            assert_eq!(again, kept, "{chunks:?} {then_wait}");
        }
    }

    #[test]
    fn what_was_read_early_is_not_lost() {
        let read = RequestBody::read(body(&[MOST_KEPT, 1, 2], false)).unwrap();
        let bytes = read.collect().now_or_never().unwrap().unwrap().to_bytes();
        assert_eq!(bytes.len(), MOST_KEPT + 3);
    }
}
