//! The sections of the services: what every service has, and what only one of them has.

use http::uri::Authority;
use mesh::client::Endpoints;
use serde::Deserialize;

use super::Values;
use crate::config::secret::{self, DatabaseUrl, Key, Secret};
use crate::config::value::{self, Count, Listen, Span, Switch, none_or};

/// A service behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    /// Timetable, itineraries and fares.
    Search,
    /// Seats, holds and bookings.
    Booking,
    /// Trips.
    Orchestration,
    /// Users and sessions.
    Identity,
}

impl Service {
    /// All of them, as they are listed to people.
    pub(crate) const ALL: [Self; 4] = [
        Self::Search,
        Self::Booking,
        Self::Orchestration,
        Self::Identity,
    ];

    /// Its section, and the area of its contract.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Booking => "booking",
            Self::Orchestration => "orchestration",
            Self::Identity => "identity",
        }
    }

    /// One of its keys.
    pub(crate) fn key(self, key: &str) -> String {
        format!("{}.{key}", self.name())
    }
}

/// The search service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Search {
    /// Where gRPC is served; in `up`, replica k listens 10·k higher. Default 127.0.0.1:50051.
    #[serde(deserialize_with = "value::text")]
    pub(crate) listen: Listen,
    /// Replicas that `up` runs, 1 to 64. Default 2.
    #[serde(deserialize_with = "value::text")]
    pub(crate) replicas: Count<1, 64>,
    /// Where the others find the service: `static://host:port,host:port` or
    /// `dns://host:port`, every address of which is a replica. Default `static://127.0.0.1:50051`.
    #[serde(deserialize_with = "value::text")]
    pub(crate) endpoints: Endpoints,
    /// Database of the timetable. Default: `search.db` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) database_url: Option<DatabaseUrl>,
    /// Key that signs offers and page tokens, the same for all replicas, and orchestration's to
    /// check offers: 64 hexadecimal digits. Default none: made at first start and kept in
    /// `offer.key` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) offer_key: Option<Key>,
    /// Whether an empty timetable is filled with the demonstration network. Default true.
    #[serde(deserialize_with = "value::text")]
    pub(crate) demonstration: Switch,
    /// Whether seats left follow what booking sells; else they are the timetable's, and booking
    /// need not run. Default true.
    #[serde(deserialize_with = "value::text")]
    pub(crate) live_seats: Switch,
}

/// The booking service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Booking {
    /// As in `search`. Default 127.0.0.1:50052.
    #[serde(deserialize_with = "value::text")]
    pub(crate) listen: Listen,
    /// Replicas that `up` runs, 1 to 64. Default 1.
    #[serde(deserialize_with = "value::text")]
    pub(crate) replicas: Count<1, 64>,
    /// As in `search`. Default `static://127.0.0.1:50052`.
    #[serde(deserialize_with = "value::text")]
    pub(crate) endpoints: Endpoints,
    /// Database of seats and bookings. Default: `booking.db` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) database_url: Option<DatabaseUrl>,
    /// Connections to its database that a replica has at most, 1 to 1024. Default 16.
    #[serde(deserialize_with = "value::text")]
    pub(crate) max_connections: Count<1, 1024>,
    /// How long seats are held for a trip that is not confirmed. Default 10m.
    #[serde(deserialize_with = "value::text")]
    pub(crate) hold_ttl: Span,
}

/// The orchestration service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Orchestration {
    /// As in `search`. Default 127.0.0.1:50053.
    #[serde(deserialize_with = "value::text")]
    pub(crate) listen: Listen,
    /// Replicas that `up` runs, 1 to 64. Default 1.
    #[serde(deserialize_with = "value::text")]
    pub(crate) replicas: Count<1, 64>,
    /// As in `search`. Default `static://127.0.0.1:50053`.
    #[serde(deserialize_with = "value::text")]
    pub(crate) endpoints: Endpoints,
    /// Database of trips and their log. Default: `orchestration.db` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) database_url: Option<DatabaseUrl>,
    /// Connections to its database that a replica has at most, 1 to 1024. Default 16.
    #[serde(deserialize_with = "value::text")]
    pub(crate) max_connections: Count<1, 1024>,
}

/// The identity service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Identity {
    /// As in `search`. Default 127.0.0.1:50055.
    #[serde(deserialize_with = "value::text")]
    pub(crate) listen: Listen,
    /// Replicas that `up` runs, 1 to 64. Default 1.
    #[serde(deserialize_with = "value::text")]
    pub(crate) replicas: Count<1, 64>,
    /// As in `search`. Default `static://127.0.0.1:50055`.
    #[serde(deserialize_with = "value::text")]
    pub(crate) endpoints: Endpoints,
    /// Database of users and sessions. Default: `identity.db` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) database_url: Option<DatabaseUrl>,
    /// Connections to its database that a replica has at most, 1 to 1024. Default 16.
    #[serde(deserialize_with = "value::text")]
    pub(crate) max_connections: Count<1, 1024>,
    /// Address of the first administrator, who is made where there is none yet. Default none; `up`
    /// then makes one and shows the password once.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) admin_email: Option<String>,
    /// Password of that administrator. Default none.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) admin_password: Option<Secret>,
    /// Key that guards the signing keys in the database, the same for all replicas: 64 hexadecimal
    /// digits. Default none: made at first start and kept in `identity.key` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) key: Option<Key>,
}

fn at(authority: &'static str) -> Endpoints {
    Endpoints::Static(vec![Authority::from_static(authority)])
}

impl Default for Search {
    fn default() -> Self {
        Self {
            listen: Listen::loopback(50051),
            replicas: Count(2),
            endpoints: at("127.0.0.1:50051"),
            database_url: None,
            offer_key: None,
            demonstration: Switch(true),
            live_seats: Switch(true),
        }
    }
}

impl Default for Booking {
    fn default() -> Self {
        Self {
            listen: Listen::loopback(50052),
            replicas: Count(1),
            endpoints: at("127.0.0.1:50052"),
            database_url: None,
            max_connections: Count(16),
            hold_ttl: Span(std::time::Duration::from_mins(10)),
        }
    }
}

impl Default for Orchestration {
    fn default() -> Self {
        Self {
            listen: Listen::loopback(50053),
            replicas: Count(1),
            endpoints: at("127.0.0.1:50053"),
            database_url: None,
            max_connections: Count(16),
        }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            listen: Listen::loopback(50055),
            replicas: Count(1),
            endpoints: at("127.0.0.1:50055"),
            database_url: None,
            max_connections: Count(16),
            admin_email: None,
            admin_password: None,
            key: None,
        }
    }
}

// The databases' URLs depend on the data directory too, and come from the caller.

impl Search {
    pub(in crate::config) fn values(&self, database_url: &str) -> Values {
        vec![
            ("search.listen", self.listen.to_string()),
            ("search.replicas", self.replicas.to_string()),
            ("search.endpoints", self.endpoints.to_string()),
            ("search.database_url", secret::masked(database_url)),
            ("search.offer_key", secret::or_none(self.offer_key.as_ref())),
            ("search.demonstration", self.demonstration.to_string()),
            ("search.live_seats", self.live_seats.to_string()),
        ]
    }
}

impl Booking {
    pub(in crate::config) fn values(&self, database_url: &str) -> Values {
        vec![
            ("booking.listen", self.listen.to_string()),
            ("booking.replicas", self.replicas.to_string()),
            ("booking.endpoints", self.endpoints.to_string()),
            ("booking.database_url", secret::masked(database_url)),
            ("booking.max_connections", self.max_connections.to_string()),
            ("booking.hold_ttl", self.hold_ttl.to_string()),
        ]
    }
}

impl Orchestration {
    pub(in crate::config) fn values(&self, database_url: &str) -> Values {
        vec![
            ("orchestration.listen", self.listen.to_string()),
            ("orchestration.replicas", self.replicas.to_string()),
            ("orchestration.endpoints", self.endpoints.to_string()),
            ("orchestration.database_url", secret::masked(database_url)),
            (
                "orchestration.max_connections",
                self.max_connections.to_string(),
            ),
        ]
    }
}

impl Identity {
    pub(in crate::config) fn values(&self, database_url: &str) -> Values {
        vec![
            ("identity.listen", self.listen.to_string()),
            ("identity.replicas", self.replicas.to_string()),
            ("identity.endpoints", self.endpoints.to_string()),
            ("identity.database_url", secret::masked(database_url)),
            ("identity.max_connections", self.max_connections.to_string()),
            ("identity.admin_email", none_or(self.admin_email.as_ref())),
            (
                "identity.admin_password",
                secret::or_none(self.admin_password.as_ref()),
            ),
            ("identity.key", secret::or_none(self.key.as_ref())),
        ]
    }
}
