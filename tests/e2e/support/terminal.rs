//! Somebody at a terminal, with a session of their own.

use serde_json::Value;
use tempfile::TempDir;

use super::cluster::Up;
use super::process::{Finished, Process};

/// A terminal of somebody who uses the gateway of `up`.
#[derive(Debug)]
pub(crate) struct Terminal {
    gateway: String,
    password: String,
    home: TempDir,
}

impl Terminal {
    pub(crate) fn new(up: &Up, password: &str) -> Self {
        Self {
            gateway: up.rest().base().to_owned(),
            password: password.to_owned(),
            home: TempDir::new().unwrap(),
        }
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        let session = self.home.path().join("session.json");
        let environment = [
            ("SKYWAY_GATEWAY_URL", self.gateway.as_str()),
            ("SKYWAY_SESSION_FILE", session.to_str().unwrap()),
            ("SKYWAY_PASSWORD", &self.password),
        ];
        Process::run(arguments, &environment).await
    }

    /// What a command prints that must succeed.
    pub(crate) async fn prints(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments).await;
        assert_eq!(
            finished.code,
            Some(0),
            "{arguments:?}: {}{}",
            finished.stdout,
            finished.stderr
        );
        finished.stdout
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.prints(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error} in {printed}"))
    }
}
