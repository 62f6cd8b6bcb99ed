//! Every port of the process, taken before anything starts, and how the parts find each other.

use std::net::SocketAddr;

use anyhow::Context;
use http::uri::Authority;
use mesh::client::Endpoints;

use crate::config::{Config, Peers, Service, variable_of_key};
use crate::listen::{self, Bound};
use crate::probe;

/// Every port of the process.
pub(super) struct Ports {
    pub(super) gateway: Bound,
    pub(super) admin: Option<Bound>,
    pub(super) replicas: Vec<Replica>,
}

/// One replica of a service and its port.
pub(super) struct Replica {
    pub(super) service: Service,
    /// For people: `search 2`.
    pub(super) label: String,
    pub(super) listener: Bound,
}

/// Where a client on this machine finds what.
pub(super) struct Addresses {
    pub(super) gateway: SocketAddr,
    pub(super) admin: Option<SocketAddr>,
    /// Replicas by their label.
    pub(super) replicas: Vec<(String, SocketAddr)>,
}

impl Ports {
    /// Takes them all.
    ///
    /// # Errors
    /// One line: the first that cannot be had.
    pub(super) fn bind(config: &Config) -> anyhow::Result<Self> {
        let (variable, flag) = ("SKYWAY_GATEWAY_LISTEN", "--gateway-listen");
        let gateway = listen::bind("gateway", &config.gateway.listen, variable, flag)?;
        let admin = config.gateway.admin_listen.as_ref().map(|address| {
            let (variable, flag) = ("SKYWAY_GATEWAY_ADMIN_LISTEN", "--gateway-admin-listen");
            listen::bind("gateway admin", address, variable, flag)
        });
        let admin = admin.transpose()?;
        let mut replicas = vec![];
        for service in Service::ALL {
            for index in 0..config.replicas(service) {
                replicas.push(Replica::bind(service, index, config)?);
            }
        }
        Ok(Self {
            gateway,
            admin,
            replicas,
        })
    }

    pub(super) fn addresses(&self) -> Addresses {
        let replica = |replica: &Replica| (replica.label.clone(), replica.listener.reachable());
        Addresses {
            gateway: self.gateway.reachable(),
            admin: self.admin.as_ref().map(Bound::reachable),
            replicas: self.replicas.iter().map(replica).collect(),
        }
    }

    /// Where the parts find each other, whatever the settings say of other processes.
    pub(super) fn peers(&self) -> anyhow::Result<Peers> {
        let replicas = self.replicas.iter().map(|replica| {
            let authority: Authority = replica.listener.reachable().to_string().parse()?;
            anyhow::Ok((replica.service, authority))
        });
        let replicas = replicas.collect::<Result<Vec<_>, _>>()?;
        Ok(Peers::new(|service| {
            let own = replicas.iter().filter(|(of, _)| *of == service);
            Endpoints::Static(own.map(|(_, authority)| authority.clone()).collect())
        }))
    }
}

impl Replica {
    fn bind(service: Service, index: u16, config: &Config) -> anyhow::Result<Self> {
        let label = match config.replicas(service) {
            1 => service.name().to_owned(),
            _ => format!("{} {}", service.name(), index + 1),
        };
        let variable = variable_of_key(&service.key("listen"));
        let flag = format!("--{}-listen", service.name());
        let address = config.listen(service).replica(index);
        let address =
            address.with_context(|| format!("{label}: {variable} leaves no port for it"))?;
        Ok(Self {
            service,
            listener: listen::bind(&label, &address, &variable, &flag)?,
            label,
        })
    }
}

impl Addresses {
    /// Completes when every part says that it is ready.
    pub(super) async fn until_ready(&self) {
        let replicas = self.replicas.iter().map(|(_, address)| address);
        for address in replicas.chain([&self.gateway]) {
            probe::until_ready(*address).await;
        }
    }
}
