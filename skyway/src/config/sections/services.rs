//! The sections of the services: what every service has, and what only one of them has.

use http::uri::Authority;
use mesh::client::Endpoints;
use serde::Deserialize;

use super::Values;
use crate::config::mails::{Mailbox, Rate};
use crate::config::secret::{self, Database, Key, MailServer, Secret, SecretUrl};
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
    /// Mails.
    Mail,
    /// Users and sessions.
    Identity,
}

impl Service {
    /// All of them, as they are listed to people.
    pub(crate) const ALL: [Self; 5] = [
        Self::Search,
        Self::Booking,
        Self::Orchestration,
        Self::Mail,
        Self::Identity,
    ];

    /// Its section, and the area of its contract.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Booking => "booking",
            Self::Orchestration => "orchestration",
            Self::Mail => "mail",
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
    pub(crate) database_url: Option<SecretUrl<Database>>,
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
    pub(crate) database_url: Option<SecretUrl<Database>>,
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
    pub(crate) database_url: Option<SecretUrl<Database>>,
    /// Connections to its database that a replica has at most, 1 to 1024. Default 16.
    #[serde(deserialize_with = "value::text")]
    pub(crate) max_connections: Count<1, 1024>,
}

/// The mail service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mail {
    /// As in `search`. Default 127.0.0.1:50054.
    #[serde(deserialize_with = "value::text")]
    pub(crate) listen: Listen,
    /// Replicas that `up` runs, 1 to 64. Default 1.
    #[serde(deserialize_with = "value::text")]
    pub(crate) replicas: Count<1, 64>,
    /// As in `search`. Default `static://127.0.0.1:50054`.
    #[serde(deserialize_with = "value::text")]
    pub(crate) endpoints: Endpoints,
    /// Database of what was sent. Default: `mail.db` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) database_url: Option<SecretUrl<Database>>,
    /// Connections to its database that a replica has at most, 1 to 1024. Default 16.
    #[serde(deserialize_with = "value::text")]
    pub(crate) max_connections: Count<1, 1024>,
    /// Mails per second over all replicas, above 0 and at most 10,000. Default 50.
    #[serde(deserialize_with = "value::text")]
    pub(crate) rate: Rate,
    /// Mails that may leave at once after a pause, 1 to 10,000. Default 50.
    #[serde(deserialize_with = "value::text")]
    pub(crate) burst: Count<1, 10_000>,
    /// Whom mails come from. Default `Skyway <trips@skyway.local>`.
    #[serde(deserialize_with = "value::text")]
    pub(crate) from: Mailbox,
    /// Where answers go. Default none: to the sender.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) reply_to: Option<Mailbox>,
    /// The mail server, `smtp://` or `smtps://`; `SMTP_URL` sets it. Default none: mails are files in
    /// `mail` in the data directory.
    #[serde(deserialize_with = "value::optional")]
    pub(crate) smtp_url: Option<SecretUrl<MailServer>>,
    /// Mails that a replica works on at once, 1 to 1024. Default 32.
    #[serde(deserialize_with = "value::text")]
    pub(crate) concurrency: Count<1, 1024>,
    /// Those of them that may go to one domain, 1 to 1024. Default 16.
    #[serde(deserialize_with = "value::text")]
    pub(crate) domain_concurrency: Count<1, 1024>,
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
    pub(crate) database_url: Option<SecretUrl<Database>>,
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

impl Default for Mail {
    fn default() -> Self {
        Self {
            listen: Listen::loopback(50054),
            replicas: Count(1),
            endpoints: at("127.0.0.1:50054"),
            database_url: None,
            max_connections: Count(16),
            rate: Rate(50.0),
            burst: Count(50),
            from: Mailbox::from("Skyway <trips@skyway.local>"),
            reply_to: None,
            smtp_url: None,
            concurrency: Count(32),
            domain_concurrency: Count(16),
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

// Keys that only this service has; those that all have are told where they are read.

impl Search {
    pub(in crate::config) fn values(&self) -> Values {
        vec![
            ("offer_key", secret::or_none(self.offer_key.as_ref())),
            ("demonstration", self.demonstration.to_string()),
            ("live_seats", self.live_seats.to_string()),
        ]
    }
}

impl Booking {
    pub(in crate::config) fn values(&self) -> Values {
        vec![
            ("max_connections", self.max_connections.to_string()),
            ("hold_ttl", self.hold_ttl.to_string()),
        ]
    }
}

impl Orchestration {
    pub(in crate::config) fn values(&self) -> Values {
        vec![("max_connections", self.max_connections.to_string())]
    }
}

impl Mail {
    pub(in crate::config) fn values(&self) -> Values {
        vec![
            ("max_connections", self.max_connections.to_string()),
            ("rate", self.rate.to_string()),
            ("burst", self.burst.to_string()),
            ("from", self.from.to_string()),
            ("reply_to", none_or(self.reply_to.as_ref())),
            ("smtp_url", none_or(self.smtp_url.as_ref())),
            ("concurrency", self.concurrency.to_string()),
            ("domain_concurrency", self.domain_concurrency.to_string()),
        ]
    }
}

impl Identity {
    pub(in crate::config) fn values(&self) -> Values {
        let password = self.admin_password.as_ref();
        vec![
            ("max_connections", self.max_connections.to_string()),
            ("admin_email", none_or(self.admin_email.as_ref())),
            ("admin_password", secret::or_none(password)),
            ("key", secret::or_none(self.key.as_ref())),
        ]
    }
}
