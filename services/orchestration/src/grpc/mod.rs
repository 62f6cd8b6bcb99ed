//! The services as their contracts have them: decode, ask the domain, encode.

mod audit;
mod convert;
mod error;
mod page;
mod timeline;

use std::{pin::Pin, sync::Arc};

use contracts::orchestration::v1::{
    BookTripRequest, CancelTripRequest, GetTripOverviewRequest, GetTripRequest, ListTripsRequest,
    ListTripsResponse, Trip, TripOverview, WatchTripRequest, trip_service_server::TripService,
};
use futures_util::{Stream, StreamExt};
use mesh::{
    auth::{self, Caller},
    idempotency,
    seal::Key,
};
use tonic::{Request, Response, Status};

pub(crate) use self::{audit::Audit, convert::encode};
use crate::{
    clients::{BookingSeats, MailClient, SearchFlights},
    domain::{
        error::TripError,
        overview,
        ports::{BOOK_TRIP, CANCEL_TRIP, RequestKey, TripReader},
        trip::Viewer,
    },
    saga::{BookTrip, CancelTrip, Trips},
    store::Store,
};

/// Most lines of a trip's log that an overview shows.
const MOST_LINES: u64 = 500;

/// What all calls of a replica share.
pub(crate) struct State {
    pub(crate) trips: Trips<Store, BookingSeats>,
    pub(crate) store: Store,
    pub(crate) flights: SearchFlights,
    /// None where there is no mail service.
    pub(crate) mail: Option<MailClient>,
    /// Opens offers, and seals page tokens.
    pub(crate) key: Key,
}

/// Serves [`TripService`].
pub(crate) struct Grpc(pub(crate) Arc<State>);

#[tonic::async_trait]
impl TripService for Grpc {
    type WatchTripStream = Pin<Box<dyn Stream<Item = Result<Trip, Status>> + Send>>;

    async fn book_trip(&self, request: Request<BookTripRequest>) -> Result<Response<Trip>, Status> {
        let user_id = auth::user(&request)?.id.clone();
        let key = request_key(&request, &user_id, BOOK_TRIP)?.ok_or_else(error::key_missing)?;
        let message = request.into_inner();
        let order = BookTrip {
            user_id,
            key,
            offer: convert::offer(&self.0.key, &message.offer_id),
            passengers: message
                .passengers
                .into_iter()
                .map(convert::passenger)
                .collect(),
            contact_email: message.contact_email,
        };
        let trip = self.0.trips.book(order).await?;
        Ok(Response::new(convert::trip(&trip)))
    }

    async fn get_trip(&self, request: Request<GetTripRequest>) -> Result<Response<Trip>, Status> {
        let viewer = viewer(auth::caller(&request)?);
        let trip = self
            .0
            .trips
            .get(&request.get_ref().trip_id, &viewer)
            .await?;
        Ok(Response::new(convert::trip(&trip)))
    }

    async fn list_trips(
        &self,
        request: Request<ListTripsRequest>,
    ) -> Result<Response<ListTripsResponse>, Status> {
        let viewer = viewer(auth::caller(&request)?);
        let user_id = match &viewer {
            Viewer::User(id) => Some(id.as_str()),
            Viewer::Everyone => None,
        };
        let request = request.get_ref();
        let after = page::open(&self.0.key, &request.page_token)?;
        let size = mesh::page::size(request.page_size);
        let found = self
            .0
            .store
            .trip_list(user_id, after.as_ref(), size as u64 + 1);
        let mut trips = found.await.map_err(TripError::from)?;
        let more = trips.len() > size;
        trips.truncate(size);
        let next_page_token = trips
            .last()
            .filter(|_| more)
            .map(|last| page::seal(&self.0.key, last))
            .unwrap_or_default();
        Ok(Response::new(ListTripsResponse {
            trips: trips.iter().map(convert::trip).collect(),
            next_page_token,
        }))
    }

    async fn cancel_trip(
        &self,
        request: Request<CancelTripRequest>,
    ) -> Result<Response<Trip>, Status> {
        let caller = auth::caller(&request)?;
        let name = match caller {
            Caller::User(user) => user.id.clone(),
            // No user has such an id.
            Caller::Service(name) => format!("service/{name}"),
        };
        let wish = CancelTrip {
            viewer: viewer(caller),
            key: request_key(&request, &name, CANCEL_TRIP)?,
            trip_id: request.into_inner().trip_id,
        };
        let trip = self.0.trips.cancel(wish).await?;
        Ok(Response::new(convert::trip(&trip)))
    }

    async fn get_trip_overview(
        &self,
        request: Request<GetTripOverviewRequest>,
    ) -> Result<Response<TripOverview>, Status> {
        let viewer = viewer(auth::caller(&request)?);
        let trip = self
            .0
            .trips
            .get(&request.get_ref().trip_id, &viewer)
            .await?;
        let (flights, mails, log) = tokio::join!(
            overview::flights(&self.0.flights, &trip),
            overview::mails(self.0.mail.as_ref(), &trip),
            self.0.store.log_list(&trip.id, MOST_LINES),
        );
        let log = log.map_err(TripError::from)?;
        Ok(Response::new(convert::overview(&trip, flights, mails, log)))
    }

    async fn watch_trip(
        &self,
        request: Request<WatchTripRequest>,
    ) -> Result<Response<Self::WatchTripStream>, Status> {
        let viewer = viewer(auth::caller(&request)?);
        let trips = self.0.trips.watch(&request.get_ref().trip_id, &viewer);
        let answers = trips.await?.map(|shown| match shown {
            Ok(trip) => Ok(convert::trip(&trip)),
            Err(error) => Err(error.into()),
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

fn viewer(caller: &Caller) -> Viewer {
    match caller {
        Caller::User(user) if !user.admin => Viewer::User(user.id.clone()),
        Caller::User(_) | Caller::Service(_) => Viewer::Everyone,
    }
}

/// The key of a request, with what tells it from others.
fn request_key<T: Keyed>(
    request: &Request<T>,
    caller: &str,
    method: &'static str,
) -> Result<Option<RequestKey>, Status> {
    let message = request.get_ref();
    let key = idempotency::key(request.metadata(), message.request_id())?;
    Ok(key.map(|key| RequestKey {
        caller: caller.to_owned(),
        method,
        key,
        fingerprint: convert::fingerprint(&message.without_key()),
    }))
}

/// A request that may have an idempotency key.
trait Keyed: prost::Message + Sized {
    fn request_id(&self) -> &str;
    fn without_key(&self) -> Self;
}

impl Keyed for BookTripRequest {
    fn request_id(&self) -> &str {
        &self.request_id
    }

    fn without_key(&self) -> Self {
        Self {
            request_id: String::new(),
            ..self.clone()
        }
    }
}

impl Keyed for CancelTripRequest {
    fn request_id(&self) -> &str {
        &self.request_id
    }

    fn without_key(&self) -> Self {
        Self {
            request_id: String::new(),
            ..self.clone()
        }
    }
}
