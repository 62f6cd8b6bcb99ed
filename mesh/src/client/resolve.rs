//! Where the endpoints of a service are: a fixed list, or every address behind a DNS name.
//!
//! A name is looked up again every few seconds and as soon as a connection is lost, so that
//! replicas that come and go are found without a registry.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc, time::Duration};

use http::uri::Authority;
use tokio_util::sync::CancellationToken;

use super::pool::Pool;

/// Time between two look-ups of a name.
const INTERVAL: Duration = Duration::from_secs(5);
/// Least time between two look-ups, however many connections are lost.
const LEAST_INTERVAL: Duration = Duration::from_millis(500);
/// The most endpoints that one service may have.
const MOST_ENDPOINTS: usize = 256;

/// Where the endpoints of a service are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoints {
    /// Exactly these: `static://host:port,host:port`.
    Static(Vec<Authority>),
    /// Every address behind a name: `dns://host:port`.
    Dns {
        /// The name.
        host: String,
        /// The port, the same on every address.
        port: u16,
    },
}

/// Why a text does not say where endpoints are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not \"static://host:port,host:port\" or \"dns://host:port\": {why}")]
pub struct EndpointsError {
    text: String,
    why: &'static str,
}

impl FromStr for Endpoints {
    type Err = EndpointsError;

    fn from_str(text: &str) -> Result<Self, EndpointsError> {
        let fail = |why| EndpointsError {
            text: text.to_owned(),
            why,
        };
        if let Some(list) = text.strip_prefix("static://") {
            let authorities: Vec<_> = list
                .split(',')
                .map(|item| authority(item.trim()).map_err(fail))
                .collect::<Result<_, _>>()?;
            if authorities.len() > MOST_ENDPOINTS {
                return Err(fail("at most 256 endpoints"));
            }
            Ok(Self::Static(authorities))
        } else if let Some(name) = text.strip_prefix("dns://") {
            let authority = authority(name).map_err(fail)?;
            let port = authority
                .port_u16()
                .ok_or_else(|| fail("the port is missing"))?;
            Ok(Self::Dns {
                host: authority.host().to_owned(),
                port,
            })
        } else {
            Err(fail("the scheme is missing"))
        }
    }
}

fn authority(text: &str) -> Result<Authority, &'static str> {
    let authority: Authority = text.parse().map_err(|_| "not a host and a port")?;
    match authority.port_u16() {
        _ if authority.host().is_empty() => Err("the host is missing"),
        None | Some(0) => Err("the port is missing"),
        Some(_) => Ok(authority),
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(authorities) => {
                formatter.write_str("static://")?;
                for (index, authority) in authorities.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(formatter, "{comma}{authority}")?;
                }
                Ok(())
            }
            Self::Dns { host, port } => write!(formatter, "dns://{host}:{port}"),
        }
    }
}

/// Keeps `pool` at what `endpoints` says until `closed`.
pub(super) async fn keep(endpoints: Endpoints, pool: Arc<Pool>, closed: CancellationToken) {
    match endpoints {
        Endpoints::Static(authorities) => pool.update(authorities),
        Endpoints::Dns { host, port } => {
            let look_up_forever = async {
                loop {
                    look_up(&host, port, &pool).await;
                    tokio::time::sleep(LEAST_INTERVAL).await;
                    let _ = tokio::time::timeout(
                        INTERVAL.saturating_sub(LEAST_INTERVAL),
                        pool.lost.notified(),
                    )
                    .await;
                }
            };
            closed.run_until_cancelled(look_up_forever).await;
        }
    }
}

async fn look_up(host: &str, port: u16, pool: &Arc<Pool>) {
    match tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await {
        Ok(addresses) => {
            // A set, because resolvers repeat addresses and change their order.
            let addresses: BTreeSet<_> = addresses.collect();
            let authorities: Vec<_> = addresses
                .iter()
                .take(MOST_ENDPOINTS)
                .filter_map(|address| address.to_string().parse().ok())
                .collect();
            if !authorities.is_empty() {
                pool.update(authorities);
            }
        }
        // What was known is kept: a name server that is away must not take the service with it.
        Err(cause) => {
            tracing::warn!(%host, %cause, "cannot look up endpoints");
            pool.note(format!("{host}: {cause}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_alike() {
        for text in [
            "static://127.0.0.1:50051",
            "static://a:1,b:2,[::1]:3",
            "dns://search:50051",
        ] {
            assert_eq!(text.parse::<Endpoints>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (text, why) in [
            ("search:50051", "the scheme is missing"),
            ("http://search:50051", "the scheme is missing"),
            ("dns://search", "the port is missing"),
            ("dns://:50051", "the host is missing"),
            ("static://", "not a host and a port"),
            ("static://a:1,,b:2", "not a host and a port"),
            ("static://a:1,b:0", "the port is missing"),
            ("static://a b:1", "not a host and a port"),
        ] {
            let error = text.parse::<Endpoints>().unwrap_err();
            assert_eq!(error.why, why, "{text}");
            assert!(error.to_string().contains("dns://host:port"));
        }
    }
}
