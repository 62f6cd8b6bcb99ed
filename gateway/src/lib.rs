//! REST to gRPC, generated from the contracts.
//!
//! The gateway knows no RPC by name: its routes are the `google.api.http` rules of the contracts,
//! and a request becomes protobuf wire bytes, an answer JSON, by the tables that were generated
//! from them. [`serve`] is the way in; `stack` lists the filters in order.
//!
//! Nothing of a service's inside leaves through here: every error is an AIP-193 JSON document with
//! a stable reason, and an unexpected one says no more than that it happened.

mod access;
mod admin;
mod app;
mod body;
mod config;
mod connections;
mod cors;
mod observe;
mod pages;
mod panics;
mod proxies;
pub mod router;
mod stack;
mod trace;
pub mod transcode;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{Config, Limits, Streams};
pub use proxies::{Network, NetworkError};

/// Why the gateway could not start or did not stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A service of the contracts has public methods, but nobody said where it is.
    #[error("no endpoints for {area}; set SKYWAY_{}_ENDPOINTS", area.to_uppercase())]
    NoEndpoints {
        /// The service's area, for example `search`.
        area: String,
    },
    /// An origin that no browser could send.
    #[error("{origin:?} is not an origin; it would look like https://example.com, or * for all")]
    Origin {
        /// What was given.
        origin: String,
    },
    /// Requests were still running when the grace period ended; they were cut off.
    #[error("{connections} connections were still busy after {grace:?} and were cut off")]
    Grace {
        /// How many.
        connections: usize,
        /// How long they were given.
        grace: std::time::Duration,
    },
}

/// Serves REST on `listener` until `shutdown` is cancelled, then drains within `config.grace`.
///
/// Metrics and health are served on `admin`, where it is given.
///
/// # Errors
///
/// [`ServeError`]; what goes wrong with a single connection or request is answered and logged there.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    admin: Option<TcpListener>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let stack_config = stack::Config::new(&config)?;
    let app = app::App::new(config, shutdown.clone())?;
    let admin = admin.map(|listener| tokio::spawn(admin::serve(app.clone(), listener)));
    let served =
        connections::serve(&app, stack::new(&app, &stack_config), listener, shutdown).await;
    if let Some(admin) = admin {
        admin.abort();
    }
    served
}
