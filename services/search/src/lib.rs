//! Search: what can be flown, when, and for how much.
//!
//! A replica keeps the timetable in its database and answers from memory: the index is read by any
//! number of calls without a lock, and replaced as a whole when a new timetable has been imported. No
//! call changes anything.

pub mod config;
pub mod domain;
mod feed;
mod grpc;
pub mod import;
mod reconcile;
mod state;
pub mod store;

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use contracts::{
    operations::v1::{CRON_SERVICE, cron_service_server::CronServiceServer},
    search::v1::{SEARCH_SERVICE, search_service_server::SearchServiceServer},
};
use durable::{
    DataDirError,
    cron::{Cron, ScheduleError},
    make_data_dir,
};
use mesh::{
    clock::seconds,
    cron,
    key_file::{KeyFileError, load_or_create},
    server::Server,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

pub use self::config::Config;
use self::{
    domain::{
        day::Day,
        demonstration,
        pattern::Pattern,
        seats::{Availability, LiveSeats, WholeCapacity},
        timetable::Timetable,
        typeahead::Typeahead,
        zone::minute_of,
    },
    grpc::Grpc,
    import::{Options, Progress, ReadError, Summary},
    state::State,
    store::{Store, StoreError},
};

/// Why a replica could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The directory for its state cannot be made.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
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

/// Why a timetable was not imported; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The directory for the database cannot be made.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A file is at fault.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Serves search until `shutdown`, then drains. The first call is answered when the timetable is in memory.
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
    let store = Store::open(&config.database_url()).await?;
    let Some((version, timetable)) = shutdown
        .run_until_cancelled(load(&store, config.seed_demo))
        .await
        .transpose()?
    else {
        return Ok(());
    };
    let live = config.booking.as_ref().map(|booking| {
        let client = feed::client(booking, config.server.auth.as_ref());
        (client, Arc::<LiveSeats>::default())
    });
    let availability: Arc<dyn Availability> = match &live {
        Some((_, live)) => Arc::clone(live) as _,
        None => Arc::new(WholeCapacity::default()),
    };
    let caught_up = watch::Sender::new(live.is_none());
    let state = Arc::new(State {
        typeahead: Typeahead::new(timetable.airports()),
        timetable: ArcSwap::from_pointee(timetable),
        changes: watch::Sender::new(version),
        availability,
        key,
        clock: seconds,
        shutdown: shutdown.clone(),
    });
    let jobs = live
        .clone()
        .map(|(client, seats)| reconcile::job(config.reconcile_schedule, client, seats, today));
    let replica = cron::replica(&listener);
    let cron = Cron::new(
        store.db().clone(),
        "search",
        replica,
        config.cron_clock.clone(),
        jobs,
    )?;
    let server = Server::new(config.server.clone())
        .add(
            SearchServiceServer::new(Grpc(Arc::clone(&state))),
            &SEARCH_SERVICE,
        )
        .add(
            CronServiceServer::new(cron::Cron(cron.clone())),
            &CRON_SERVICE,
        )
        .ready_when(caught_up.subscribe());
    let live_seats = async {
        match live {
            Some((client, live)) => feed::follow(client, &live, &caught_up).await,
            None => std::future::pending().await,
        }
    };
    let serving = server.serve(listener, shutdown.clone());
    tokio::select! {
        outcome = cron.beside(serving, &shutdown) => Ok(outcome?),
        never = follow(&config, &store, &state) => match never {},
        never = live_seats => match never {},
    }
}

/// Reads files and makes them the timetable, in one transaction; replicas take it up within a second or two.
///
/// # Errors
/// Where a file or the database is at fault. Then nothing has changed.
pub async fn import(
    config: &Config,
    files: &[PathBuf],
    options: Options,
    mut progress: impl FnMut(Progress),
) -> Result<Summary, ImportError> {
    let (patterns, summary) = import::read(files, options, &mut progress)?;
    make_data_dir(&config.data_dir)?;
    let store = Store::open(&config.database_url()).await?;
    if options.merge {
        if config.seed_demo {
            // What is added to is what a replica would have started with.
            store
                .timetable_seed(&demonstration::patterns(options.today))
                .await?;
        }
        store.timetable_merge(&patterns).await?;
    } else {
        store.timetable_replace(&patterns).await?;
    }
    Ok(summary)
}

/// The timetable in the database, made first where there is none.
async fn load(store: &Store, seed_demo: bool) -> Result<(i64, Timetable), StoreError> {
    loop {
        if let Some((version, patterns)) = store.timetable_load().await? {
            tracing::info!(version, patterns = patterns.len(), "timetable loaded");
            return Ok((version, index(patterns).await));
        }
        if !seed_demo {
            return Ok((0, index(Vec::new()).await));
        }
        let patterns = tokio::task::spawn_blocking(|| demonstration::patterns(today()))
            .await
            .unwrap_or_default();
        if store.timetable_seed(&patterns).await? {
            tracing::info!(patterns = patterns.len(), "demonstration timetable made");
            return Ok((1, index(patterns).await));
        }
    }
}

/// Takes up every timetable that is imported.
async fn follow(config: &Config, store: &Store, state: &State) -> std::convert::Infallible {
    let mut failing = false;
    loop {
        tokio::time::sleep(config.timetable_poll).await;
        let outcome = take_up(store, state).await;
        if let Err(error) = &outcome
            && !failing
        {
            tracing::warn!(
                ?error,
                "cannot look for a new timetable; the present one stays"
            );
        }
        failing = outcome.is_err();
    }
}

async fn take_up(store: &Store, state: &State) -> Result<(), StoreError> {
    let known = *state.changes.borrow();
    if store.timetable_version().await?.unwrap_or_default() == known {
        return Ok(());
    }
    if let Some((version, patterns)) = store.timetable_load().await? {
        tracing::info!(version, patterns = patterns.len(), "timetable replaced");
        state.timetable.store(Arc::new(index(patterns).await));
        state.changes.send_replace(version);
    }
    Ok(())
}

/// Indexing takes tens of milliseconds, in which other calls must go on.
async fn index(patterns: Vec<Pattern>) -> Timetable {
    let index = tokio::task::spawn_blocking(move || Timetable::new(patterns, today()));
    index
        .await
        .unwrap_or_else(|_| Timetable::new(Vec::new(), today()))
}

fn today() -> Day {
    Day::of(minute_of(seconds()), 0)
}
