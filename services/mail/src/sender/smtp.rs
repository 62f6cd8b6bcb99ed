//! Mails handed to a mail server, within a bounded time.

use std::time::Duration;

use lettre::{address::Envelope as Route, transport::smtp::Error};
use tokio::time::timeout;

use super::{
    mime::Envelope,
    pool::{OpenError, Pool},
    url::Server,
};
use crate::domain::{
    answer::{Stage, Verdict, verdict},
    error::SendError,
    letter::Letter,
    ports::SEND_TIMEOUT_MS,
};

/// For a mail from connecting to its acceptance.
const TIMEOUT: Duration = Duration::from_millis(SEND_TIMEOUT_MS.unsigned_abs());

/// A mail server.
#[derive(Debug)]
pub(crate) struct Smtp {
    pool: Pool,
    envelope: Envelope,
}

impl Smtp {
    pub(super) fn new(server: Server, envelope: Envelope, connections: usize) -> Self {
        Self {
            pool: Pool::new(server, envelope.domain(), connections),
            envelope,
        }
    }

    pub(super) fn server(&self) -> (&str, u16) {
        self.pool.server()
    }

    pub(super) async fn send(&self, letter: &Letter) -> Result<String, SendError> {
        let message = self.envelope.wrap(letter)?;
        let bytes = message.formatted();
        let handed = timeout(TIMEOUT, self.hand(message.envelope(), &bytes)).await;
        handed.unwrap_or_else(|_| {
            let seconds = TIMEOUT.as_secs();
            Err(SendError::passing(format!("no answer within {seconds} s")))
        })
    }

    async fn hand(&self, route: &Route, message: &[u8]) -> Result<String, SendError> {
        let opened = self.pool.take().await;
        let mut connection = opened.map_err(|error| match error {
            OpenError::Smtp(error) => refusal(Stage::Opening, &error),
            OpenError::Tcp(_) => SendError::passing(described(&error)),
        })?;
        let handed = connection.send(route, message).await;
        let answer = handed.map_err(|error| refusal(Stage::Handing, &error))?;
        self.pool.give_back(connection);
        Ok(format!(
            "{} {}",
            answer.code(),
            answer.message().collect::<Vec<_>>().join(" ")
        ))
    }
}

fn refusal(stage: Stage, error: &Error) -> SendError {
    let code = error.status().map(u16::from);
    SendError {
        // What lettre refuses by itself, such as an address that this server cannot read, it refuses every time.
        verdict: if error.is_client() && stage == Stage::Handing {
            Verdict::Permanent
        } else {
            verdict(stage, code)
        },
        code,
        message: described(error),
    }
}

/// An error with what caused it.
fn described(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let further = error.to_string();
        if !text.contains(&further) {
            text = format!("{text}: {further}");
        }
        cause = error.source();
    }
    text
}
