//! `skyway check`: what is in effect, why, and whether what it names answers.

use anyhow::Context;
use contracts::booking::v1::BOOKING_SERVICE;
use contracts::identity::v1::IDENTITY_SERVICE;
use contracts::orchestration::v1::TRIP_SERVICE;
use contracts::rt::route;
use contracts::search::v1::SEARCH_SERVICE;
use durable::Options;
use mesh::client::{Channel, Endpoints};
use search::store::Store;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::config::{Config, Loaded, Service, masked, variable_of_key};
use crate::process;
use crate::table::{Align, Table};

/// What a dependency answered, under the variable that names it.
type Answer = (String, anyhow::Result<String>);

/// Prints every setting, then dials every dependency.
///
/// # Errors
/// One line that counts the dependencies that did not answer; each has a line of its own before it.
pub(crate) fn check(loaded: &Loaded) -> anyhow::Result<()> {
    let mut settings = Table::new([
        ("KEY", Align::Left),
        ("VALUE", Align::Left),
        ("SET BY", Align::Left),
    ]);
    for row in loaded.rows() {
        settings.row([row.key.to_owned(), row.value, row.origin]);
    }
    println!("{}", settings.text());
    process::make_data_dir(&loaded.config.data_dir)?;
    let dialled = process::single_threaded()?.block_on(dial(&loaded.config));
    let failed = dialled.iter().filter(|(_, result)| result.is_err()).count();
    for (name, result) in &dialled {
        match result {
            Ok(answer) => println!("ok      {name}: {answer}"),
            Err(error) => println!("FAILED  {name}: {error:#}"),
        }
    }
    anyhow::ensure!(
        failed == 0,
        "{failed} of {} dependencies do not answer",
        dialled.len()
    );
    Ok(())
}

/// What each dependency answered.
async fn dial(config: &Config) -> Vec<Answer> {
    let mut dialled = vec![];
    for service in Service::ALL {
        let variable = variable_of(service);
        let url = config.database_url(service);
        let answer = match service {
            Service::Search => dial_timetable(&url).await,
            _ => dial_database(variable, &url).await,
        };
        dialled.push((format!("{variable} {}", masked(&url)), answer));
    }
    for service in Service::ALL {
        dialled.extend(dial_replicas(service, config).await);
    }
    if let Some(collector) = &config.telemetry.otlp_endpoint {
        let name = format!("{} {collector}", variable_of_key("telemetry.otlp_endpoint"));
        dialled.push((name, dial_tcp(collector).await));
    }
    dialled
}

const fn variable_of(service: Service) -> &'static str {
    match service {
        Service::Search => "SKYWAY_SEARCH_DATABASE_URL",
        Service::Booking => "SKYWAY_BOOKING_DATABASE_URL",
        Service::Orchestration => "SKYWAY_ORCHESTRATION_DATABASE_URL",
        Service::Identity => "SKYWAY_IDENTITY_DATABASE_URL",
    }
}

/// Whether a database answers. What is in it is its service's to say.
async fn dial_database(variable: &'static str, url: &str) -> anyhow::Result<String> {
    if let Some(server) = database_server(url) {
        // A pool says only that it has waited for long enough.
        dial_tcp(&server).await?;
    }
    let options = Options {
        url: url.to_owned(),
        variable,
        max_connections: 1,
    };
    durable::dial(&options).await?;
    Ok("opens".to_owned())
}

/// `host:port` of a database that has one, for `postgres://ada:secret@db/booking` `db:5432`.
fn database_server(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme {
        "postgres" => 5432,
        "mysql" => 3306,
        _ => return None,
    };
    let authority = rest.split(['/', '?']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let after_brackets = host.rsplit(']').next()?;
    match host {
        // A socket in the file system.
        "" => None,
        host if after_brackets.contains(':') => Some(host.to_owned()),
        host => Some(format!("{host}:{port}")),
    }
}

async fn dial_timetable(url: &str) -> anyhow::Result<String> {
    if let Some(server) = database_server(url) {
        dial_tcp(&server).await?;
    }
    let store = Store::open(url).await?;
    Ok(match store.timetable_version().await? {
        Some(version) => format!("opens; timetable version {version}"),
        None => "opens; no timetable yet".to_owned(),
    })
}

async fn dial_replicas(service: Service, config: &Config) -> Vec<Answer> {
    let variable = variable_of_key(&service.key("endpoints"));
    let replicas = match replicas(config.endpoints(service)).await {
        Ok(replicas) => replicas,
        Err(error) => return vec![(variable, Err(error))],
    };
    let mut answers = vec![];
    for replica in replicas {
        let answer = dial_health(&replica, contract(service)).await;
        answers.push((format!("{variable} {replica}"), answer));
    }
    answers
}

const fn contract(service: Service) -> &'static route::Service {
    match service {
        Service::Search => &SEARCH_SERVICE,
        Service::Booking => &BOOKING_SERVICE,
        Service::Orchestration => &TRIP_SERVICE,
        Service::Identity => &IDENTITY_SERVICE,
    }
}

/// Every replica behind `endpoints`, as `host:port`.
async fn replicas(endpoints: &Endpoints) -> anyhow::Result<Vec<String>> {
    match endpoints {
        Endpoints::Static(authorities) => Ok(authorities.iter().map(ToString::to_string).collect()),
        Endpoints::Dns { host, port } => {
            let found = tokio::net::lookup_host((host.as_str(), *port)).await;
            let found = found.with_context(|| format!("cannot look up {host}"))?;
            Ok(found.map(|address| address.to_string()).collect())
        }
    }
}

/// Asks one replica for its health over gRPC.
async fn dial_health(replica: &str, contract: &'static route::Service) -> anyhow::Result<String> {
    let endpoints = format!("static://{replica}").parse()?;
    let channel = Channel::connect(contract, mesh::client::Config::new(endpoints));
    let request = HealthCheckRequest {
        service: contract.name.to_owned(),
    };
    let answer = HealthClient::new(channel).check(request).await;
    let answer = answer
        .map_err(|status| anyhow::anyhow!("{}", status.message()))?
        .into_inner();
    match answer.status() {
        ServingStatus::Serving => Ok("serving".to_owned()),
        other => anyhow::bail!("answers, but is {}", other.as_str_name()),
    }
}

/// Connects to the host and port of a URL.
async fn dial_tcp(url: &str) -> anyhow::Result<String> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or(authority);
    tokio::net::TcpStream::connect(authority)
        .await
        .with_context(|| format!("cannot connect to {authority}"))?;
    Ok("accepts connections".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_has_a_server_or_is_a_file() {
        for (url, server) in [
            ("postgres://ada:s3cret@db/booking", Some("db:5432")),
            (
                "postgres://ada@db:6432/booking?sslmode=require",
                Some("db:6432"),
            ),
            ("mysql://ada:p@ss@[::1]/booking", Some("[::1]:3306")),
            ("mysql://[::1]:33060", Some("[::1]:33060")),
            ("postgres:///booking?host=/run/postgresql", None),
            ("sqlite:///var/lib/skyway/booking.db", None),
        ] {
            assert_eq!(database_server(url).as_deref(), server, "{url}");
        }
    }
}
