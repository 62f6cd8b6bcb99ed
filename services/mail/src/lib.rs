//! Mail: takes what other services have queued, and hands it to the mail server, once each.
//!
//! A mail is recorded before anything is done with it, claimed before it is handed over, and settled in the queue
//! only after the mail server has accepted it and the record says so. Whoever dies in between leaves it to
//! another replica. How far that goes, and what becomes of which answer, is told in `docs/mail.md`.

mod clients;
pub mod config;
mod consumer;
mod decode;
pub mod domain;
mod grpc;
mod jobs;
pub mod render;
pub mod sender;
pub mod store;

use std::sync::Arc;

use contracts::{
    mail::v1::{MAIL_SERVICE, mail_service_server::MailServiceServer},
    operations::v1::{
        AUDIT_SERVICE, CRON_SERVICE, audit_service_server::AuditServiceServer,
        cron_service_server::CronServiceServer,
    },
};
use durable::{
    DataDirError, OpenError, Options,
    cron::{Cron, ScheduleError},
    make_data_dir,
    queue::{OpenQueueError, Queue},
};
use mesh::{client, clock::milliseconds, cron, server::Server};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::config::Config;
use self::{
    clients::Search,
    consumer::{Consumer, Edges, Settings},
    grpc::{Audit, Grpc},
    sender::{AnySender, Envelope, SenderError, address},
    store::Sql,
};

/// Topic of the process queue in which mails are ordered.
pub const TOPIC: &str = "mail";

/// Why a replica could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The directory for its state cannot be made.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The queue cannot be used as it is configured.
    #[error(transparent)]
    Queue(#[from] OpenQueueError),
    /// Mails cannot be sent as it is configured.
    #[error(transparent)]
    Sender(#[from] SenderError),
    /// A job cannot be planned.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] mesh::server::ServeError),
}

/// Serves mail until `shutdown`, then drains: mails that were taken are finished, or given back.
///
/// A queue or a mail server that does not answer keeps it neither from starting nor from answering for what it
/// has recorded.
///
/// # Errors
/// Where the database cannot be opened, the configuration names no sender, or the server cannot start.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    make_data_dir(&config.data_dir)?;
    let mails = Arc::new(
        Sql::open(&Options {
            url: config.database_url(),
            variable: "SKYWAY_MAIL_DATABASE_URL",
            max_connections: config.max_connections,
        })
        .await?,
    );
    let url = config.queue_url();
    let queue = durable::queue::open(&url, TOPIC, "REDIS_URL").await?;
    let consumer = consumer(&config, queue.clone(), Arc::clone(&mails), shutdown.clone())?;
    let cron = Cron::new(
        mails.db().clone(),
        "mail",
        cron::replica(&listener),
        config.cron_clock.clone(),
        jobs::jobs(&mails, milliseconds),
    )?;
    let grpc = Grpc {
        mails: Arc::clone(&mails),
        queue,
        rate: config.rate,
        clock: milliseconds,
    };
    let audit = Audit {
        mails,
        clock: milliseconds,
    };
    let server = Server::new(config.server)
        .add(MailServiceServer::new(grpc), &MAIL_SERVICE)
        .add(AuditServiceServer::new(audit), &AUDIT_SERVICE)
        .add(
            CronServiceServer::new(cron::Cron(cron.clone())),
            &CRON_SERVICE,
        );
    // The consumer ends by itself at shutdown, and with a server that cannot start; the server drains.
    let serving = async {
        let outcome = cron
            .beside(server.serve(listener, shutdown.clone()), &shutdown)
            .await;
        shutdown.cancel();
        outcome
    };
    let (outcome, ()) = tokio::join!(serving, consumer.run());
    Ok(outcome?)
}

fn consumer<Q: Queue>(
    config: &Config,
    queue: Q,
    mails: Arc<Sql>,
    shutdown: CancellationToken,
) -> Result<Arc<Consumer<Q, Sql, AnySender, Search>>, ServeError> {
    let envelope = Envelope {
        from: address("SKYWAY_MAIL_FROM", &config.from)?,
        reply_to: match &config.reply_to {
            Some(reply_to) => Some(address("SKYWAY_MAIL_REPLY_TO", reply_to)?),
            None => None,
        },
    };
    let from = envelope.from.email.to_string();
    let sender = AnySender::open(
        config.smtp_url.as_deref(),
        &config.data_dir.join("mail"),
        envelope,
        config.concurrency,
    )?;
    let search = client::Config::new(config.search.clone());
    let search = match &config.server.auth {
        Some(auth) => search.signed(auth.signer(config.server.name)),
        None => search,
    };
    let (server, port) = sender.server();
    let settings = Settings {
        name: format!("mail-{:016x}", fastrand::u64(..)),
        system: if config.queue_url().starts_with("redis") {
            "redis"
        } else {
            "sql"
        },
        server: (server.to_owned(), port),
        sender: from,
        rate: config.rate,
        burst: config.burst,
        concurrency: config.concurrency,
        domain_concurrency: config.domain_concurrency,
        retry: config.retry,
        grace: config.server.grace,
    };
    let edges = Edges {
        clock: milliseconds,
        jitter: fastrand::f64,
        random: || fastrand::u64(..),
    };
    let ports = (queue, mails, sender, Search::connect(search));
    Ok(Consumer::new(ports, settings, edges, shutdown))
}
