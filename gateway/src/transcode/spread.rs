//! One REST request onto the calls of every service that serves the same contract.
//!
//! All are called at once, each with the same message, identity and deadline. Nothing is known here
//! of the messages: protobuf merges the lists of messages whose bytes stand one behind the other.

use bytes::{Bytes, BytesMut};
use contracts::rt::route::{Method, Spread};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use http::Request;
use mesh::status::code_name;
use tonic::{Code, Status};

use super::{Service, request, response};

/// The message that `services` answer together, each with at most `max` bytes.
pub(super) async fn call(
    method: &'static Method,
    services: &[Service],
    request: &Request<Bytes>,
    max: usize,
) -> Result<Bytes, Status> {
    let calls = services.iter().map(async |service| {
        let request = request::send(request.clone());
        let answer = tower::Service::call(&mut service.channel.clone(), request).await;
        let answer = match answer {
            Ok(answer) => response::one(answer, max).await,
            Err(status) => Err(status),
        };
        (service, answer)
    });
    match method.spread {
        Spread::Found => found(calls).await,
        Spread::Merged | Spread::None => merged(method, join_all(calls).await),
    }
}

/// An answer of one of the services.
type Answer<'a> = (&'a Service, Result<Bytes, Status>);

/// All answers, one behind the other. Who is away, or does not know the method, is left out.
fn merged(method: &'static Method, answers: Vec<Answer<'_>>) -> Result<Bytes, Status> {
    let mut merged: Option<BytesMut> = None;
    let mut failed: Option<Status> = None;
    for (service, answer) in answers {
        match answer {
            Ok(message) => merged.get_or_insert_default().extend_from_slice(&message),
            Err(status) if is_away(status.code()) => {
                tracing::warn!(
                    rpc.method = method.path,
                    service = service.area,
                    code = code_name(status.code()),
                    error = status.message(),
                    "a service is left out of an answer"
                );
                failed = Some(more_telling(failed, status));
            }
            Err(status) => return Err(status),
        }
    }
    match merged {
        Some(merged) => Ok(merged.freeze()),
        None => Err(failed.unwrap_or_else(nobody)),
    }
}

/// The first good answer. The other calls are cancelled by it.
async fn found<'a>(
    calls: impl Iterator<Item = impl Future<Output = Answer<'a>>>,
) -> Result<Bytes, Status> {
    let mut calls: FuturesUnordered<_> = calls.collect();
    let mut failed: Option<Status> = None;
    while let Some((_, answer)) = calls.next().await {
        match answer {
            Ok(message) => return Ok(message),
            Err(status) => failed = Some(more_telling(failed, status)),
        }
    }
    Err(failed.unwrap_or_else(nobody))
}

/// Whether this is said of a service that cannot be asked, and not by one that refuses.
const fn is_away(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::DeadlineExceeded | Code::Unimplemented
    )
}

/// The one of two failures from which a client learns more: that a service does not know what is
/// asked for says least, and that it cannot be asked less than what one says against it.
fn more_telling(known: Option<Status>, new: Status) -> Status {
    let weight = |status: &Status| match status.code() {
        Code::Unimplemented => 0,
        Code::NotFound => 1,
        Code::Unavailable => 2,
        Code::DeadlineExceeded => 3,
        _ => 4,
    };
    match known {
        Some(known) if weight(&known) >= weight(&new) => known,
        _ => new,
    }
}

fn nobody() -> Status {
    Status::unavailable("no service is known that could be asked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_failure_is_told_in_any_order() {
        let ranks = [
            Code::Unimplemented,
            Code::NotFound,
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::FailedPrecondition,
        ];
        for (rank, less) in ranks.into_iter().enumerate() {
            for more in &ranks[rank..] {
                for (first, second) in [(less, *more), (*more, less)] {
                    let known = more_telling(None, Status::new(first, ""));
                    let told = more_telling(Some(known), Status::new(second, ""));
                    assert_eq!(told.code(), *more, "{first:?} then {second:?}");
                }
            }
        }
    }
}
