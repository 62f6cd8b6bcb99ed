//! The accept loop, the limits of a connection, and how connections end.

use std::{future::Future, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Stack;

/// Connections at once; more are closed at once.
const MOST_CONNECTIONS: usize = 4096;
/// Calls at once on one connection.
const MOST_STREAMS: u32 = 1024;
/// Bytes of all headers of a request together.
const MOST_HEADER_BYTES: u32 = 32 * 1024;
/// A silent peer is asked after this time, and given up after the second.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(20));
/// Time for the head of a plain HTTP request.
const HEADER_READ: Duration = Duration::from_secs(10);
/// Pause where the system gives no more connections, for example without file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves connections until `stop`, then finishes what is in flight within `grace`.
pub(super) async fn run(
    listener: TcpListener,
    stack: Stack,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let connections = TaskTracker::new();
    let finish = CancellationToken::new();
    let abandon = CancellationToken::new();
    let builder = builder();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(_) if connections.len() >= MOST_CONNECTIONS => {
                tracing::warn!(most = MOST_CONNECTIONS, "too many connections: one refused");
            }
            Ok((stream, peer)) => {
                // Answers are small: waiting for more to send only adds latency.
                let _ = stream.set_nodelay(true);
                connections.spawn(serve(
                    stream,
                    builder.clone(),
                    stack.from(peer.ip()),
                    finish.clone(),
                    abandon.clone(),
                ));
            }
            Err(cause) => {
                tracing::warn!(%cause, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // New connections are refused from here on, instead of waiting for nobody.
    drop(listener);
    finish.cancel();
    connections.close();
    if timeout(grace, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            ?grace,
            "calls still in flight are dropped"
        );
        abandon.cancel();
        connections.wait().await;
    }
}

async fn serve(
    stream: TcpStream,
    builder: Builder<TokioExecutor>,
    stack: Stack,
    finish: CancellationToken,
    abandon: CancellationToken,
) {
    let connection = builder.serve_connection(TokioIo::new(stream), stack);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = finish.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match abandon.run_until_cancelled(connection).await {
                Some(ended) => ended,
                None => return,
            }
        }
    };
    if let Err(cause) = ended {
        tracing::debug!(%cause, "connection ended");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1)
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(MOST_HEADER_BYTES)
        // When a gateway loses its clients, it cancels all their calls at once. h2 takes more than
        // 20 of that for an attack and closes the connection with all other calls on it.
        .max_pending_accept_reset_streams(2 * MOST_STREAMS as usize)
        // h2 counts these over the whole life of a connection.
        .max_local_error_reset_streams(1 << 20);
    builder
}
