//! Where a client is when a proxy stands in between: at the address that the last proxy we trust
//! has seen. What a client writes into `X-Forwarded-For` itself stands further left, and counts for
//! nothing.

use std::fmt::{self, Display};
use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderMap;

/// The header in which proxies append whom they serve.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The addresses that begin with the same bits: `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network; it would look like 10.0.0.0/8, 192.0.2.7 or fd00::/8")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let fail = || NetworkError(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| fail())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), |bits| bits.parse().map_err(|_| fail()))?;
        if bits > all {
            return Err(fail());
        }
        Ok(Self { address, bits })
    }
}

impl Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.bits);
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differ = ours.to_bits() ^ theirs.to_bits();
                differ.leading_zeros() >= bits
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differ = ours.to_bits() ^ theirs.to_bits();
                differ.leading_zeros() >= bits
            }
            _ => false,
        }
    }
}

/// The client's address, for a connection from `peer`.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let values = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut seen = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    while is_trusted(client) {
        let next = seen.next().and_then(|text| text.trim().parse().ok());
        let Some(next) = next.map(|next: IpAddr| next.to_canonical()) else {
            break;
        };
        client = next;
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_have_seen_counts() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "fd00::/8", "192.0.2.7"]
            .map(|text| text.parse().unwrap())
            .into();
        for (peer, headers, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            // What the client wrote stands left of what the proxy appended.
            ("10.1.2.3", &["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("10.1.2.3", &["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            (
                "10.1.2.3",
                &["198.51.100.1, 192.0.2.7,10.9.9.9"],
                "198.51.100.1",
            ),
            ("10.1.2.3", &[], "10.1.2.3"),
            ("10.1.2.3", &["nonsense"], "10.1.2.3"),
            ("10.1.2.3", &["10.4.4.4"], "10.4.4.4"),
        ] {
            let mut map = HeaderMap::new();
            for header in headers {
                map.append(FORWARDED_FOR, header.parse().unwrap());
            }
            let found = client(peer.parse().unwrap(), &map, &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {headers:?}");
        }
    }

    #[test]
    fn a_network_is_an_address_and_its_bits() {
        for (text, good) in [
            ("10.0.0.0/8", true),
            ("0.0.0.0/0", true),
            ("::1", true),
            ("10.0.0.0/33", false),
            ("10.0.0/8", false),
            ("10.0.0.0/", false),
            ("proxy", false),
        ] {
            assert_eq!(text.parse::<Network>().is_ok(), good, "{text}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
    }
}
