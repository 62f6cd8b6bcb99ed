//! Connections to Redis: when they are replaced, and what is tried again.
//!
//! Every command goes over one connection, on which many are under way at once, but for a read that
//! blocks: all others would wait behind it, so it has a connection of its own. After a broken connection
//! or a fail-over the next command makes a new one. What is done again was perhaps done before;
//! the scripts are written so that this does no harm.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mesh::backoff::Backoff;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError,
    RedisResult, ScriptInvocation, ServerErrorKind, aio::MultiplexedConnection,
};

use super::super::QueueError;

/// How long making a connection may take, and an answer (the crate's own default is half a second).
const TIMEOUT: Duration = Duration::from_secs(5);
/// Attempts in all; with the delays between them they take about a second at most.
const ATTEMPTS: u32 = 7;
const FIRST_DELAY: Duration = Duration::from_millis(20);
const MOST_DELAY: Duration = Duration::from_secs(1);
/// Connections for blocking reads that are kept for the next one.
const MOST_SPARE: usize = 4;

/// The way to a Redis server. Clones share their connections.
#[derive(Clone, Debug)]
pub(super) struct Link {
    client: Client,
    shared: Arc<Mutex<Shared>>,
    /// For blocking reads, while none of them uses it.
    spare: Arc<Mutex<Vec<MultiplexedConnection>>>,
}

#[derive(Default)]
struct Shared {
    connection: Option<MultiplexedConnection>,
    /// Counted up with every connection: one that broke is not to take its successor with it.
    generation: u64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// What is asked of the server.
#[derive(Clone, Copy)]
pub(super) enum Call<'a> {
    Script(&'a ScriptInvocation<'a>),
    Command(&'a Cmd),
    /// All of it or nothing.
    Transaction(&'a Pipeline),
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// Try again, over a new connection.
    Reconnect,
    /// Try again.
    Wait,
    /// Make the consumer group, and try again.
    MakeGroup,
    /// Tell the caller.
    None,
}

impl Link {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            shared: Arc::default(),
            spare: Arc::default(),
        }
    }

    /// A new connection, whose answers may take so long.
    pub(super) async fn connect(&self, timeout: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(timeout));
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Calls until it succeeds, fails for good, or has been tried often enough. `open` makes the group.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        call: Call<'_>,
        open: &ScriptInvocation<'_>,
    ) -> Result<T, QueueError> {
        let mut backoff = Backoff::new(FIRST_DELAY, MOST_DELAY);
        let mut failures = 0;
        loop {
            let error = match self.call_once(call, open).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures += 1;
            if remedy(&error) == Remedy::None || failures == ATTEMPTS {
                explain(&error);
                return Err(QueueError::new(error));
            }
            metrics::counter!("queue_retries_total").increment(1);
            tokio::time::sleep(backoff.next(fastrand::f64())).await;
        }
    }

    async fn call_once<T: FromRedisValue>(
        &self,
        call: Call<'_>,
        open: &ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        let (mut connection, generation) = self.shared().await?;
        let outcome = match call {
            // By its digest; one that the server does not know, or no more, is loaded first.
            Call::Script(script) => script.invoke_async(&mut connection).await,
            Call::Command(command) => command.query_async(&mut connection).await,
            Call::Transaction(pipeline) => {
                let outcome = pipeline.query_async(&mut connection).await;
                outcome.map_err(first)
            }
        };
        match outcome.as_ref().map_err(remedy) {
            Err(Remedy::Reconnect) => self.drop_shared(generation),
            Err(Remedy::MakeGroup) => open.invoke_async::<()>(&mut connection).await?,
            _ => {}
        }
        outcome
    }

    async fn shared(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        let known =
            self.with_shared(|shared| Some((shared.connection.clone()?, shared.generation)));
        if let Some(known) = known {
            return Ok(known);
        }
        // Two that find none make one each, and the second one's is kept: that is rare.
        let connection = self.connect(TIMEOUT).await?;
        Ok(self.with_shared(|shared| {
            shared.generation += 1;
            shared.connection = Some(connection.clone());
            (connection, shared.generation)
        }))
    }

    fn drop_shared(&self, generation: u64) {
        self.with_shared(|shared| {
            if shared.generation == generation {
                shared.connection = None;
            }
        });
    }

    fn with_shared<T>(&self, action: impl FnOnce(&mut Shared) -> T) -> T {
        action(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until something is added to the streams behind these entries, for `most` at most. It is only
    /// read, not taken: whoever stops waiting takes nothing with them.
    pub(super) async fn news(&self, streams: [&str; 2], behind: [&str; 2], most: Duration) {
        let spare = self.with_spare(Vec::pop);
        let connection = match spare {
            Some(connection) => Ok(connection),
            None => self.connect(most + TIMEOUT).await,
        };
        let outcome = match connection {
            Ok(connection) => read(connection, streams, behind, most).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(connection) => self.with_spare(|spare| {
                if spare.len() < MOST_SPARE {
                    spare.push(connection);
                }
            }),
            Err(error) => {
                // The next attempt to take something tells it, if it goes on.
                tracing::debug!(%error, "cannot wait for messages");
                tokio::time::sleep(most.min(MOST_DELAY)).await;
            }
        }
    }

    fn with_spare<T>(&self, action: impl FnOnce(&mut Vec<MultiplexedConnection>) -> T) -> T {
        action(&mut self.spare.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads one entry behind these, and gives the connection back.
async fn read(
    mut connection: MultiplexedConnection,
    streams: [&str; 2],
    behind: [&str; 2],
    most: Duration,
) -> RedisResult<MultiplexedConnection> {
    // Zero would block for ever.
    let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).max(1);
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(1).arg("BLOCK").arg(millis);
    command.arg("STREAMS").arg(&streams).arg(&behind);
    command.query_async::<redis::Value>(&mut connection).await?;
    Ok(connection)
}

/// Of what has failed in a transaction, what failed first.
fn first(error: RedisError) -> RedisError {
    let errors = error.clone().into_server_errors();
    let first = errors.and_then(|errors| errors.first().cloned());
    first.map_or(error, |(_, error)| error.into())
}

fn remedy(error: &RedisError) -> Remedy {
    match error.kind() {
        // A replica that was the master until just now; its name may lead to the new one.
        ErrorKind::Io
        | ErrorKind::Parse
        | ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => {
            Remedy::Reconnect
        }
        ErrorKind::Server(
            ServerErrorKind::BusyLoading | ServerErrorKind::TryAgain | ServerErrorKind::ClusterDown,
        ) => Remedy::Wait,
        _ => match error.code() {
            Some("NOGROUP") => Remedy::MakeGroup,
            Some("BUSY") => Remedy::Wait,
            _ => Remedy::None,
        },
    }
}

/// Says what an operator can do about it.
fn explain(error: &RedisError) {
    match error.code() {
        Some("OOM") => tracing::warn!(
            %error,
            "Redis is full and takes no messages; raise its maxmemory, or see what else it holds (maxmemory-policy must be noeviction)"
        ),
        Some("MISCONF") => tracing::warn!(
            %error,
            "Redis cannot save and takes no messages; see its log and the space on its disk"
        ),
        _ => tracing::debug!(%error, "Redis has failed"),
    }
}
