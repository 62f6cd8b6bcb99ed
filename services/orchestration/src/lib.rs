//! Orchestration: books trips over search and booking, whole or not at all.
//!
//! Whatever dies at whatever instant, a trip ends booked with all its flights or with none; and a
//! client that asks again with the same key gets the same trip. How is told in [`saga`].

mod clients;
pub mod config;
pub mod domain;
mod grpc;
mod jobs;
mod relay;
pub mod saga;
pub mod store;

use std::{sync::Arc, time::Duration};

use contracts::{
    booking::v1::BOOKING_SERVICE,
    mail::v1::MAIL_SERVICE,
    operations::v1::{
        AUDIT_SERVICE, CRON_SERVICE, audit_service_server::AuditServiceServer,
        cron_service_server::CronServiceServer,
    },
    orchestration::v1::{TRIP_SERVICE, trip_service_server::TripServiceServer},
    rt::route::Service,
    search::v1::SEARCH_SERVICE,
};
use durable::{
    DataDirError, OpenError,
    cron::{Cron, ScheduleError},
    make_data_dir,
};
use mesh::{
    client::{Channel, Endpoints},
    clock::milliseconds,
    cron,
    key_file::{KeyFileError, load_or_create},
    server::Server,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::config::Config;
use self::{
    clients::{BookingSeats, MailClient, SearchFlights},
    grpc::{Audit, Grpc, State},
    saga::{Edges, Trips},
    store::Store,
};

/// Variable that names the database, for messages.
const DATABASE_VARIABLE: &str = "SKYWAY_ORCHESTRATION_DATABASE_URL";
/// How long sagas may take to come to a wait once the server has stopped; their leases run out otherwise.
const LAST_STEPS: Duration = Duration::from_secs(5);

/// Why a replica could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The directory for its state cannot be made.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The key for offers cannot be had.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// A job cannot be planned.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] mesh::server::ServeError),
}

/// Serves trips until `shutdown`, then drains. Trips that are not done by then are left to other replicas.
///
/// # Errors
/// Where the database or the key cannot be opened, or the server cannot start.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    make_data_dir(&config.data_dir)?;
    let key = match &config.offer_key {
        Some(key) => key.clone(),
        None => load_or_create(&config.data_dir.join("offer.key"))?,
    };
    let options = durable::Options {
        url: config.database_url(),
        variable: DATABASE_VARIABLE,
        max_connections: config.max_connections,
    };
    let store = Store::open(&options).await?;
    let trips = Trips::new(
        store.clone(),
        BookingSeats::new(channel(&config, &BOOKING_SERVICE, &config.booking)),
        config.saga.clone(),
        edges(),
        shutdown.clone(),
    );
    let mail = config.mail.as_ref();
    let mail = mail.map(|mail| MailClient::new(channel(&config, &MAIL_SERVICE, mail)));
    let state = Arc::new(State {
        trips: trips.clone(),
        store: store.clone(),
        mail: mail.clone(),
        flights: SearchFlights::new(channel(&config, &SEARCH_SERVICE, &config.search)),
        key,
    });
    let cron = Cron::new(
        state.store.db.clone(),
        "orchestration",
        cron::replica(&listener),
        config.cron_clock.clone(),
        jobs::jobs(&state, milliseconds),
    )?;
    let server = server(config.server.clone(), &state, &cron);
    // Trips that were left behind do not wait for the next tick.
    let at_once = async {
        if let Some(Err(error)) = shutdown.run_until_cancelled(trips.recover()).await {
            tracing::warn!(?error, "cannot look for trips that nobody works on");
        }
    };
    let relay = async {
        if let Some(mail) = mail {
            relay::run(store.log().clone(), &config.queue_url(), mail, &shutdown).await;
        }
    };
    let serving = server.serve(listener, shutdown.clone());
    // The relay ends by itself at shutdown; the server drains.
    let (outcome, (), ()) = tokio::join!(cron.beside(serving, &shutdown), at_once, relay);
    let _ = tokio::time::timeout(LAST_STEPS, trips.stopped()).await;
    Ok(outcome?)
}

/// All that a replica answers.
fn server(config: mesh::server::Config, state: &Arc<State>, cron: &Cron) -> Server {
    let (trips, audit) = (Grpc(Arc::clone(state)), Audit(Arc::clone(state)));
    Server::new(config)
        .add(TripServiceServer::new(trips), &TRIP_SERVICE)
        .add(AuditServiceServer::new(audit), &AUDIT_SERVICE)
        .add(
            CronServiceServer::new(cron::Cron(cron.clone())),
            &CRON_SERVICE,
        )
}

/// Calls as this service, where callers are known at all.
fn channel(config: &Config, service: &'static Service, endpoints: &Endpoints) -> Channel {
    let client = mesh::client::Config::new(endpoints.clone());
    let client = match &config.server.auth {
        Some(auth) => client.signed(auth.signer("orchestration")),
        None => client,
    };
    Channel::connect(service, client)
}

fn edges() -> Edges {
    Edges {
        clock: Box::new(milliseconds),
        // In order of time, so that new rows lie beside each other.
        new_id: || Uuid::now_v7().to_string(),
        jitter: fastrand::f64,
        mail: grpc::encode,
    }
}
