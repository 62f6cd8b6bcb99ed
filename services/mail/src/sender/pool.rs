//! Connections to the mail server that are kept for the next mail.
//!
//! lettre has a pool of its own, but it bounds only the time to connect, and puts a connection back when the
//! call that used it is dropped: whoever gives up on a slow answer leaves it for the next mail, which then
//! takes the late answer for its own and may count as sent without ever having been accepted. Here a connection
//! belongs to the call that uses it, and comes back only after a mail that was accepted.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use lettre::transport::smtp::{
    Error, authentication::DEFAULT_MECHANISMS, client::AsyncSmtpConnection, extension::ClientId,
};

use tokio::net::TcpStream;

use super::url::{Encryption, Server};

/// How long a connection is kept; servers give up on a silent one after minutes.
const KEPT: Duration = Duration::from_secs(30);
/// One that has been silent for so long is asked whether it is still there.
const SUSPECT: Duration = Duration::from_millis(500);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// Nobody listens, or the host is not known.
    #[error("cannot connect")]
    Tcp(#[from] std::io::Error),
    /// The server does not want to talk.
    #[error(transparent)]
    Smtp(#[from] Error),
}

/// Connections to one mail server.
pub(super) struct Pool {
    server: Server,
    hello: ClientId,
    most: usize,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Pool {
    /// Keeps at most this many. `domain` is what we call ourselves.
    pub(super) const fn new(server: Server, domain: String, most: usize) -> Self {
        Self {
            server,
            hello: ClientId::Domain(domain),
            most,
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn server(&self) -> (&str, u16) {
        (&self.server.host, self.server.port)
    }

    /// One that is open.
    pub(super) async fn take(&self) -> Result<AsyncSmtpConnection, OpenError> {
        while let Some((mut connection, since)) = self.pop() {
            let idle = since.elapsed();
            if idle < SUSPECT || (idle < KEPT && connection.test_connected().await) {
                return Ok(connection);
            }
        }
        self.open().await
    }

    /// Keeps one for the next mail.
    pub(super) fn give_back(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.most && !connection.has_broken() {
            idle.push((connection, Instant::now()));
        }
    }

    fn pop(&self) -> Option<(AsyncSmtpConnection, Instant)> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop()
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, OpenError> {
        let address = (self.server.host.as_str(), self.server.port);
        let mut connection = if let Encryption::Wrapper(parameters) = &self.server.tls {
            let tls = Some(parameters.clone());
            AsyncSmtpConnection::connect_tokio1(address, None, &self.hello, tls, None).await?
        } else {
            let stream = TcpStream::connect(address).await?;
            // A mail and the dot that ends it are two writes: without this, the dot waits for the server's delayed
            // acknowledgement, and whoever dies meanwhile leaves a mail that the server has and nobody knows of.
            stream.set_nodelay(true)?;
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello).await?
        };
        match &self.server.tls {
            Encryption::Required(parameters) => {
                connection.starttls(parameters.clone(), &self.hello).await?;
            }
            Encryption::Opportunistic(parameters) if connection.can_starttls() => {
                connection.starttls(parameters.clone(), &self.hello).await?;
            }
            Encryption::None | Encryption::Opportunistic(_) | Encryption::Wrapper(_) => {}
        }
        if let Some(credentials) = &self.server.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Pool");
        shown
            .field("server", &self.server())
            .finish_non_exhaustive()
    }
}
