//! Messages of a gRPC answer: five bytes of prefix and the message, in frames that keep to no
//! boundary, and the verdict in the trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use tonic::{Code, Status};

const PREFIX: usize = 5;

/// Reads the messages of one answer.
pub(crate) struct Messages<B> {
    body: B,
    /// What arrived and was not taken; messages that lie in it whole are not copied.
    chunk: Bytes,
    /// A message that arrives in several chunks.
    partial: BytesMut,
    max: usize,
    ended: bool,
}

impl<B> Messages<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Reads messages of at most `max` bytes. The head of the answer may already be a failure.
    pub(crate) fn open<A>(
        answer: Response<A>,
        max: usize,
        pin: impl FnOnce(A) -> B,
    ) -> Result<Self, Status> {
        if answer.status() != StatusCode::OK {
            return Err(not_grpc(answer.status()));
        }
        let ended = answer.headers().contains_key("grpc-status");
        if ended {
            verdict(answer.headers())?;
        }
        Ok(Self {
            body: pin(answer.into_body()),
            chunk: Bytes::new(),
            partial: BytesMut::new(),
            max,
            ended,
        })
    }

    /// The next message; none once the call has ended well.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            match self.take() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                Ok(None) if self.ended => return Poll::Ready(None),
                Ok(None) => {}
                Err(status) => return self.fail(status),
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return self.fail(Status::unavailable("the answer broke off")),
                Some(Err(error)) => return self.fail(Status::from_error(error.into())),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.chunk = data,
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        if let Err(status) = verdict(&trailers) {
                            return self.fail(status);
                        }
                        if !self.partial.is_empty() {
                            return self.fail(Status::internal("the answer ends within a message"));
                        }
                        self.ended = true;
                    }
                },
            }
        }
    }

    /// The next message; none once the call has ended well.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn fail(&mut self, status: Status) -> Poll<Option<Result<Bytes, Status>>> {
        self.ended = true;
        self.chunk.clear();
        self.partial.clear();
        Poll::Ready(Some(Err(status)))
    }

    /// Takes a message that has arrived whole.
    fn take(&mut self) -> Result<Option<Bytes>, Status> {
        if self.partial.is_empty() && self.chunk.len() >= PREFIX {
            let whole = PREFIX + self.length(&self.chunk)?;
            if self.chunk.len() >= whole {
                let mut message = self.chunk.split_to(whole);
                message.advance(PREFIX);
                return Ok(Some(message));
            }
            self.partial.reserve(whole);
        }
        while !self.chunk.is_empty() {
            let whole = if self.partial.len() < PREFIX {
                PREFIX
            } else {
                PREFIX + self.length(&self.partial)?
            };
            let missing = whole - self.partial.len();
            if missing == 0 {
                break;
            }
            let piece = self.chunk.split_to(missing.min(self.chunk.len()));
            self.partial.extend_from_slice(&piece);
        }
        if self.partial.len() < PREFIX
            || self.partial.len() < PREFIX + self.length(&self.partial)?
        {
            return Ok(None);
        }
        let mut message = self.partial.split().freeze();
        message.advance(PREFIX);
        Ok(Some(message))
    }

    /// The length that the prefix announces.
    fn length(&self, prefix: &[u8]) -> Result<usize, Status> {
        let [compressed, a, b, c, d, ..] = *prefix else {
            return Ok(0);
        };
        if compressed != 0 {
            return Err(Status::internal(
                "the answer is compressed, which was not asked for",
            ));
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > self.max {
            let max = self.max;
            return Err(Status::internal(format!(
                "a message of {length} bytes exceeds {max}"
            )));
        }
        Ok(length)
    }
}

/// What the trailers say. An answer without `grpc-status` was cut off by something in between.
fn verdict(trailers: &HeaderMap) -> Result<(), Status> {
    match trailers.get("grpc-status") {
        Some(status) if status == "0" => Ok(()),
        Some(_) => Err(Status::from_header_map(trailers)
            .unwrap_or_else(|| Status::unknown("the answer's status cannot be read"))),
        None => Err(Status::internal("the answer has no status")),
    }
}

/// An answer that no gRPC server gave, by gRPC's own table (`http-grpc-status-mapping.md`).
fn not_grpc(status: StatusCode) -> Status {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(
        code,
        format!("the service answered with HTTP status {status}"),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use http_body::Frame;

    use super::*;

    /// Frames that arrive one by one.
    struct Frames(VecDeque<Frame<Bytes>>);

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    fn trailers(status: &'static str, message: &'static str) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", status.parse().unwrap());
        trailers.insert("grpc-message", message.parse().unwrap());
        trailers
    }

    async fn read(chunks: &[&[u8]], end: Option<HeaderMap>) -> (Vec<Bytes>, Option<Status>) {
        let data = chunks
            .iter()
            .map(|chunk| Frame::data(Bytes::copy_from_slice(chunk)));
        let frames = Frames(data.chain(end.map(Frame::trailers)).collect());
        let mut messages = Messages::open(Response::new(frames), 1000, |body| body).unwrap();
        let mut read = Vec::new();
        while let Some(message) = messages.next().await {
            match message {
                Ok(message) => read.push(message),
                Err(status) => return (read, Some(status)),
            }
        }
        (read, None)
    }

    #[tokio::test]
    async fn messages_are_found_however_they_are_cut() {
        let wire = b"\0\0\0\0\x03abc\0\0\0\0\0\0\0\0\0\x02de";
        for size in 1..=wire.len() {
            let chunks: Vec<&[u8]> = wire.chunks(size).collect();
            let (messages, status) = read(&chunks, Some(trailers("0", ""))).await;
            assert_eq!(messages, ["abc", "", "de"], "in chunks of {size}");
            assert!(status.is_none());
        }
    }

    /// Chunks, trailers, and the failure that they are.
    type Case<'a> = (&'a [&'a [u8]], Option<HeaderMap>, Code, &'a str);

    #[tokio::test]
    async fn a_failure_ends_the_answer() {
        let abc: &[u8] = b"\0\0\0\0\x03abc";
        let cases: [Case<'_>; 6] = [
            (
                &[abc],
                Some(trailers("5", "no%20such")),
                Code::NotFound,
                "no such",
            ),
            (&[abc], None, Code::Unavailable, "the answer broke off"),
            (
                &[abc, b"\0\0"],
                Some(trailers("0", "")),
                Code::Internal,
                "the answer ends within a message",
            ),
            (
                &[abc],
                Some(HeaderMap::new()),
                Code::Internal,
                "the answer has no status",
            ),
            (
                &[abc, b"\x01\0\0\0\0"],
                None,
                Code::Internal,
                "the answer is compressed, which was not asked for",
            ),
            (
                &[abc, b"\0\0\x01\0\0"],
                None,
                Code::Internal,
                "a message of 65536 bytes exceeds 1000",
            ),
        ];
        for (chunks, end, code, message) in cases {
            let (messages, status) = read(chunks, end).await;
            let status = status.unwrap();
            assert_eq!(messages, ["abc"]);
            assert_eq!((status.code(), status.message()), (code, message));
        }
    }

    #[test]
    fn the_head_may_be_the_whole_answer() {
        let open = |mut answer: Response<Frames>, headers: HeaderMap| {
            *answer.headers_mut() = headers;
            Messages::open(answer, 1, |body| body).map(|messages| messages.ended)
        };
        let answer = || Response::new(Frames(VecDeque::new()));
        assert!(open(answer(), trailers("0", "")).unwrap());
        assert_eq!(
            open(answer(), trailers("14", "x")).unwrap_err().code(),
            Code::Unavailable
        );
        let mut proxy = answer();
        *proxy.status_mut() = StatusCode::BAD_GATEWAY;
        assert_eq!(
            open(proxy, HeaderMap::new()).unwrap_err().code(),
            Code::Unavailable
        );
    }
}
