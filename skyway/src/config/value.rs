//! The kinds of value that keys have: how each is written, and what to say when it is not.
//!
//! The same text means the same in `skyway.toml`, in the environment and on the command line, so
//! every kind is a `FromStr`; a TOML number or boolean is taken as its text.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use http::uri::Authority;
use serde::de::{Deserializer, Error, Visitor};

/// Reads a value from text, or from a TOML scalar as its text.
pub(super) fn text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    deserializer.deserialize_any(Text(PhantomData))
}

/// As [`text`], where `none` and nothing at all mean that there is no value.
pub(super) fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let written: String = text(deserializer)?;
    match written.as_str() {
        "" | "none" => Ok(None),
        other => other.parse().map(Some).map_err(D::Error::custom),
    }
}

struct Text<T>(PhantomData<T>);

impl<T: FromStr<Err: Display>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a number, true or false")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.trim().parse().map_err(E::custom)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }
}

/// A value that is not as its kind is written; the text says what would be right.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{written:?} is not {kind}; write {right}")]
pub(crate) struct BadValue {
    written: String,
    kind: &'static str,
    right: &'static str,
}

impl BadValue {
    fn new(written: &str, kind: &'static str, right: &'static str) -> Self {
        Self {
            written: written.to_owned(),
            kind,
            right,
        }
    }
}

/// Where to listen: a host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    host: String,
    port: u16,
}

impl Listen {
    /// This machine only, at this port.
    pub(crate) fn loopback(port: u16) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port,
        }
    }

    /// Where replica `index` of a service listens, counted from 0: ports are ten apart. Port 0
    /// stays 0, so that the system chooses every one. None where the port would pass 65535.
    pub(crate) fn replica(&self, index: u16) -> Option<Self> {
        let port = match self.port {
            0 => 0,
            port => port.checked_add(index.checked_mul(10)?)?,
        };
        Some(Self {
            host: self.host.clone(),
            port,
        })
    }
}

impl FromStr for Listen {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || BadValue::new(text, "an address", "host:port, for example 127.0.0.1:50051");
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let plain = !host.is_empty() && !host.contains([':', '/', '@', ' ']);
        if !(bracketed || plain) {
            return Err(bad());
        }
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| bad())?,
        })
    }
}

impl Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// A length of time, written `250ms`, `10s`, `5m` or `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || {
            BadValue::new(
                text,
                "a duration",
                "a number and its unit: 250ms, 10s, 5m, 1h",
            )
        };
        let unit = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let millis = match &text[unit..] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(bad()),
        };
        let number: u64 = text[..unit].parse().map_err(|_| bad())?;
        let millis = number.checked_mul(millis).ok_or_else(bad)?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            0 => formatter.write_str("0s"),
            millis if millis % 3_600_000 == 0 => write!(formatter, "{}h", millis / 3_600_000),
            millis if millis % 60_000 == 0 => write!(formatter, "{}m", millis / 60_000),
            millis if millis % 1_000 == 0 => write!(formatter, "{}s", millis / 1_000),
            millis => write!(formatter, "{millis}ms"),
        }
    }
}

/// How many of something: `LEAST` to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count<const LEAST: u16, const MOST: u16>(pub(crate) u16);

impl<const LEAST: u16, const MOST: u16> FromStr for Count<LEAST, MOST> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(count) if (LEAST..=MOST).contains(&count) => Ok(Self(count)),
            _ => Err(format!("{text:?} is not a number from {LEAST} to {MOST}")),
        }
    }
}

impl<const LEAST: u16, const MOST: u16> Display for Count<LEAST, MOST> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, formatter)
    }
}

/// Values separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T: FromStr> FromStr for List<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        let words = text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty());
        Ok(Self(words.map(str::parse).collect::<Result<_, _>>()?))
    }
}

impl<T: Display> Display for List<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(formatter, "{comma}{value}")?;
        }
        Ok(())
    }
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switch(pub(crate) bool);

impl FromStr for Switch {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(BadValue::new(text, "a switch", "true or false")),
        }
    }
}

impl Display for Switch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, formatter)
    }
}

/// Where the gateway is reached: `http://host:port`, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatewayUrl(String);

impl GatewayUrl {
    /// This machine, at this port.
    pub(crate) fn loopback(port: u16) -> Self {
        Self(format!("http://127.0.0.1:{port}"))
    }
}

impl FromStr for GatewayUrl {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || {
            let kind = "the URL of a gateway (TLS is not spoken yet)";
            BadValue::new(
                text,
                kind,
                "http://host:port, for example http://127.0.0.1:8080",
            )
        };
        let authority = text.trim_end_matches('/').strip_prefix("http://");
        let authority: Authority = authority.ok_or_else(bad)?.parse().map_err(|_| bad())?;
        if authority.as_str().contains('@') {
            return Err(bad());
        }
        Ok(Self(format!("http://{authority}")))
    }
}

impl Display for GatewayUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A value for people, `none` where there is none.
pub(super) fn none_or(value: Option<&impl Display>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.0, Duration::from_millis(millis), "{text}");
            assert_eq!(span.to_string(), text);
        }
        for text in [
            "10",
            "s",
            "10 s",
            "-1s",
            "1.5s",
            "10d",
            "",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            let error = text.parse::<Span>().unwrap_err().to_string();
            assert!(
                error.contains("a number and its unit: 250ms, 10s, 5m, 1h"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for text in [
            "127.0.0.1:50051",
            "localhost:0",
            "0.0.0.0:65535",
            "[::1]:8080",
            "search-0.mesh:50051",
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "8080",
            ":8080",
            "localhost",
            "localhost:",
            "localhost:http",
            "1.2.3.4:65536",
            "::1:80",
            "http://a:1",
        ] {
            let error = text.parse::<Listen>().unwrap_err().to_string();
            assert_eq!(
                error,
                format!("{text:?} is not an address; write host:port, for example 127.0.0.1:50051")
            );
        }
    }

    #[test]
    fn replicas_listen_ten_ports_apart() {
        let listen = Listen::loopback(50051);
        assert_eq!(listen.replica(0), Some(listen.clone()));
        assert_eq!(listen.replica(2), Some(Listen::loopback(50071)));
        assert_eq!(Listen::loopback(0).replica(3), Some(Listen::loopback(0)));
        assert_eq!(Listen::loopback(65530).replica(1), None);
    }

    #[test]
    fn counts_have_bounds() {
        assert_eq!("2".parse::<Count<1, 64>>(), Ok(Count(2)));
        for text in ["0", "65", "two", "", "-1"] {
            let error = text.parse::<Count<1, 64>>().unwrap_err();
            assert_eq!(error, format!("{text:?} is not a number from 1 to 64"));
        }
    }

    #[test]
    fn lists_hold_values_of_one_kind() {
        for (text, shown) in [
            ("10.0.0.0/8, 192.0.2.7,", "10.0.0.0/8,192.0.2.7/32"),
            ("", ""),
        ] {
            let list: List<gateway::Network> = text.parse().unwrap();
            assert_eq!(list.to_string(), shown);
        }
        let error = "10.0.0.0/8,proxy".parse::<List<gateway::Network>>();
        assert!(error.unwrap_err().to_string().starts_with("\"proxy\" is"));
    }

    #[test]
    fn a_gateway_is_reached_over_http() {
        for (text, url) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://skyway.example/", "http://skyway.example"),
            ("http://[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(text.parse::<GatewayUrl>().unwrap().to_string(), url);
        }
        for text in [
            "",
            "127.0.0.1:8080",
            "https://skyway.example",
            "http://",
            "http://a/b",
            "http://ada@host",
        ] {
            let error = text.parse::<GatewayUrl>().unwrap_err().to_string();
            assert!(
                error.ends_with("write http://host:port, for example http://127.0.0.1:8080"),
                "{error}"
            );
        }
    }
}
