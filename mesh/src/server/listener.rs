//! Binding a port, with an error that says which key to change.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Why a port cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process has it.
    #[error("{address} is already in use ({key})")]
    InUse {
        /// The address.
        address: SocketAddr,
        /// The configuration key that set it.
        key: String,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {cause} ({key})")]
    Io {
        /// The address.
        address: SocketAddr,
        /// The configuration key that set it.
        key: String,
        /// What went wrong.
        cause: io::Error,
    },
}

/// Listens on `address`, which came from the configuration key `key`. Must be called within a
/// Tokio runtime.
///
/// # Errors
///
/// [`BindError`] where the address is taken or not ours to use.
pub fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, BindError> {
    listen(address).map_err(|cause| {
        let key = key.to_owned();
        match cause.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address, key },
            _ => BindError::Io {
                address,
                key,
                cause,
            },
        }
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // A restart must not wait for the last connections of the process before it to time out.
    // Elsewhere than on Unix the option would let two processes share the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_its_key() {
        let first = bind("127.0.0.1:0".parse().unwrap(), "SKYWAY_SEARCH_LISTEN").unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address, "SKYWAY_SEARCH_LISTEN").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{address} is already in use (SKYWAY_SEARCH_LISTEN)")
        );
    }

    #[tokio::test]
    async fn an_address_that_is_not_ours_is_named_with_its_key() {
        let error = bind("192.0.2.1:1".parse().unwrap(), "SKYWAY_SEARCH_LISTEN")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("cannot listen on 192.0.2.1:1: ")
                && error.ends_with(" (SKYWAY_SEARCH_LISTEN)"),
            "{error}"
        );
    }
}
