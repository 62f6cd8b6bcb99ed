//! What is asked of every service alike: where it listens, where it is found, where its data is.

use mesh::client::Endpoints;

use super::{Config, Listen, Service};
use crate::config::secret::DatabaseUrl;

/// Where each service is found by the others.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    pub(crate) search: Endpoints,
    pub(crate) booking: Endpoints,
    pub(crate) orchestration: Endpoints,
    pub(crate) identity: Endpoints,
}

impl Peers {
    /// As the gateway wants them: by the area of the contract.
    pub(crate) fn by_area(&self) -> [(String, Endpoints); 4] {
        [
            (Service::Search, &self.search),
            (Service::Booking, &self.booking),
            (Service::Orchestration, &self.orchestration),
            (Service::Identity, &self.identity),
        ]
        .map(|(service, endpoints)| (service.name().to_owned(), endpoints.clone()))
    }
}

impl Config {
    /// Where a service listens, its first replica in `up`.
    pub(crate) fn listen(&self, service: Service) -> &Listen {
        match service {
            Service::Search => &self.search.listen,
            Service::Booking => &self.booking.listen,
            Service::Orchestration => &self.orchestration.listen,
            Service::Identity => &self.identity.listen,
        }
    }

    /// Replicas of a service in `up`.
    pub(crate) fn replicas(&self, service: Service) -> u16 {
        match service {
            Service::Search => self.search.replicas.0,
            Service::Booking => self.booking.replicas.0,
            Service::Orchestration => self.orchestration.replicas.0,
            Service::Identity => self.identity.replicas.0,
        }
    }

    /// Where the others find a service.
    pub(crate) fn endpoints(&self, service: Service) -> &Endpoints {
        match service {
            Service::Search => &self.search.endpoints,
            Service::Booking => &self.booking.endpoints,
            Service::Orchestration => &self.orchestration.endpoints,
            Service::Identity => &self.identity.endpoints,
        }
    }

    /// Where the others find all services.
    pub(crate) fn peers(&self) -> Peers {
        Peers {
            search: self.search.endpoints.clone(),
            booking: self.booking.endpoints.clone(),
            orchestration: self.orchestration.endpoints.clone(),
            identity: self.identity.endpoints.clone(),
        }
    }

    /// The database of a service: the one that is set, or a file of its name in the data directory.
    pub(crate) fn database_url(&self, service: Service) -> String {
        let set = match service {
            Service::Search => &self.search.database_url,
            Service::Booking => &self.booking.database_url,
            Service::Orchestration => &self.orchestration.database_url,
            Service::Identity => &self.identity.database_url,
        };
        let file = || durable::sqlite_url(&self.data_dir.join(format!("{}.db", service.name())));
        set.as_ref()
            .map(DatabaseUrl::reveal)
            .map_or_else(file, str::to_owned)
    }
}
