//! One HTTP/2 connection to a replica, without a task or a queue per call.
//!
//! A general client spawns a task for each call. Here the caller's own task writes the request
//! into the connection's buffer and is woken by the answer, which saves two wake-ups per call.

use std::{
    error::Error,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use h2::{
    Ping, PingPong, Reason, RecvStream, SendStream,
    client::{Builder, Connection, SendRequest},
};
use http::{Request, Response, uri::Authority};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use super::request::RequestBody;

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(1);
/// A peer is asked whether it is still there after this time, and given up when it does not
/// answer within the second.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5));
/// Calls at once on one connection; servers allow as many streams.
pub(super) const MOST_PENDING: u32 = 1024;
/// Cancelled calls whose late frames are still recognised: as many as can be open.
const RESET_STREAMS: usize = 2 * MOST_PENDING as usize;
/// Calls at once before the peer has said how many it takes; hyper's and Go's default too.
const FIRST_STREAMS: usize = 100;
/// Bytes that a peer may send of one answer, and of all, before they are read: large answers
/// arrive without a pause even from far away.
const WINDOWS: (u32, u32) = (1 << 20, 4 << 20);
/// The largest head of an answer, in bytes.
const MOST_HEADERS: u32 = 16 * 1024;

/// Sends calls on a connection. Once all are gone, the connection ends with its last call.
#[derive(Clone, Debug)]
pub(super) struct Sender(SendRequest<Bytes>);

/// What keeps a connection going; its output is why it ended.
pub(super) type Link = Pin<Box<dyn Future<Output = String> + Send>>;

/// Why a call got no answer.
#[derive(Debug)]
pub(super) enum SendError {
    /// It never left: here it is again.
    Unsent(Box<Request<RequestBody>>),
    /// It left, and the peer says that it has not looked at it.
    Refused(String),
    /// The connection broke; nobody knows whether the peer has acted on it.
    Broken(String),
    /// The request's own body failed.
    Body(Status),
}

/// Connects to a replica.
pub(super) async fn connect(authority: &Authority) -> Result<(Sender, Link), String> {
    let connecting = async {
        let stream = TcpStream::connect(authority.as_str())
            .await
            .map_err(|cause| describe(&cause))?;
        // Calls are small and answered at once: waiting for more to send only adds latency.
        stream.set_nodelay(true).map_err(|cause| describe(&cause))?;
        begin(stream).await.map_err(|cause| describe(&cause))
    };
    timeout(CONNECT, connecting)
        .await
        .unwrap_or_else(|_| Err(format!("no connection within {CONNECT:?}")))
}

async fn begin<T>(stream: T) -> Result<(Sender, Link), h2::Error>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(FIRST_STREAMS)
        .initial_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .max_header_list_size(MOST_HEADERS)
        .max_concurrent_reset_streams(RESET_STREAMS)
        // h2 counts these over the whole life of a connection and then closes it.
        .max_local_error_reset_streams(None);
    let (sender, connection) = builder.handshake(stream).await?;
    Ok((Sender(sender), Box::pin(drive(connection))))
}

async fn drive<T>(mut connection: Connection<T, Bytes>) -> String
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let pings = connection.ping_pong();
    tokio::select! {
        // First, so that what has arrived counts before a timer that was late.
        biased;
        ended = connection => match ended {
            Ok(()) => "connection closed".to_owned(),
            Err(cause) => describe(&cause),
        },
        () = keep_alive(pings) => format!("no sign of life within {:?}", KEEP_ALIVE.1),
    }
}

/// Ends when the peer does not answer.
async fn keep_alive(pings: Option<PingPong>) {
    // A connection hands them out once, which is here.
    let Some(mut pings) = pings else { return };
    loop {
        sleep(KEEP_ALIVE.0).await;
        let answered = timeout(KEEP_ALIVE.1, pings.ping(Ping::opaque())).await;
        if !matches!(answered, Ok(Ok(_))) {
            return;
        }
    }
}

impl Sender {
    /// Whether no call can be sent any more: the connection is lost, or the peer says goodbye.
    pub(super) fn is_closed(&mut self) -> bool {
        let ready = poll_fn(|context| self.0.poll_ready(context)).now_or_never();
        matches!(ready, Some(Err(_)))
    }

    /// Sends a call. Dropping the future cancels it. Where the peer has enough calls, it waits
    /// for its turn, which its deadline bounds.
    pub(super) async fn send(
        mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        if self.is_closed() {
            return Err(SendError::Unsent(Box::new(request)));
        }
        let (head, body) = request.into_parts();
        let is_empty = matches!(body, RequestBody::Kept(None));
        let (answer, mut stream) = self
            .0
            .send_request(Request::from_parts(head, ()), is_empty)
            .map_err(|cause| classify(&cause))?;
        // It would keep a connection open whose endpoint is gone.
        drop(self);
        let mut pump = None;
        match body {
            RequestBody::Kept(None) => {}
            RequestBody::Kept(Some(bytes)) => {
                // Small, so that the connection may buffer it until the peer lets it through.
                let sent = stream.send_data(bytes, true);
                sent.map_err(|cause| classify(&cause))?;
            }
            passing @ RequestBody::Passing(..) => {
                let pumping = tokio::spawn(pass_on(passing, stream));
                pump = Some(AbortOnDropHandle::new(pumping));
            }
        }
        match (answer.await, pump) {
            (Ok(answer), pump) => Ok(answer.map(|stream| Incoming {
                stream,
                ended: false,
                _pump: pump,
            })),
            (Err(cause), pump) => match pump.and_then(FutureExt::now_or_never) {
                Some(Ok(Err(status))) => Err(SendError::Body(status)),
                _ => Err(classify(&cause)),
            },
        }
    }
}

/// Sends a body as it comes, no faster than the peer lets it through.
async fn pass_on(mut body: RequestBody, mut stream: SendStream<Bytes>) -> Result<(), Status> {
    while let Some(frame) = body.frame().await {
        let frame = frame.inspect_err(|_| stream.send_reset(Reason::CANCEL))?;
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        while !data.is_empty() {
            stream.reserve_capacity(data.len());
            // Without capacity the call is over, which its answer tells better.
            let Some(Ok(granted)) = poll_fn(|context| stream.poll_capacity(context)).await else {
                return Ok(());
            };
            let piece = data.split_to(granted.min(data.len()));
            if !piece.is_empty() && stream.send_data(piece, false).is_err() {
                return Ok(());
            }
        }
    }
    let _ = stream.send_data(Bytes::new(), true);
    Ok(())
}

/// The body of an answer as it arrives. Dropping it early cancels the call.
#[derive(Debug)]
pub(super) struct Incoming {
    stream: RecvStream,
    ended: bool,
    /// Sends the rest of the request, for as long as somebody wants the answer.
    _pump: Option<AbortOnDropHandle<Result<(), Status>>>,
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.ended {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // It fails only for streams that are gone, which the next poll tells.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(cause)) => return Poll::Ready(Some(Err(cause))),
                None => self.ended = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(context));
        Poll::Ready(
            trailers
                .transpose()
                .map(|trailers| trailers.map(Frame::trailers)),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}

fn classify(cause: &h2::Error) -> SendError {
    // h2 gives a peer's GOAWAY only to streams that the peer says it never processed.
    let unprocessed = cause.is_go_away() && cause.is_remote();
    if unprocessed || cause.reason() == Some(Reason::REFUSED_STREAM) {
        SendError::Refused(describe(cause))
    } else {
        SendError::Broken(describe(cause))
    }
}

/// The innermost cause, which is the one that says something.
fn describe(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    // "Connection refused (os error 111)": the number helps nobody.
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{Full, StreamBody};
    use tokio::{io::duplex, task::JoinHandle};

    use super::*;

    type Server = h2::server::Connection<tokio::io::DuplexStream, Bytes>;

    fn request(body: tonic::body::Body) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::read(body).unwrap());
        *request.uri_mut() = "http://test/a".parse().unwrap();
        request
    }

    fn small() -> Request<RequestBody> {
        request(tonic::body::Body::new(Full::from("small")))
    }

    /// A connection to a server, of which the test plays the part.
    async fn connected() -> (Sender, JoinHandle<String>, Server) {
        let (near, far) = duplex(1 << 16);
        let (client, server) = tokio::join!(begin(near), h2::server::handshake(far));
        let (sender, link) = client.unwrap();
        (sender, tokio::spawn(link), server.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_given_up_and_its_calls_with_it() {
        let (near, _far) = duplex(1 << 16);
        let (sender, link) = begin(near).await.unwrap();
        let call = tokio::spawn(sender.clone().send(small()));
        assert_eq!(link.await, "no sign of life within 5s");
        let failed = call.await.unwrap().unwrap_err();
        assert!(matches!(failed, SendError::Broken(_)), "{failed:?}");
        let failed = sender.send(small()).await.unwrap_err();
        assert!(matches!(failed, SendError::Unsent(_)), "{failed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_peer_is_kept_while_it_answers_pings() {
        let (_sender, link, mut server) = connected().await;
        let serving = timeout(Duration::from_mins(10), server.accept()).await;
        assert!(serving.is_err() && !link.is_finished());
    }

    #[tokio::test]
    async fn bodies_longer_than_every_window_pass_both_ways() {
        const LENGTH: usize = 8 << 20;
        let (sender, _link, mut server) = connected().await;
        let serving = tokio::spawn(async move {
            let (mut request, mut respond) = server.accept().await.unwrap().unwrap();
            // The connection does its work while it waits for the next call.
            tokio::spawn(async move { while server.accept().await.is_some() {} });
            let mut body = respond
                .send_response(http::Response::new(()), false)
                .unwrap();
            let mut length = 0;
            while let Some(data) = request.body_mut().data().await {
                let data = data.unwrap();
                length += data.len();
                request
                    .body_mut()
                    .flow_control()
                    .release_capacity(data.len())
                    .unwrap();
                body.send_data(data, false).unwrap();
            }
            body.send_trailers(http::HeaderMap::new()).unwrap();
            length
        });
        let pieces =
            (0..LENGTH >> 16).map(|_| Ok::<_, Status>(Frame::data(vec![7; 1 << 16].into())));
        let body = tonic::body::Body::new(StreamBody::new(stream::iter(pieces)));
        let answer = sender.send(request(body)).await.unwrap();
        let answer = answer.into_body().collect().await.unwrap();
        assert!(answer.trailers().is_some());
        assert_eq!(
            (answer.to_bytes().len(), serving.await.unwrap()),
            (LENGTH, LENGTH)
        );
    }

    #[tokio::test]
    async fn whoever_lets_go_cancels_the_call() {
        let (sender, _link, mut server) = connected().await;
        // Before the head of the answer, and after it while the request is still being sent.
        let early = tokio::spawn(sender.clone().send(small()));
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        early.abort();
        let endless =
            tonic::body::Body::new(StreamBody::new(stream::pending::<Result<_, Status>>()));
        let late = tokio::spawn(sender.send(request(endless)));
        let (_, mut other) = server.accept().await.unwrap().unwrap();
        tokio::spawn(async move { while server.accept().await.is_some() {} });
        let reset = poll_fn(|context| respond.poll_reset(context)).await;
        assert_eq!(reset.unwrap(), Reason::CANCEL);
        let mut body = other.send_response(http::Response::new(()), false).unwrap();
        drop(late.await.unwrap().unwrap());
        let reset = poll_fn(|context| body.poll_reset(context)).await;
        assert_eq!(reset.unwrap(), Reason::CANCEL);
    }

    #[tokio::test]
    async fn a_peer_that_says_goodbye_gets_no_more_calls_and_finishes_those_it_has() {
        let (mut sender, link, mut server) = connected().await;
        let call = tokio::spawn(sender.clone().send(small()));
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        server.graceful_shutdown();
        tokio::spawn(async move { while server.accept().await.is_some() {} });
        while !sender.is_closed() {
            tokio::task::yield_now().await;
        }
        let failed = sender.clone().send(small()).await.unwrap_err();
        assert!(matches!(failed, SendError::Unsent(_)), "{failed:?}");
        respond
            .send_response(http::Response::new(()), true)
            .unwrap();
        assert!(call.await.unwrap().is_ok());
        drop(sender);
        assert_eq!(link.await.unwrap(), "connection closed");
    }
}
