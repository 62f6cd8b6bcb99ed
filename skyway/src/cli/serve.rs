//! Flags of `skyway up` and `skyway serve`: where each service listens, what it stores in and whom
//! it calls.

use clap::{Args, Subcommand};

use super::{Setting, setting};
use crate::config::Service;

/// Flags of `skyway up`.
#[derive(Args, Debug)]
pub(crate) struct Up {
    /// Where REST is served [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    gateway_listen: Option<String>,
    /// Where the gateway's metrics are served; none for nowhere [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS")]
    gateway_admin_listen: Option<String>,
    /// Where the first search replica serves gRPC; each next one 10 ports higher [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDRESS")]
    search_listen: Option<String>,
    /// Search replicas, 1 to 64 [default: 2]
    #[arg(long, value_name = "COUNT")]
    search_replicas: Option<String>,
    /// The same for booking [default: 127.0.0.1:50052]
    #[arg(long, value_name = "ADDRESS")]
    booking_listen: Option<String>,
    /// Booking replicas, 1 to 64 [default: 1]
    #[arg(long, value_name = "COUNT")]
    booking_replicas: Option<String>,
    /// The same for orchestration [default: 127.0.0.1:50053]
    #[arg(long, value_name = "ADDRESS")]
    orchestration_listen: Option<String>,
    /// Orchestration replicas, 1 to 64 [default: 1]
    #[arg(long, value_name = "COUNT")]
    orchestration_replicas: Option<String>,
    /// The same for mail [default: 127.0.0.1:50054]
    #[arg(long, value_name = "ADDRESS")]
    mail_listen: Option<String>,
    /// Mail replicas, 1 to 64 [default: 1]
    #[arg(long, value_name = "COUNT")]
    mail_replicas: Option<String>,
    /// The same for identity [default: 127.0.0.1:50055]
    #[arg(long, value_name = "ADDRESS")]
    identity_listen: Option<String>,
    /// Identity replicas, 1 to 64 [default: 1]
    #[arg(long, value_name = "COUNT")]
    identity_replicas: Option<String>,
}

/// A service to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Serve {
    /// Serves REST, and calls the services over gRPC
    Gateway {
        /// Where REST is served [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<String>,
        /// Where metrics are served; none for nowhere [default: 127.0.0.1:8081]
        #[arg(long, value_name = "ADDRESS")]
        admin_listen: Option<String>,
        /// Threads to use [default: one per CPU]
        #[arg(long, value_name = "COUNT")]
        threads: Option<String>,
        #[command(flatten)]
        search: SearchReplicas,
        #[command(flatten)]
        booking: BookingReplicas,
        #[command(flatten)]
        orchestration: OrchestrationReplicas,
        #[command(flatten)]
        mail: MailReplicas,
        #[command(flatten)]
        identity: IdentityReplicas,
    },
    /// Serves timetable, itineraries and fares over gRPC
    Search {
        #[command(flatten)]
        replica: Replica,
        #[command(flatten)]
        booking: BookingReplicas,
        #[command(flatten)]
        identity: IdentityReplicas,
    },
    /// Serves seats, holds and bookings over gRPC
    Booking {
        #[command(flatten)]
        replica: Replica,
        #[command(flatten)]
        search: SearchReplicas,
        #[command(flatten)]
        identity: IdentityReplicas,
    },
    /// Serves trips over gRPC, booked whole or not at all
    Orchestration {
        #[command(flatten)]
        replica: Replica,
        #[command(flatten)]
        search: SearchReplicas,
        #[command(flatten)]
        booking: BookingReplicas,
        #[command(flatten)]
        mail: MailReplicas,
        #[command(flatten)]
        identity: IdentityReplicas,
    },
    /// Sends what the others have queued as mails, and tells of them over gRPC
    Mail {
        #[command(flatten)]
        replica: Replica,
        #[command(flatten)]
        search: SearchReplicas,
        #[command(flatten)]
        identity: IdentityReplicas,
    },
    /// Serves users, sessions and the keys of their tokens over gRPC
    Identity {
        #[command(flatten)]
        replica: Replica,
    },
}

/// Flags of every service behind the gateway.
#[derive(Args, Debug)]
pub(crate) struct Replica {
    /// Where gRPC is served [default: 127.0.0.1 and port 50051 search, 50052 booking, 50053 orchestration, 50054 mail, 50055 identity]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Its database: sqlite://, postgres:// or mysql:// [default: a file of its name in the data directory]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Threads to use [default: one per CPU]
    #[arg(long, value_name = "COUNT")]
    threads: Option<String>,
}

/// Where search is.
#[derive(Args, Debug)]
pub(crate) struct SearchReplicas {
    /// Search replicas: a list, or every address of a name [default: port 50051 here]
    #[arg(long, value_name = "static://HOST:PORT,…|dns://HOST:PORT")]
    search_endpoints: Option<String>,
}

/// Where booking is.
#[derive(Args, Debug)]
pub(crate) struct BookingReplicas {
    /// Booking replicas [default: port 50052 here]
    #[arg(long, value_name = "static://…|dns://…")]
    booking_endpoints: Option<String>,
}

/// Where orchestration is.
#[derive(Args, Debug)]
pub(crate) struct OrchestrationReplicas {
    /// Orchestration replicas [default: port 50053 here]
    #[arg(long, value_name = "static://…|dns://…")]
    orchestration_endpoints: Option<String>,
}

/// Where mail is.
#[derive(Args, Debug)]
pub(crate) struct MailReplicas {
    /// Mail replicas [default: port 50054 here]
    #[arg(long, value_name = "static://…|dns://…")]
    mail_endpoints: Option<String>,
}

/// Where identity is.
#[derive(Args, Debug)]
pub(crate) struct IdentityReplicas {
    /// Identity replicas, which tell who a token belongs to [default: port 50055 here]
    #[arg(long, value_name = "static://…|dns://…")]
    identity_endpoints: Option<String>,
}

impl Up {
    pub(super) fn settings(&self) -> Vec<Setting<'_>> {
        let mut settings = vec![
            setting("gateway.listen", "--gateway-listen", &self.gateway_listen),
            setting(
                "gateway.admin_listen",
                "--gateway-admin-listen",
                &self.gateway_admin_listen,
            ),
        ];
        for (service, listen, replicas) in [
            (Service::Search, &self.search_listen, &self.search_replicas),
            (
                Service::Booking,
                &self.booking_listen,
                &self.booking_replicas,
            ),
            (
                Service::Orchestration,
                &self.orchestration_listen,
                &self.orchestration_replicas,
            ),
            (Service::Mail, &self.mail_listen, &self.mail_replicas),
            (
                Service::Identity,
                &self.identity_listen,
                &self.identity_replicas,
            ),
        ] {
            let flag = |key: &str| format!("--{}-{key}", service.name());
            settings.push(setting(service.key("listen"), &flag("listen"), listen));
            settings.push(setting(
                service.key("replicas"),
                &flag("replicas"),
                replicas,
            ));
        }
        settings
    }
}

impl Serve {
    pub(super) fn settings(&self) -> Vec<Setting<'_>> {
        match self {
            Self::Gateway {
                listen,
                admin_listen,
                threads,
                search,
                booking,
                orchestration,
                mail,
                identity,
            } => vec![
                setting("gateway.listen", "--listen", listen),
                setting("gateway.admin_listen", "--admin-listen", admin_listen),
                setting("threads", "--threads", threads),
                endpoints(Service::Search, &search.search_endpoints),
                endpoints(Service::Booking, &booking.booking_endpoints),
                endpoints(
                    Service::Orchestration,
                    &orchestration.orchestration_endpoints,
                ),
                endpoints(Service::Mail, &mail.mail_endpoints),
                endpoints(Service::Identity, &identity.identity_endpoints),
            ],
            Self::Search {
                replica,
                booking,
                identity,
            } => replica.settings(
                Service::Search,
                [
                    endpoints(Service::Booking, &booking.booking_endpoints),
                    endpoints(Service::Identity, &identity.identity_endpoints),
                ],
            ),
            Self::Booking {
                replica,
                search,
                identity,
            } => replica.settings(
                Service::Booking,
                [
                    endpoints(Service::Search, &search.search_endpoints),
                    endpoints(Service::Identity, &identity.identity_endpoints),
                ],
            ),
            Self::Orchestration {
                replica,
                search,
                booking,
                mail,
                identity,
            } => replica.settings(
                Service::Orchestration,
                [
                    endpoints(Service::Search, &search.search_endpoints),
                    endpoints(Service::Booking, &booking.booking_endpoints),
                    endpoints(Service::Mail, &mail.mail_endpoints),
                    endpoints(Service::Identity, &identity.identity_endpoints),
                ],
            ),
            Self::Mail {
                replica,
                search,
                identity,
            } => replica.settings(
                Service::Mail,
                [
                    endpoints(Service::Search, &search.search_endpoints),
                    endpoints(Service::Identity, &identity.identity_endpoints),
                ],
            ),
            Self::Identity { replica } => replica.settings(Service::Identity, []),
        }
    }
}

impl Replica {
    fn settings<'a, const N: usize>(
        &'a self,
        service: Service,
        endpoints: [Setting<'a>; N],
    ) -> Vec<Setting<'a>> {
        let mut settings = vec![
            setting(service.key("listen"), "--listen", &self.listen),
            setting(
                service.key("database_url"),
                "--database-url",
                &self.database_url,
            ),
            setting("threads", "--threads", &self.threads),
        ];
        settings.extend(endpoints);
        settings
    }
}

fn endpoints<'a>(service: Service, value: impl Into<Option<&'a String>>) -> Setting<'a> {
    let flag = format!("--{}-endpoints", service.name());
    setting(service.key("endpoints"), &flag, value)
}
