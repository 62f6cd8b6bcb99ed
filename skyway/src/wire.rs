//! What each service is told: our keys as the typed settings of its crate, and whom it may call.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use mesh::auth::Auth;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Peers, Service};
use crate::listen::Bound;

/// Whom the mesh trusts, users left out: its key is set, or kept in the data directory.
///
/// # Errors
/// The key cannot be read or made.
pub(crate) fn auth(config: &Config) -> anyhow::Result<Auth> {
    let key = match &config.mesh.key {
        Some(key) => key.0.clone(),
        None => mesh::key_file::load_or_create(&mesh_key_file(config))?,
    };
    Ok(Auth::new(key))
}

/// The same for an operator, to whom a key that no service has yet is of no use.
///
/// # Errors
/// There is no key yet, or it cannot be read.
pub(crate) fn operator_auth(config: &Config) -> anyhow::Result<Auth> {
    let file = mesh_key_file(config);
    anyhow::ensure!(
        config.mesh.key.is_some() || file.exists(),
        "there is no {}; set SKYWAY_MESH_KEY to the key of the mesh, or --data-dir to where its services keep it",
        file.display()
    );
    auth(config)
}

fn mesh_key_file(config: &Config) -> PathBuf {
    config.data_dir.join("mesh.key")
}

/// Runs one replica of `service` on `listener` until `shutdown`, then drains. Identity says in
/// `admin_made` whether it has made the first administrator.
///
/// # Errors
/// The service does not start.
pub(crate) async fn replica(
    service: Service,
    config: &Config,
    peers: &Peers,
    admin_made: &Arc<AtomicBool>,
    listener: Bound,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let listener = listener.into_tokio()?;
    let auth = auth(config)?;
    // Identity knows users by its own keys, and asks nobody.
    let with_tokens = || auth.clone().with_tokens(peers[Service::Identity].clone());
    match service {
        Service::Search => {
            let mut settings = search(config);
            settings.server.auth = Some(with_tokens());
            let live = config.search.live_seats.0;
            settings.booking = live.then(|| peers[Service::Booking].clone());
            let served = search::serve(settings, listener, shutdown).await;
            served.context("search")
        }
        Service::Booking => {
            let settings = booking(config, peers, with_tokens());
            let served = booking::serve(settings, listener, shutdown).await;
            served.context("booking")
        }
        Service::Orchestration => {
            let settings = orchestration(config, peers, with_tokens());
            // Boxed, as mail's: each holds much beside its server.
            let served = Box::pin(orchestration::serve(settings, listener, shutdown)).await;
            served.context("orchestration")
        }
        Service::Mail => {
            let settings = mail(config, peers, with_tokens());
            let served = Box::pin(mail::serve(settings, listener, shutdown)).await;
            served.context("mail")
        }
        Service::Identity => {
            let mut settings = identity(config, auth);
            settings.admin_made = Arc::clone(admin_made);
            let served = identity::serve(settings, listener, shutdown).await;
            served.context("identity")
        }
    }
}

/// Runs the gateway on `listener`, and its metrics on `admin`, until `shutdown`, then drains.
///
/// # Errors
/// The gateway does not start.
pub(crate) async fn gateway(
    config: &Config,
    peers: &Peers,
    listener: Bound,
    admin: Option<Bound>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut settings = gateway::Config::new(peers.by_area());
    let origins = &config.gateway.cors_origins.0;
    settings.cors_origins.clone_from(origins);
    if let Some(proxies) = &config.gateway.trusted_proxies {
        settings.trusted_proxies.clone_from(&proxies.0);
    }
    settings.drain_wait = config.drain_wait.0;
    settings.grace = config.grace.0;
    settings.auth = Some(auth(config)?.with_tokens(peers[Service::Identity].clone()));
    let admin = admin.map(Bound::into_tokio).transpose()?;
    let listener = listener.into_tokio()?;
    let served = gateway::serve(settings, listener, admin, shutdown).await;
    served.context("gateway")
}

/// Settings of search as far as they need no other service; importing uses the same.
pub(crate) fn search(config: &Config) -> search::Config {
    let mut settings = search::Config::new(&config.data_dir);
    settings.database_url = Some(config.database_url(Service::Search));
    settings.offer_key = config.search.offer_key.as_ref().map(|key| key.0.clone());
    settings.seed_demo = config.search.demonstration.0;
    serving(&mut settings.server, config);
    settings
}

fn booking(config: &Config, peers: &Peers, auth: Auth) -> booking::Config {
    let mut settings = booking::Config::new(&config.data_dir, peers[Service::Search].clone());
    settings.database_url = Some(config.database_url(Service::Booking));
    settings.max_connections = config.booking.max_connections.0.into();
    settings.hold_ttl = config.booking.hold_ttl.0;
    settings.server.auth = Some(auth);
    serving(&mut settings.server, config);
    settings
}

fn orchestration(config: &Config, peers: &Peers, auth: Auth) -> orchestration::Config {
    let (search, booking) = (
        peers[Service::Search].clone(),
        peers[Service::Booking].clone(),
    );
    let mut settings = orchestration::Config::new(&config.data_dir, search, booking);
    settings.database_url = Some(config.database_url(Service::Orchestration));
    settings.max_connections = config.orchestration.max_connections.0.into();
    settings.mail = Some(peers[Service::Mail].clone());
    settings.queue_url = config.queue_url();
    settings.offer_key = config.search.offer_key.as_ref().map(|key| key.0.clone());
    settings.server.auth = Some(auth);
    serving(&mut settings.server, config);
    settings
}

fn mail(config: &Config, peers: &Peers, auth: Auth) -> mail::Config {
    let set = &config.mail;
    let mut settings = mail::Config::new(&config.data_dir, peers[Service::Search].clone());
    settings.database_url = Some(config.database_url(Service::Mail));
    settings.max_connections = set.max_connections.0.into();
    settings.queue_url = config.queue_url();
    settings.smtp_url = set.smtp_url.as_ref().map(|url| url.reveal().to_owned());
    settings.from = set.from.to_string();
    settings.reply_to = set.reply_to.as_ref().map(ToString::to_string);
    settings.rate = set.rate.0;
    settings.burst = set.burst.0.into();
    settings.concurrency = set.concurrency.0.into();
    settings.domain_concurrency = set.domain_concurrency.0.into();
    settings.server.auth = Some(auth);
    serving(&mut settings.server, config);
    settings
}

fn identity(config: &Config, auth: Auth) -> identity::Config {
    let mut settings = identity::Config::new(&config.data_dir);
    settings.database_url = Some(config.database_url(Service::Identity));
    settings.max_connections = config.identity.max_connections.0.into();
    settings.key = config.identity.key.as_ref().map(|key| key.0.clone());
    settings.admin = admin(config);
    settings.server.auth = Some(auth);
    serving(&mut settings.server, config);
    settings
}

fn admin(config: &Config) -> Option<identity::Admin> {
    let (email, password) = (
        config.identity.admin_email.as_ref()?,
        config.identity.admin_password.as_ref()?,
    );
    Some(identity::Admin {
        email: email.clone(),
        password: password.reveal().to_owned(),
    })
}

/// How every service stops.
fn serving(server: &mut mesh::server::Config, config: &Config) {
    server.drain_wait = config.drain_wait.0;
    server.grace = config.grace.0;
}
