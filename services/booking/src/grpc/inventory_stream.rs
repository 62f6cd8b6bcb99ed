//! Live seats: all there is, then every change.
//!
//! A replica follows the outbox once, for all its streams. A stream joins that first and reads the
//! tables then: what is committed before the reading is in the tables, what is committed after it is
//! still to come from the outbox, and what is in both has a version that tells. A stream that is
//! read too slowly ends, for it has missed something: the reader begins again.

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use contracts::booking::v1::{Inventory as InventoryMessage, StreamInventoryResponse};
use durable::queue::{Follower, Message};
use futures_util::{Stream, stream};
use prost::Message as _;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{convert, error};
use crate::domain::{inventory::CabinKey, ports::Store};

/// Cabins of one message.
const PAGE: u64 = 500;
/// Messages that a slow reader may fall behind; each has up to some hundreds of changes.
const BACKLOG: usize = 256;
/// Before a log that could not be read is read again.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) type Answers =
    Pin<Box<dyn Stream<Item = Result<StreamInventoryResponse, Status>> + Send>>;

/// Where all streams of a replica get their changes.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    changes: broadcast::Sender<Arc<[InventoryMessage]>>,
    shutdown: CancellationToken,
}

impl Feed {
    /// A feed whose streams end at `shutdown`.
    pub(crate) fn new(shutdown: CancellationToken) -> Self {
        Self {
            changes: broadcast::Sender::new(BACKLOG),
            shutdown,
        }
    }

    /// Streams what is in the store, then every change. `now` in Unix milliseconds.
    pub(super) fn stream<S: Store>(&self, store: Arc<S>, now: i64) -> Answers {
        let reader = Reader {
            // Before anything is read.
            changes: self.changes.subscribe(),
            stage: Stage::Snapshot(None),
            shutdown: self.shutdown.clone(),
            store,
            now,
        };
        Box::pin(stream::unfold(reader, Reader::next))
    }
}

/// Hands on what the outbox tells, without end.
pub(crate) async fn relay(mut follower: impl Follower, feed: Feed) -> std::convert::Infallible {
    let mut failing = false;
    loop {
        match follower.next().await {
            Ok(messages) => {
                failing = false;
                // Nobody may be listening.
                let _ = feed.changes.send(newest(&messages).into());
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(?error, "cannot read the inventory log; streams stand still");
                }
                failing = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The last word on each cabin.
fn newest(messages: &[Message]) -> Vec<InventoryMessage> {
    let mut newest: HashMap<&str, InventoryMessage> = HashMap::new();
    for message in messages {
        match InventoryMessage::decode(message.payload.as_slice()) {
            Ok(seats) => {
                let known = newest.entry(&message.aggregate).or_default();
                if known.version <= seats.version {
                    *known = seats;
                }
            }
            Err(error) => {
                tracing::error!(%error, outbox.id = message.id, "an inventory event cannot be read");
            }
        }
    }
    newest.into_values().collect()
}

struct Reader<S> {
    changes: broadcast::Receiver<Arc<[InventoryMessage]>>,
    stage: Stage,
    shutdown: CancellationToken,
    store: Arc<S>,
    now: i64,
}

enum Stage {
    /// The tables behind this cabin are still to be sent.
    Snapshot(Option<CabinKey>),
    /// All that was there has been sent.
    Changes,
    Ended,
}

impl<S: Store> Reader<S> {
    async fn next(mut self) -> Option<(Result<StreamInventoryResponse, Status>, Self)> {
        let answer = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Snapshot(after) => self.page(after.as_ref()).await,
            Stage::Changes => self.change().await,
            Stage::Ended => return None,
        };
        let answer = answer.map(|(inventory, next)| {
            let caught_up = matches!(next, Stage::Changes);
            self.stage = next;
            StreamInventoryResponse {
                inventory,
                caught_up,
            }
        });
        Some((answer, self))
    }

    /// The next page of the tables, and where it goes on.
    async fn page(
        &self,
        after: Option<&CabinKey>,
    ) -> Result<(Vec<InventoryMessage>, Stage), Status> {
        let found = self.store.inventory(after, self.now, PAGE);
        let page = found.await.map_err(error::store)?;
        let next = match page.last() {
            Some(last) if page.len() as u64 == PAGE => Stage::Snapshot(Some(last.key.clone())),
            _ => Stage::Changes,
        };
        Ok((page.iter().map(convert::inventory).collect(), next))
    }

    async fn change(&mut self) -> Result<(Vec<InventoryMessage>, Stage), Status> {
        tokio::select! {
            () = self.shutdown.cancelled() => Err(error::shutting_down()),
            changes = self.changes.recv() => match changes {
                Ok(changes) => Ok((changes.to_vec(), Stage::Changes)),
                Err(RecvError::Lagged(_)) => Err(error::fell_behind()),
                Err(RecvError::Closed) => Err(error::shutting_down()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use mesh::status::reason;

    use super::*;
    use crate::domain::{booking::Cabin, inventory::Inventory, ports::testing::Granting};

    fn seats(flight: u32) -> Inventory {
        Inventory {
            key: CabinKey {
                flight: format!("{flight:05}"),
                cabin: Cabin::Economy,
            },
            capacity: 9,
            held: 1,
            sold: 0,
            version: 1,
            departure: 0,
        }
    }

    #[tokio::test]
    async fn all_pages_come_before_it_is_caught_up() {
        let store = Granting {
            inventory: (0..1_001).map(seats).collect(),
            ..Granting::default()
        };
        let feed = Feed::new(CancellationToken::new());
        let mut stream = feed.stream(Arc::new(store), 0);
        // It is heard of although nobody has read yet.
        let change = InventoryMessage {
            version: 2,
            ..InventoryMessage::default()
        };
        feed.changes.send([change.clone()].into()).unwrap();
        let mut sizes = Vec::new();
        for _ in 0..3 {
            let page = stream.next().await.unwrap().unwrap();
            sizes.push((page.inventory.len(), page.caught_up));
        }
        assert_eq!(sizes, [(500, false), (500, false), (1, true)]);
        let next = stream.next().await.unwrap().unwrap();
        assert_eq!((next.inventory, next.caught_up), (vec![change], true));
    }

    #[tokio::test]
    async fn a_reader_that_has_missed_something_begins_again() {
        let feed = Feed::new(CancellationToken::new());
        let mut stream = feed.stream(Arc::new(Granting::default()), 0);
        assert!(stream.next().await.unwrap().unwrap().caught_up);
        for _ in 0..=BACKLOG {
            feed.changes.send(Arc::default()).unwrap();
        }
        let end = stream.next().await.unwrap().unwrap_err();
        assert_eq!(reason(&end).as_deref(), Some("FELL_BEHIND"));
        assert!(stream.next().await.is_none());
    }

    fn message(cabin: &str, version: u64, payload: Option<Vec<u8>>) -> Message {
        let seats = InventoryMessage {
            flight_id: cabin.to_owned(),
            version,
            ..InventoryMessage::default()
        };
        Message {
            id: 0,
            aggregate: cabin.to_owned(),
            message_id: None,
            payload: payload.unwrap_or_else(|| seats.encode_to_vec()),
            trace_parent: None,
            enqueued: 0,
        }
    }

    #[test]
    fn of_each_cabin_the_newest_is_told() {
        let messages = [
            message("a", 3, None),
            message("b", 1, None),
            message("a", 2, None),
            message("b", 9, Some(vec![0xFF])),
        ];
        let mut told: Vec<_> = newest(&messages)
            .into_iter()
            .map(|seats| (seats.flight_id, seats.version))
            .collect();
        told.sort();
        assert_eq!(told, [("a".to_owned(), 3), ("b".to_owned(), 1)]);
    }
}
