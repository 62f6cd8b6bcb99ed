//! Mail: the consumer of the process queue.

pub mod config;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::config::Config;

/// Why a replica could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The server failed.
    #[error(transparent)]
    Server(#[from] mesh::server::ServeError),
}

/// Serves mail until `shutdown`, then drains.
///
/// # Errors
/// Where the server cannot start.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let server = mesh::server::Server::new(config.server);
    Ok(server.serve(listener, shutdown).await?)
}
