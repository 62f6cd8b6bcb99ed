//! Live seats: follows booking's stream, for as long as the replica serves.
//!
//! Each connection begins with everything that is taken and goes on with every change. While there is none, the
//! replica answers with what it knew last: a search that shows a seat too many is put right when it is
//! booked, one that fails helps nobody.

use std::{convert::Infallible, time::Duration};

use contracts::booking::v1::{
    BOOKING_SERVICE, Inventory, StreamInventoryRequest, StreamInventoryResponse,
    booking_service_client::BookingServiceClient,
};
use mesh::{
    auth::Auth,
    backoff::Backoff,
    client::{Channel, Config, Endpoints},
};
use tokio::sync::watch;
use tonic::{Status, Streaming};

use crate::{
    domain::seats::{LiveSeats, Taken},
    grpc,
};

pub(crate) type Client = BookingServiceClient<Channel>;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MOST_PAUSE: Duration = Duration::from_secs(1);

/// A client of booking, signed where callers are known.
pub(crate) fn client(booking: &Endpoints, auth: Option<&Auth>) -> Client {
    let mut config = Config::new(booking.clone());
    if let Some(auth) = auth {
        config = config.signed(auth.signer("search"));
    }
    BookingServiceClient::new(Channel::connect(&BOOKING_SERVICE, config))
}

/// Everything that is taken at the moment.
pub(crate) async fn snapshot(mut client: Client) -> Result<Vec<Taken>, Status> {
    let answer = client.stream_inventory(StreamInventoryRequest {}).await?;
    let mut stream = answer.into_inner();
    let mut all = Vec::new();
    while let Some(update) = stream.message().await? {
        all.extend(update.inventory.iter().filter_map(taken));
        if update.caught_up {
            return Ok(all);
        }
    }
    Err(Status::unavailable(
        "the stream ended before it was complete",
    ))
}

/// Keeps `seats` as booking reports them, and says in `caught_up` when they have been complete once.
pub(crate) async fn follow(
    mut client: Client,
    seats: &LiveSeats,
    caught_up: &watch::Sender<bool>,
) -> Infallible {
    let mut backoff = Backoff::new(FIRST_PAUSE, MOST_PAUSE);
    let mut failing = false;
    loop {
        let error = match client.stream_inventory(StreamInventoryRequest {}).await {
            Ok(answer) => {
                let outcome = take_in(answer.into_inner(), seats, caught_up, &mut backoff).await;
                failing &= outcome.is_err();
                outcome.err()
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error
            && !failing
        {
            tracing::warn!(code = ?error.code(), cause = error.message(), "no live seats from booking; what was known last stays");
            failing = true;
        }
        tokio::time::sleep(backoff.next(fastrand::f64())).await;
    }
}

async fn take_in(
    mut stream: Streaming<StreamInventoryResponse>,
    seats: &LiveSeats,
    caught_up: &watch::Sender<bool>,
    backoff: &mut Backoff,
) -> Result<(), Status> {
    let mut complete = false;
    seats.begin_snapshot();
    while let Some(update) = stream.message().await? {
        seats.report(update.inventory.iter().filter_map(taken));
        if update.caught_up && !complete {
            complete = true;
            seats.end_snapshot();
            backoff.reset();
            if !caught_up.send_replace(true) {
                tracing::info!("seats are live");
            }
        }
    }
    Ok(())
}

/// A report of booking; none for a flight that no timetable can have.
fn taken(inventory: &Inventory) -> Option<Taken> {
    let seats = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    Some(Taken {
        flight: inventory.flight_id.parse().ok()?,
        cabin: grpc::cabin(inventory.cabin()),
        capacity: seats(inventory.capacity),
        taken: seats(inventory.held.saturating_add(inventory.sold)),
        version: inventory.version,
    })
}
