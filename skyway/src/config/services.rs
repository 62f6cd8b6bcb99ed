//! What is asked of every service alike: where it listens, where it is found, where its data is.

use std::ops::Index;

use mesh::client::Endpoints;

use super::secret::{self, Database, SecretUrl};
use super::sections::Values;
use super::value::Count;
use super::{Config, Listen, Service};

/// Where each service is found by the others.
#[derive(Clone, Debug)]
pub(crate) struct Peers([Endpoints; Service::ALL.len()]);

impl Peers {
    /// As `find` says.
    pub(crate) fn new(find: impl FnMut(Service) -> Endpoints) -> Self {
        Self(Service::ALL.map(find))
    }

    /// As the gateway wants them: by the area of the contract.
    pub(crate) fn by_area(&self) -> impl Iterator<Item = (String, Endpoints)> {
        let area = |service: Service| (service.name().to_owned(), self[service].clone());
        Service::ALL.into_iter().map(area)
    }
}

impl Index<Service> for Peers {
    type Output = Endpoints;

    fn index(&self, service: Service) -> &Endpoints {
        // In the order of `Service::ALL`, which is that of the variants.
        &self.0[service as usize]
    }
}

/// What is in every service's section.
struct Common<'a> {
    listen: &'a Listen,
    replicas: Count<1, 64>,
    endpoints: &'a Endpoints,
    database_url: Option<&'a SecretUrl<Database>>,
}

impl Config {
    fn common(&self, service: Service) -> Common<'_> {
        macro_rules! of {
            ($section:ident) => {
                Common {
                    listen: &self.$section.listen,
                    replicas: self.$section.replicas,
                    endpoints: &self.$section.endpoints,
                    database_url: self.$section.database_url.as_ref(),
                }
            };
        }
        match service {
            Service::Search => of!(search),
            Service::Booking => of!(booking),
            Service::Orchestration => of!(orchestration),
            Service::Mail => of!(mail),
            Service::Identity => of!(identity),
        }
    }

    /// Keys of a service's section with their values for people.
    pub(super) fn values_of(&self, service: Service) -> Values {
        let common = self.common(service);
        let mut values = vec![
            ("listen", common.listen.to_string()),
            ("replicas", common.replicas.to_string()),
            ("endpoints", common.endpoints.to_string()),
            ("database_url", secret::masked(&self.database_url(service))),
        ];
        values.extend(match service {
            Service::Search => self.search.values(),
            Service::Booking => self.booking.values(),
            Service::Orchestration => self.orchestration.values(),
            Service::Mail => self.mail.values(),
            Service::Identity => self.identity.values(),
        });
        values
    }

    /// Where a service listens, its first replica in `up`.
    pub(crate) fn listen(&self, service: Service) -> &Listen {
        self.common(service).listen
    }

    /// Replicas of a service in `up`.
    pub(crate) fn replicas(&self, service: Service) -> u16 {
        self.common(service).replicas.0
    }

    /// Where the others find a service.
    pub(crate) fn endpoints(&self, service: Service) -> &Endpoints {
        self.common(service).endpoints
    }

    /// Where the others find all services.
    pub(crate) fn peers(&self) -> Peers {
        Peers::new(|service| self.endpoints(service).clone())
    }

    /// The database of a service: the one that is set, or a file of its name in the data directory.
    pub(crate) fn database_url(&self, service: Service) -> String {
        let set = self.common(service).database_url.map(SecretUrl::reveal);
        let file = || durable::sqlite_url(&self.data_dir.join(format!("{}.db", service.name())));
        set.map_or_else(file, str::to_owned)
    }

    /// The queue of work between services; none for the file in the data directory.
    pub(crate) fn queue_url(&self) -> Option<String> {
        let url = self.queue.url.as_ref();
        url.map(|url| url.reveal().to_owned())
    }
}
