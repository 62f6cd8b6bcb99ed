//! Scripted replicas, each on a thread of its own, so that one can be killed like a process.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use contracts::search::v1::{
    Departure, Flight, GetFlightRequest, ListAirportsRequest, ListAirportsResponse, SEARCH_SERVICE,
    SearchItinerariesRequest, SearchItinerariesResponse, StreamDeparturesRequest,
    WatchFlightRequest,
    search_service_client::SearchServiceClient,
    search_service_server::{SearchService, SearchServiceServer},
};
use mesh::{
    client::{Channel, Config, Endpoints},
    server::{self, Server},
};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    time::sleep,
};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

/// What a replica does with each call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    /// Time before it answers.
    pub(crate) delay: Duration,
    /// What it answers instead of the flight.
    pub(crate) code: Option<Code>,
    /// Time between "not ready" and the end of accepting.
    pub(crate) drain_wait: Duration,
}

/// A running replica.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ready: watch::Sender<bool>,
    calls: Arc<AtomicUsize>,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Replica {
    pub(crate) fn start(script: Script) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script)
    }

    pub(crate) fn start_at(address: SocketAddr, script: Script) -> Self {
        Self::start_traced(address, script, tracing::Dispatch::none())
    }

    /// A replica whose thread has this dispatcher.
    pub(crate) fn start_traced(
        address: SocketAddr,
        script: Script,
        dispatch: tracing::Dispatch,
    ) -> Self {
        let (shutdown, calls) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let (ready, is_ready) = watch::channel(true);
        let (kill, killed) = oneshot::channel();
        let (bound, address_bound) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let (shutdown, calls) = (shutdown.clone(), calls.clone());
            move || {
                let _default = tracing::dispatcher::set_default(&dispatch);
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async move {
                    let listener = TcpListener::bind(address).await.unwrap();
                    bound.send(listener.local_addr().unwrap()).unwrap();
                    let drain_wait = script.drain_wait;
                    let service = SearchServiceServer::new(Scripted { script, calls });
                    let server = Server::new(server::Config {
                        drain_wait,
                        ..server::Config::new("search")
                    })
                    .add(service, &SEARCH_SERVICE)
                    .ready_when(is_ready);
                    tokio::select! {
                        ended = server.serve(listener, shutdown) => ended.unwrap(),
                        // Dropping the runtime drops every socket, as the kernel does with a dead process.
                        _ = killed => {}
                    }
                });
            }
        });
        let address = address_bound.recv().unwrap();
        Self {
            address,
            shutdown,
            ready,
            calls,
            kill: Some(kill),
            thread: Some(thread),
        }
    }

    /// Ends it without a word to its peers.
    pub(crate) fn kill(&mut self) {
        if let Some(kill) = self.kill.take() {
            let _ = kill.send(());
        }
        self.join();
    }

    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Calls that it began to answer.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A loopback address on which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

pub(crate) fn channel(addresses: &[SocketAddr]) -> Channel {
    channel_to(&SEARCH_SERVICE, addresses)
}

pub(crate) fn channel_to(
    service: &'static contracts::rt::route::Service,
    addresses: &[SocketAddr],
) -> Channel {
    let authorities = addresses
        .iter()
        .map(|address| address.to_string().parse().unwrap())
        .collect();
    Channel::connect(service, Config::new(Endpoints::Static(authorities)))
}

pub(crate) type Client = SearchServiceClient<Channel>;

pub(crate) fn client(addresses: &[SocketAddr]) -> Client {
    SearchServiceClient::new(channel(addresses))
}

pub(crate) fn flight(id: &str) -> GetFlightRequest {
    GetFlightRequest {
        flight_id: id.to_owned(),
    }
}

/// Makes `count` calls by `callers` at once and gives the errors.
pub(crate) async fn calls(client: &Client, callers: usize, count: usize) -> Vec<Status> {
    let left = Arc::new(AtomicUsize::new(count));
    let tasks = (0..callers).map(|_| {
        let (mut client, left) = (client.clone(), left.clone());
        tokio::spawn(async move {
            let mut errors = Vec::new();
            while left
                .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
                .is_ok()
            {
                errors.extend(client.get_flight(flight("AA1")).await.err());
            }
            errors
        })
    });
    let mut errors = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        errors.extend(task.await.unwrap());
    }
    errors
}

/// Waits for a condition, at most ten seconds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

struct Scripted {
    script: Script,
    calls: Arc<AtomicUsize>,
}

type Stream_<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl SearchService for Scripted {
    type StreamDeparturesStream = Stream_<Departure>;
    type WatchFlightStream = Stream_<Flight>;

    async fn get_flight(
        &self,
        request: Request<GetFlightRequest>,
    ) -> Result<Response<Flight>, Status> {
        self.calls.fetch_add(1, Relaxed);
        let flight_id = request.into_inner().flight_id;
        match flight_id.as_str() {
            "NEVER" => std::future::pending().await,
            "PANIC" => panic!("scripted"),
            _ => sleep(self.script.delay).await,
        }
        match self.script.code {
            Some(code) => Err(Status::new(code, "scripted")),
            None => Ok(Response::new(Flight {
                flight_id,
                ..Flight::default()
            })),
        }
    }

    /// One flight at once, then nothing until the call ends.
    async fn watch_flight(
        &self,
        request: Request<WatchFlightRequest>,
    ) -> Result<Response<Self::WatchFlightStream>, Status> {
        self.calls.fetch_add(1, Relaxed);
        let first = Flight {
            flight_id: request.into_inner().flight_id,
            ..Flight::default()
        };
        let stream =
            tokio_stream::StreamExt::chain(tokio_stream::once(Ok(first)), tokio_stream::pending());
        Ok(Response::new(Box::pin(stream)))
    }

    async fn stream_departures(
        &self,
        _: Request<StreamDeparturesRequest>,
    ) -> Result<Response<Self::StreamDeparturesStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::iter(
            (0..500).map(|_| Ok(Departure::default())),
        ))))
    }

    async fn list_airports(
        &self,
        _: Request<ListAirportsRequest>,
    ) -> Result<Response<ListAirportsResponse>, Status> {
        Ok(Response::new(ListAirportsResponse::default()))
    }

    async fn search_itineraries(
        &self,
        _: Request<SearchItinerariesRequest>,
    ) -> Result<Response<SearchItinerariesResponse>, Status> {
        Ok(Response::new(SearchItinerariesResponse::default()))
    }
}
