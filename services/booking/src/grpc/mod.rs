//! The services as their contracts have them: decode, ask the domain, encode.

mod audit;
mod convert;
mod error;
mod inventory_stream;
mod page;

use std::{sync::Arc, time::Duration};

use contracts::booking::v1::{
    Booking as BookingMessage, CancelBookingRequest, CancelBookingResponse, ConfirmBookingRequest,
    ConfirmBookingResponse, GetBookingRequest, HoldSeatsRequest, ListBookingsRequest,
    ListBookingsResponse, ListTripBookingsRequest, ListTripBookingsResponse, ReleaseHoldRequest,
    ReleaseHoldResponse, StreamInventoryRequest, booking_service_server::BookingService,
};
use mesh::auth::{Caller, caller};
use tonic::{Request, Response, Status};

pub(crate) use self::{
    audit::Audit,
    convert::encode_inventory,
    inventory_stream::{Feed, relay},
};
use crate::domain::{
    booking::{Event, Viewer},
    combine::Combiner,
    hold::NewHold,
    inventory::CabinKey,
    locator,
    ports::{Flights, Store},
};

/// Serves [`BookingService`].
pub(crate) struct Grpc<S, F> {
    pub(crate) store: Arc<S>,
    pub(crate) holds: Combiner<S, F>,
    pub(crate) hold_ttl: Duration,
    pub(crate) feed: Feed,
    /// Unix milliseconds.
    pub(crate) clock: fn() -> i64,
}

#[tonic::async_trait]
impl<S: Store, F: Flights> BookingService for Grpc<S, F> {
    type StreamInventoryStream = inventory_stream::Answers;

    async fn hold_seats(
        &self,
        request: Request<HoldSeatsRequest>,
    ) -> Result<Response<BookingMessage>, Status> {
        let request = request.into_inner();
        let now = (self.clock)();
        let ttl = i64::try_from(self.hold_ttl.as_millis()).unwrap_or(i64::MAX);
        let cabin = CabinKey {
            cabin: convert::wanted_cabin(request.cabin()),
            flight: request.flight_id,
        };
        let hold = NewHold {
            id: request.hold_id,
            trip: request.trip_id,
            user: request.user_id,
            seats: request.seats,
            created: now,
            expires: now.saturating_add(ttl),
        };
        let booking = self.holds.hold(cabin, hold).await.map_err(error::hold)?;
        Ok(Response::new(convert::booking(booking)))
    }

    async fn confirm_booking(
        &self,
        request: Request<ConfirmBookingRequest>,
    ) -> Result<Response<ConfirmBookingResponse>, Status> {
        let ConfirmBookingRequest {
            trip_id,
            booking_ids,
        } = request.into_inner();
        let bookings = self.change(Event::Confirm, &trip_id, &booking_ids).await?;
        Ok(Response::new(ConfirmBookingResponse { bookings }))
    }

    async fn release_hold(
        &self,
        request: Request<ReleaseHoldRequest>,
    ) -> Result<Response<ReleaseHoldResponse>, Status> {
        let ReleaseHoldRequest {
            trip_id,
            booking_ids,
        } = request.into_inner();
        self.change(Event::Release, &trip_id, &booking_ids).await?;
        Ok(Response::new(ReleaseHoldResponse {}))
    }

    async fn cancel_booking(
        &self,
        request: Request<CancelBookingRequest>,
    ) -> Result<Response<CancelBookingResponse>, Status> {
        let CancelBookingRequest {
            trip_id,
            booking_ids,
        } = request.into_inner();
        let bookings = self.change(Event::Cancel, &trip_id, &booking_ids).await?;
        Ok(Response::new(CancelBookingResponse { bookings }))
    }

    async fn get_booking(
        &self,
        request: Request<GetBookingRequest>,
    ) -> Result<Response<BookingMessage>, Status> {
        let viewer = viewer(&request)?;
        let locator = request.into_inner().locator;
        let found = self.store.booking(&locator::normal(&locator)).await;
        let booking = found
            .map_err(error::store)?
            .filter(|booking| viewer.sees(booking))
            .ok_or_else(|| error::not_found(&locator))?;
        Ok(Response::new(convert::booking(booking)))
    }

    async fn list_bookings(
        &self,
        request: Request<ListBookingsRequest>,
    ) -> Result<Response<ListBookingsResponse>, Status> {
        let viewer = viewer(&request)?;
        let request = request.into_inner();
        let size = mesh::page::size(request.page_size);
        let after = page::cursor(&request.page_token)?;
        // One more than wanted tells whether there is another page.
        let found = self
            .store
            .bookings(&viewer, after.as_ref(), size as u64 + 1);
        let mut bookings = found.await.map_err(error::store)?;
        let more = bookings.len() > size;
        bookings.truncate(size);
        let last = bookings.last().filter(|_| more);
        Ok(Response::new(ListBookingsResponse {
            next_page_token: last.map(page::token).unwrap_or_default(),
            bookings: convert::bookings(bookings),
        }))
    }

    async fn list_trip_bookings(
        &self,
        request: Request<ListTripBookingsRequest>,
    ) -> Result<Response<ListTripBookingsResponse>, Status> {
        let trips = request.into_inner().trip_ids;
        let found = self.store.trip_bookings(&trips).await;
        Ok(Response::new(ListTripBookingsResponse {
            bookings: convert::bookings(found.map_err(error::store)?),
        }))
    }

    async fn stream_inventory(
        &self,
        _: Request<StreamInventoryRequest>,
    ) -> Result<Response<Self::StreamInventoryStream>, Status> {
        let stream = self.feed.stream(Arc::clone(&self.store), (self.clock)());
        Ok(Response::new(stream))
    }
}

impl<S: Store, F: Flights> Grpc<S, F> {
    async fn change(
        &self,
        event: Event,
        trip: &str,
        ids: &[String],
    ) -> Result<Vec<BookingMessage>, Status> {
        let changed = self.store.change(event, trip, ids, (self.clock)()).await;
        Ok(convert::bookings(changed.map_err(error::change)?))
    }
}

/// Whose bookings the caller may see.
fn viewer<T>(request: &Request<T>) -> Result<Viewer, Status> {
    Ok(match caller(request)? {
        Caller::User(user) if !user.admin => Viewer::User(user.id.clone()),
        Caller::User(_) | Caller::Service(_) => Viewer::Everybody,
    })
}
