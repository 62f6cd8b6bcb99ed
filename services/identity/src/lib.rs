//! Identity: who somebody is, and how they prove it to the rest of the mesh.
//!
//! It keeps users, their sessions and the keys that sign access tokens. Its promises: a password is
//! kept as a hash only; no answer tells whether an address has an account; a refresh token that
//! comes twice ends its session; a signing key is published before it signs and until its last
//! token is void.

mod accounts;
pub mod config;
pub mod domain;
mod grpc;
mod hasher;
mod jobs;
mod ring;
pub mod store;
mod throttle;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use contracts::{
    identity::v1::{IDENTITY_SERVICE, identity_service_server::IdentityServiceServer},
    operations::v1::{
        AUDIT_SERVICE, CRON_SERVICE, audit_service_server::AuditServiceServer,
        cron_service_server::CronServiceServer,
    },
};
use durable::{
    DataDirError,
    cron::{Cron, ScheduleError},
    make_data_dir,
};
use governor::clock::DefaultClock;
use mesh::{
    clock::milliseconds,
    cron,
    key_file::{KeyFileError, load_or_create},
    server::Server,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::{
    accounts::Accounts,
    domain::{key::Policy, user::acceptable},
    grpc::Grpc,
    hasher::Hasher,
    ring::Ring,
    store::Store,
    throttle::Throttle,
};
pub use self::{
    config::{Admin, Config, Limits, Rate},
    ring::RingError,
};

/// Why a replica could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The directory for its state cannot be made.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] durable::OpenError),
    /// The master secret cannot be had.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The signing keys cannot be had.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The administrator's address or password is none.
    #[error(
        "SKYWAY_IDENTITY_ADMIN_EMAIL must be a mail address, and SKYWAY_IDENTITY_ADMIN_PASSWORD 8 to 128 characters"
    )]
    Admin,
    /// The administrator, or the hash that stands for nobody's, could not be made.
    #[error("identity cannot start: {0}")]
    Start(String),
    /// A job cannot be planned.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] mesh::server::ServeError),
}

/// Serves identity until `shutdown`, then drains.
///
/// # Errors
/// Where the database or a key cannot be opened, or the server cannot start.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let accounts = Arc::new(open(&config).await?);
    let mut server = config.server;
    // Its own keys are at hand: it needs no network to verify a token.
    server.auth = server
        .auth
        .map(|auth| auth.with_key_source(accounts.ring.clone()));
    let grpc = Grpc(Arc::clone(&accounts));
    let cron = Cron::new(
        accounts.store.db().clone(),
        "identity",
        cron::replica(&listener),
        config.cron_clock.clone(),
        jobs::jobs(&accounts),
    )?;
    let server = Server::new(server)
        .add(IdentityServiceServer::new(grpc.clone()), &IDENTITY_SERVICE)
        .add(AuditServiceServer::new(grpc), &AUDIT_SERVICE)
        .add(
            CronServiceServer::new(cron::Cron(cron.clone())),
            &CRON_SERVICE,
        );
    let serving = server.serve(listener, shutdown.clone());
    tokio::select! {
        outcome = cron.beside(serving, &shutdown) => Ok(outcome?),
        never = jobs::keep_keys(&accounts, config.key_rotation) => match never {},
    }
}

/// Opens all that a replica works with, and makes what there must be.
async fn open(config: &Config) -> Result<Accounts, ServeError> {
    let admin = config.admin.as_ref();
    if admin.is_some_and(|admin| !acceptable(&admin.email, &admin.password)) {
        return Err(ServeError::Admin);
    }
    make_data_dir(&config.data_dir)?;
    let secret = match &config.key {
        Some(key) => key.clone(),
        None => load_or_create(&config.data_dir.join("identity.key"))?,
    };
    let store = Store::open(&config.database_url(), config.max_connections).await?;
    let policy = Policy {
        rotation: millis(config.key_rotation),
        token_life: millis(config.access_ttl),
    };
    let start = |error: &dyn std::error::Error| ServeError::Start(error.to_string());
    let accounts = Accounts {
        hasher: Hasher::new().await.map_err(|error| start(&error))?,
        ring: Arc::new(Ring::open(secret, store.clone(), policy, milliseconds).await?),
        store,
        throttle: Throttle::new(config.limits, DefaultClock::default()),
        access_life: millis(config.access_ttl),
        refresh_life: millis(config.refresh_ttl),
        clock: milliseconds,
    };
    if let Some(admin) = admin {
        let made = accounts.ensure_admin(&admin.email, &admin.password).await;
        if made.map_err(|error| start(&error))? {
            config.admin_made.store(true, Ordering::Relaxed);
        }
    }
    Ok(accounts)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
