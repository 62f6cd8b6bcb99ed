//! Dials what the settings name, as far as it can be told from outside whether it is what it should be.

use std::time::Duration;

use anyhow::Context;
use contracts::booking::v1::BOOKING_SERVICE;
use contracts::identity::v1::IDENTITY_SERVICE;
use contracts::mail::v1::MAIL_SERVICE;
use contracts::orchestration::v1::TRIP_SERVICE;
use contracts::rt::route;
use contracts::search::v1::SEARCH_SERVICE;
use durable::Options;
use mesh::client::{Channel, Endpoints};
use search::store::Store;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::config::{Config, Service, masked, variable_of_key};

/// What a dependency answered, under the variable that names it.
pub(super) type Answer = (String, anyhow::Result<String>);

/// How long a server may take to say something.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of its first line that are read.
const MOST: u64 = 512;

/// What each dependency answered.
pub(super) async fn all(config: &Config) -> Vec<Answer> {
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
    dialled.push(dial_queue(config).await);
    if let Some(url) = &config.mail.smtp_url {
        let name = format!("{} {url}", variable_of_key("mail.smtp_url"));
        dialled.push((name, dial_mail_server(url.reveal()).await));
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
        Service::Mail => "SKYWAY_MAIL_DATABASE_URL",
        Service::Identity => "SKYWAY_IDENTITY_DATABASE_URL",
    }
}

/// Whether a database answers. What is in it is its service's to say.
async fn dial_database(variable: &'static str, url: &str) -> anyhow::Result<String> {
    if let Some(server) = server(url) {
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

/// `host:port` of what has one, for `postgres://ada:secret@db/booking` `db:5432`.
fn server(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme {
        "postgres" => 5432,
        "mysql" => 3306,
        "redis" => 6379,
        "smtp" if rest.contains("tls=") => 587,
        "smtp" => 25,
        "smtps" => 465,
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

/// Whether the queue answers, be it a Redis or the file that is used without one.
async fn dial_queue(config: &Config) -> Answer {
    let variable = "REDIS_URL";
    let Some(url) = config.queue_url() else {
        let url = durable::sqlite_url(&config.data_dir.join("queue.db"));
        let answer = dial_database(variable, &url).await;
        return (format!("{variable} {url}"), answer);
    };
    let answer = async {
        if url.starts_with("rediss:") {
            // It says nothing before TLS.
            durable::queue::dial(&url, variable).await?;
            return Ok("answers".to_owned());
        }
        let said = converse(&url, "PING\r\n").await?;
        // Whoever wants a password is there; whether ours is good is its users' to say.
        let known = said.starts_with("+PONG") || said.starts_with("-NOAUTH");
        anyhow::ensure!(known, "answers, but not as a Redis does: {said:?}");
        Ok("answers".to_owned())
    };
    (format!("{variable} {}", masked(&url)), answer.await)
}

async fn dial_mail_server(url: &str) -> anyhow::Result<String> {
    if url.starts_with("smtps:") {
        // It says nothing before TLS.
        return dial_tcp(&server(url).context("names no host")?).await;
    }
    let greeting = converse(url, "").await?;
    anyhow::ensure!(
        greeting.starts_with("220"),
        "answers, but does not take mails: {greeting:?}"
    );
    Ok(format!("greets with {greeting:?}"))
}

/// Says something to a server, and gives the first line of what it says.
async fn converse(url: &str, say: &str) -> anyhow::Result<String> {
    let server = server(url).context("names no host")?;
    let talk = async {
        let connected = TcpStream::connect(&server).await;
        let mut stream = connected.with_context(|| format!("cannot connect to {server}"))?;
        stream.write_all(say.as_bytes()).await?;
        let mut line = String::new();
        let mut first = BufReader::new(stream).take(MOST);
        first.read_line(&mut line).await?;
        anyhow::Ok(line.trim_end().to_owned())
    };
    let said = tokio::time::timeout(PATIENCE, talk).await;
    said.with_context(|| format!("{server} says nothing for {} s", PATIENCE.as_secs()))?
}

async fn dial_timetable(url: &str) -> anyhow::Result<String> {
    if let Some(server) = server(url) {
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
        Service::Mail => &MAIL_SERVICE,
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
    TcpStream::connect(authority)
        .await
        .with_context(|| format!("cannot connect to {authority}"))?;
    Ok("accepts connections".to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn what_is_dialled_has_a_server_or_is_a_file() {
        for (url, expected) in [
            ("postgres://ada:s3cret@db/booking", Some("db:5432")),
            (
                "postgres://ada@db:6432/booking?sslmode=require",
                Some("db:6432"),
            ),
            ("mysql://ada:p@ss@[::1]/booking", Some("[::1]:3306")),
            ("mysql://[::1]:33060", Some("[::1]:33060")),
            ("postgres:///booking?host=/run/postgresql", None),
            ("sqlite:///var/lib/skyway/booking.db", None),
            ("redis://:s3cret@cache/1", Some("cache:6379")),
            ("smtp://mail", Some("mail:25")),
            ("smtp://ada:s3cret@mail?tls=required", Some("mail:587")),
            ("smtp://mail:1025", Some("mail:1025")),
            ("smtps://mail", Some("mail:465")),
        ] {
            assert_eq!(server(url).as_deref(), expected, "{url}");
        }
    }

    /// A server that says something to whoever connects, and its URL.
    async fn says(scheme: &str, line: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(line.as_bytes()).await.unwrap();
            // Closed with something unread, it would take back what it said.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        });
        url
    }

    #[tokio::test]
    async fn a_mail_server_greets() {
        let url = says("smtp", "220 mail ESMTP\r\n").await;
        let answer = dial_mail_server(&url).await.unwrap();
        assert_eq!(answer, "greets with \"220 mail ESMTP\"");
        let url = says("smtp", "554 go away\r\n").await;
        let error = dial_mail_server(&url).await.unwrap_err().to_string();
        assert_eq!(error, "answers, but does not take mails: \"554 go away\"");
    }

    #[tokio::test]
    async fn a_queue_answers_a_ping_and_its_password_is_not_shown() {
        for (scheme, line, good) in [
            ("redis", "+PONG\r\n", true),
            ("redis", "-NOAUTH Authentication required.\r\n", true),
            ("redis", "HTTP/1.1 400 Bad Request\r\n", false),
            // It would have to say so by TLS.
            ("rediss", "+PONG\r\n", false),
        ] {
            let url = says(scheme, line).await.replace("//", "//:s3cret@");
            let environment = [("REDIS_URL".to_owned(), url)];
            let loaded = crate::config::load(None, environment.into_iter(), vec![]).unwrap();
            let (name, answer) = dial_queue(&loaded.config).await;
            assert!(
                name.starts_with(&format!("REDIS_URL {scheme}://:***@127.0.0.1:")),
                "{name}"
            );
            assert_eq!(answer.is_ok(), good, "{line}: {answer:?}");
        }
    }
}
