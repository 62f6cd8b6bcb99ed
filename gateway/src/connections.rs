//! Connections: accepting them, bounding them, and letting them finish.
//!
//! HTTP/1.1 and HTTP/2 without TLS share the port. Hyper bounds a request's head in size; time is
//! bounded here, by one timer per connection instead of one per request: a connection without a
//! running request is closed when it has been so for too long, which covers slow heads as well.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::ServeError;
use crate::app::App;
use crate::config::Limits;
use crate::stack::Stack;

/// Headers of a request; more are answered with 431.
const MAX_HEADERS: usize = 100;
/// Bytes of a request's head; more are answered with 431.
const MAX_HEAD: usize = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// How often a quiet HTTP/2 connection is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);

/// Who is at the other end of a connection, and whether anything is going on.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    opened: Instant,
    running: AtomicUsize,
    /// When the last request ended, in milliseconds since `opened`; 0 before the first one.
    quiet_since: AtomicU64,
}

/// A request that is running on a connection.
pub(crate) struct Running(Arc<Client>);

impl Client {
    fn new(address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            address,
            opened: Instant::now(),
            running: AtomicUsize::new(0),
            quiet_since: AtomicU64::new(0),
        })
    }

    pub(crate) fn start(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(self.clone())
    }

    /// Waits until nothing has been going on for longer than the limits allow.
    async fn idle(&self, limits: &Limits) {
        loop {
            let quiet_since = self.quiet_since.load(Ordering::Relaxed);
            let running = self.running.load(Ordering::Relaxed) > 0;
            let now = Instant::now();
            let end = match (running, quiet_since) {
                (true, _) => now + limits.idle,
                (false, 0) => self.opened + limits.head,
                (false, quiet_since) => {
                    self.opened + Duration::from_millis(quiet_since) + limits.idle
                }
            };
            if end <= now {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let since = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.quiet_since.store(since.max(1), Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Accepts connections on `listener` until `shutdown`, then lets them finish.
pub(crate) async fn serve(
    app: &Arc<App>,
    stack: Stack,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let config = &app.config;
    let http = Arc::new(http(TokioExecutor::new()));
    let slots = Arc::new(Semaphore::new(config.limits.connections));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(async {
        shutdown.cancelled().await;
        app.drain();
        tokio::time::sleep(config.drain_wait).await;
    });
    loop {
        let (stream, address, slot) = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = &mut stop => break,
        };
        let connection = Connection {
            http: http.clone(),
            stack: stack.clone(),
            client: Client::new(address),
            limits: config.limits.clone(),
            watcher: graceful.watcher(),
            slot,
        };
        tokio::spawn(connection.run(stream));
    }
    drop(listener);
    let connections = slots_taken(&slots, config.limits.connections);
    tokio::time::timeout(config.grace, graceful.shutdown())
        .await
        .map_err(|_| ServeError::Grace {
            connections: slots_taken(&slots, config.limits.connections).min(connections),
            grace: config.grace,
        })
}

fn slots_taken(slots: &Semaphore, all: usize) -> usize {
    all - slots.available_permits()
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let slot = slots.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Without it, small answers wait for the client's acknowledgement.
                let _ = stream.set_nodelay(true);
                return (stream, address, slot);
            }
            Err(error) => {
                // Out of file descriptors, as a rule: some will be closed.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn http(executor: TokioExecutor) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(executor);
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    http
}

struct Connection {
    http: Arc<auto::Builder<TokioExecutor>>,
    stack: Stack,
    client: Arc<Client>,
    limits: Limits,
    watcher: Watcher,
    slot: Option<OwnedSemaphorePermit>,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        let client = self.client.clone();
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(client.clone());
            self.stack.clone().call(request)
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            // What goes wrong here is the client's doing: it left, or did not speak HTTP.
            result = self.watcher.watch(connection) => if let Err(error) = result {
                tracing::debug!(error, client = %self.client.address, "a connection broke off");
            },
            () = self.client.idle(&self.limits) => {}
        }
        drop(self.slot);
    }
}
