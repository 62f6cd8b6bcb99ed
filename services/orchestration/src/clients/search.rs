//! Flights as they are now, from search.

use std::time::Duration;

use contracts::search::v1::{Flight, GetFlightRequest, search_service_client::SearchServiceClient};
use mesh::client::Channel;
use tonic::Request;

use crate::domain::ports::Flights;

/// How long an answer may take: an overview rather leaves a flight out.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// Search behind its client.
#[derive(Clone, Debug)]
pub(crate) struct SearchFlights(SearchServiceClient<Channel>);

impl SearchFlights {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(SearchServiceClient::new(channel))
    }
}

impl Flights for SearchFlights {
    type Flight = Flight;

    async fn flight(&self, flight_id: &str) -> Result<Flight, String> {
        let mut request = Request::new(GetFlightRequest {
            flight_id: flight_id.to_owned(),
        });
        request.set_timeout(CALL_TIMEOUT);
        match self.0.clone().get_flight(request).await {
            Ok(flight) => Ok(flight.into_inner()),
            Err(status) => Err(status.message().to_owned()),
        }
    }
}
