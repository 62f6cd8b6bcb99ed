//! Booking: sells seats, and never more than there are.
//!
//! At every instant, and on every database: `0 <= held`, `0 <= sold`, `held + sold <= capacity`, and
//! both equal the sums over the bookings. The holds of a trip are sold all together or not at all.
//! Whoever asks again gets what they got before. Every change of a cabin is told to whoever follows
//! the inventory, at least once.

mod clients;
pub mod config;
pub mod domain;
mod grpc;
mod jobs;
pub mod store;

use std::sync::Arc;

use contracts::{
    booking::v1::{BOOKING_SERVICE, booking_service_server::BookingServiceServer},
    operations::v1::{
        AUDIT_SERVICE, CRON_SERVICE, audit_service_server::AuditServiceServer,
        cron_service_server::CronServiceServer,
    },
};
use durable::{
    DataDirError, OpenError, Options,
    cron::{Cron, ScheduleError},
    make_data_dir,
    queue::{Log, LogError},
};
use mesh::{client, clock::milliseconds, cron, server::Server};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::config::Config;
use self::{
    clients::search::Search,
    domain::combine::Combiner,
    grpc::{Audit, Feed, Grpc, encode_inventory, relay},
    jobs::jobs,
    store::{INVENTORY, Sql},
};

/// Why a replica could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The directory for its state cannot be made.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database failed at once.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A job cannot be planned.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] mesh::server::ServeError),
}

/// Serves booking until `shutdown`, then drains.
///
/// # Errors
/// Where the database cannot be opened, or the server cannot start.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    make_data_dir(&config.data_dir)?;
    let options = Options {
        url: config.database_url(),
        variable: "SKYWAY_BOOKING_DATABASE_URL",
        max_connections: config.max_connections,
    };
    let store = Sql::open(&options, encode_inventory, || fastrand::u64(..)).await?;
    let store = Arc::new(store);
    let feed = Feed::new(shutdown.clone());
    // Before the first call: from here on no change is missed.
    let follower = store.log().follow(INVENTORY).await?;
    let booking = Grpc {
        holds: Combiner::new(
            Arc::clone(&store),
            Search::connect(search(&config)),
            hold_transactions(&config),
        ),
        store: Arc::clone(&store),
        hold_ttl: config.hold_ttl,
        feed: feed.clone(),
        clock: milliseconds,
    };
    let audit = Audit {
        store: Arc::clone(&store),
        clock: milliseconds,
    };
    let cron = Cron::new(
        store.db().clone(),
        "booking",
        cron::replica(&listener),
        config.cron_clock.clone(),
        jobs(&config, &store, milliseconds),
    )?;
    let server = Server::new(config.server)
        .add(BookingServiceServer::new(booking), &BOOKING_SERVICE)
        .add(AuditServiceServer::new(audit), &AUDIT_SERVICE)
        .add(
            CronServiceServer::new(cron::Cron(cron.clone())),
            &CRON_SERVICE,
        );
    let serving = server.serve(listener, shutdown.clone());
    tokio::select! {
        outcome = cron.beside(serving, &shutdown) => Ok(outcome?),
        never = relay(follower, feed) => match never {},
    }
}

/// Holds get a third of the connections: fewer transactions are shared by more of those that wait, and
/// confirming never waits behind them. With 64 callers spread over 200 flights it is 1.8 times as many holds as with all.
fn hold_transactions(config: &Config) -> usize {
    usize::try_from(config.max_connections / 3).unwrap_or(usize::MAX)
}

/// How to reach search; signed where this replica has an identity.
fn search(config: &Config) -> client::Config {
    let search = client::Config::new(config.search.clone());
    match &config.server.auth {
        Some(auth) => search.signed(auth.signer(config.server.name)),
        None => search,
    }
}
