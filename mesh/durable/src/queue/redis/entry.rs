//! What entries of a stream say, whoever wrote them.
//!
//! One that is not ours gets an id, and its bytes are passed on as they are: the consumer will not understand them,
//! and give them up.

use std::time::Duration;

use redis::{FromRedisValue, ParsingError, Value};

use super::super::{DeadLetter, Delivery};

/// Its id in the stream; names and values.
pub(super) type Entry = (String, Vec<Vec<u8>>);

/// Names of what `add` of `common.lua` writes, in their order.
const NAMES: [&[u8]; 3] = [b"id", b"payload", b"meta"];

/// What `take_old.lua` answers.
pub(super) struct TakenOld {
    pub(super) taken: Vec<Delivery>,
    /// How long until the next delayed one is due.
    pub(super) due: Option<Duration>,
    /// The last entries of both streams.
    pub(super) behind: [String; 2],
}

impl FromRedisValue for TakenOld {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        type Answer = (Vec<(u8, u32, Vec<Entry>)>, i64, String, String);
        let (groups, due, stream, again) = Answer::from_redis_value(value)?;
        let groups = groups.into_iter();
        let taken = groups.flat_map(|(stream, deliveries, entries)| {
            let entries = entries.into_iter();
            entries.map(move |entry| delivery(entry, stream, deliveries))
        });
        Ok(Self {
            taken: taken.collect(),
            due: u64::try_from(due).ok().map(Duration::from_millis),
            behind: [stream, again],
        })
    }
}

/// When a message was caused, how often it was tried before, and by which trace it was caused. One value says it all: each
/// costs Redis a third of a microsecond.
pub(super) fn meta(enqueued: i64, attempts: u32, trace_parent: Option<&str>) -> String {
    format!("{enqueued} {attempts} {}", trace_parent.unwrap_or_default())
}

fn read_meta(meta: &[u8]) -> Option<(i64, u32, Option<String>)> {
    let mut words = std::str::from_utf8(meta).ok()?.splitn(3, ' ');
    let (enqueued, attempts, trace) = (words.next()?, words.next()?, words.next()?);
    let trace = (!trace.is_empty()).then(|| trace.to_owned());
    Some((enqueued.parse().ok()?, attempts.parse().ok()?, trace))
}

/// An entry of a stream, known by its number, that has been delivered so often.
pub(super) fn delivery((entry, fields): Entry, stream: u8, deliveries: u32) -> Delivery {
    let receipt = format!("{stream}/{entry}/{deliveries}");
    let names = fields.iter().step_by(2).map(Vec::as_slice);
    let ours = names.eq(NAMES) && fields.len() == 2 * NAMES.len();
    if let Some((enqueued, attempts, trace_parent)) = ours.then(|| read_meta(&fields[5])).flatten()
    {
        let [_, id, _, payload, ..] = <[Vec<u8>; 6]>::try_from(fields).unwrap_or_default();
        return Delivery {
            id: text(&id),
            payload,
            trace_parent,
            enqueued,
            attempt: attempts.saturating_add(deliveries),
            receipt,
        };
    }
    let time = entry.split('-').next().and_then(|time| time.parse().ok());
    let payload = field(&fields, b"payload").map(<[u8]>::to_vec);
    Delivery {
        id: format!("foreign-{entry}"),
        payload: payload.unwrap_or_else(|| fields.join(&b'\n')),
        trace_parent: None,
        enqueued: time.unwrap_or_default(),
        attempt: deliveries,
        receipt,
    }
}

/// A letter that `bury.lua` has written; what is not of it reads as empty.
pub(super) fn dead_letter((entry, fields): &Entry) -> DeadLetter {
    let field = |name: &str| field(fields, name.as_bytes()).unwrap_or_default();
    let text = |name: &str| text(field(name));
    DeadLetter {
        id: text("id"),
        payload: field("payload").to_vec(),
        enqueued: text("enqueued").parse().unwrap_or_default(),
        attempts: text("attempts").parse().unwrap_or_default(),
        reason: text("reason"),
        died: text("died").parse().unwrap_or_default(),
        cursor: entry.clone(),
    }
}

fn field<'a>(fields: &'a [Vec<u8>], name: &[u8]) -> Option<&'a [u8]> {
    let mut pairs = fields.chunks_exact(2);
    pairs
        .find(|pair| pair[0] == name)
        .map(|pair| pair[1].as_slice())
}

/// Texts that somebody else has put there need not be texts.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
