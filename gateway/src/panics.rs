//! A panic is answered with a 500 and costs its own request only, not the connection's others.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::{Response, StatusCode};
use mesh::status::{Fault, Kind};

use crate::body::Body;
use crate::transcode::Failure;

/// Runs `answer`. The panic itself is reported by the process's panic hook.
///
/// Not an `async fn`, which would hold `answer` twice: as an argument and as what it awaits.
pub(crate) fn catch(
    answer: impl Future<Output = Response<Body>>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> {
    // What a panicking request leaves behind is its own: shared state is behind atomics and locks
    // that are never held across an await.
    AssertUnwindSafe(answer)
        .catch_unwind()
        .map(|answer| Ok(answer.unwrap_or_else(|_| internal())))
}

fn internal() -> Response<Body> {
    let fault = Fault::new(
        Kind::Internal,
        "INTERNAL",
        "something went wrong on our side",
    );
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, fault).response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_500() {
        let response = catch(async { panic!("on purpose") }).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
