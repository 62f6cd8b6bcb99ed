//! `skyway check`: what is in effect, why, and whether what it names answers.

use anyhow::Context;
use contracts::search::v1::SEARCH_SERVICE;
use mesh::client::{Channel, Endpoints};
use search::store::Store;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::config::{Config, Loaded, masked, variable_of_key};
use crate::process;

/// Prints every setting, then dials every dependency.
///
/// # Errors
/// One line that counts the dependencies that did not answer; each has a line of its own before it.
pub(crate) fn check(loaded: &Loaded) -> anyhow::Result<()> {
    let rows = loaded.rows();
    let width = rows
        .iter()
        .map(|row| row.value.len())
        .max()
        .unwrap_or_default();
    for row in rows {
        println!("{:<24} {:<width$}  {}", row.key, row.value, row.origin);
    }
    println!();
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

/// What each dependency answered, under the variable that names it.
async fn dial(config: &Config) -> Vec<(String, anyhow::Result<String>)> {
    let mut dialled = vec![(
        format!(
            "{} {}",
            variable_of_key("search.database_url"),
            masked(&config.search().database_url())
        ),
        dial_database(config).await,
    )];
    let endpoints = variable_of_key("search.endpoints");
    match replicas(&config.search.endpoints).await {
        Ok(replicas) => {
            for replica in replicas {
                let answer = dial_health(&replica).await;
                dialled.push((format!("{endpoints} {replica}"), answer));
            }
        }
        Err(error) => dialled.push((endpoints, Err(error))),
    }
    if let Some(collector) = &config.telemetry.otlp_endpoint {
        let name = format!("{} {collector}", variable_of_key("telemetry.otlp_endpoint"));
        dialled.push((name, dial_tcp(collector).await));
    }
    dialled
}

async fn dial_database(config: &Config) -> anyhow::Result<String> {
    let store = Store::open(&config.search().database_url()).await?;
    Ok(match store.timetable_version().await? {
        Some(version) => format!("opens; timetable version {version}"),
        None => "opens; no timetable yet".to_owned(),
    })
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
async fn dial_health(replica: &str) -> anyhow::Result<String> {
    let endpoints = format!("static://{replica}").parse()?;
    let channel = Channel::connect(&SEARCH_SERVICE, mesh::client::Config::new(endpoints));
    let request = HealthCheckRequest {
        service: SEARCH_SERVICE.name.to_owned(),
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
