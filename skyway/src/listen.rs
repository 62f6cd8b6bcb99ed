//! Taking ports before anything else starts, so that a taken one costs a line and not a half-built process.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::config::Listen;

/// A port that could not be taken. One line that says which setting names it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    #[error("{part}: {address} is already in use; set {variable} or {flag}")]
    Taken {
        part: String,
        address: Listen,
        variable: String,
        flag: String,
    },
    #[error("{part}: cannot listen on {address}, as {variable} or {flag} say")]
    Io {
        part: String,
        address: Listen,
        variable: String,
        flag: String,
        source: io::Error,
    },
}

/// A listening socket that has not been given to a runtime yet.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Takes `address` for `part`; `variable` and `flag` are where it can be set.
///
/// # Errors
/// The address is taken, not this machine's, or not allowed.
pub(crate) fn bind(
    part: &str,
    address: &Listen,
    variable: &str,
    flag: &str,
) -> Result<Bound, BindError> {
    let open = || {
        let listener = TcpListener::bind(address.to_string())?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Bound { listener, address })
    };
    open().map_err(|source: io::Error| {
        let (part, address) = (part.to_owned(), address.clone());
        let (variable, flag) = (variable.to_owned(), flag.to_owned());
        if source.kind() == io::ErrorKind::AddrInUse {
            BindError::Taken {
                part,
                address,
                variable,
                flag,
            }
        } else {
            BindError::Io {
                part,
                address,
                variable,
                flag,
                source,
            }
        }
    })
}

impl Bound {
    /// Where it listens; the port is the one that the system chose, where it was to choose.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a client on this machine reaches it, which is not `0.0.0.0`.
    pub(crate) fn reachable(&self) -> SocketAddr {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        address
    }

    /// Hands it to the runtime that this is called on.
    ///
    /// # Errors
    /// The runtime cannot watch another socket.
    pub(crate) fn into_tokio(self) -> io::Result<tokio::net::TcpListener> {
        tokio::net::TcpListener::from_std(self.listener)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_one_line_that_names_it() {
        let first = bind("gateway", &Listen::loopback(0), "V", "--f").unwrap();
        let taken = Listen::loopback(first.address().port());
        let error = bind(
            "gateway",
            &taken,
            "SKYWAY_GATEWAY_LISTEN",
            "--gateway-listen",
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "gateway: {taken} is already in use; set SKYWAY_GATEWAY_LISTEN or --gateway-listen"
            )
        );
    }

    #[test]
    fn an_address_of_another_machine_is_said_to_be_one() {
        let address: Listen = "192.0.2.1:1".parse().unwrap();
        let error = bind("search", &address, "SKYWAY_SEARCH_LISTEN", "--listen").unwrap_err();
        assert_eq!(
            error.to_string(),
            "search: cannot listen on 192.0.2.1:1, as SKYWAY_SEARCH_LISTEN or --listen say"
        );
    }

    #[test]
    fn listening_everywhere_is_reached_on_loopback() {
        let bound = bind("search", &"0.0.0.0:0".parse().unwrap(), "V", "--f").unwrap();
        assert_eq!(bound.reachable().ip().to_string(), "127.0.0.1");
        assert_eq!(bound.reachable().port(), bound.address().port());
    }
}
