//! The timetable, as search serves it.

use contracts::search::v1::{
    Cabin as CabinMessage, Flight as FlightMessage, GetFlightRequest, SEARCH_SERVICE,
    search_service_client::SearchServiceClient,
};
use mesh::client::{Channel, Config};
use tonic::Code;

use crate::domain::{
    booking::Cabin,
    ports::{Flight, FlightError, Flights},
};

/// Asks search.
#[derive(Clone, Debug)]
pub(crate) struct Search(SearchServiceClient<Channel>);

impl Search {
    pub(crate) fn connect(config: Config) -> Self {
        let channel = Channel::connect(&SEARCH_SERVICE, config);
        Self(SearchServiceClient::new(channel))
    }
}

impl Flights for Search {
    async fn flight(&self, id: &str) -> Result<Flight, FlightError> {
        let request = GetFlightRequest {
            flight_id: id.to_owned(),
        };
        match self.0.clone().get_flight(request).await {
            Ok(answer) => decode(&answer.into_inner()).ok_or_else(|| {
                tracing::error!(flight.id = id, "search knows no departure of a flight");
                FlightError::Unavailable
            }),
            Err(status) if status.code() == Code::NotFound => Err(FlightError::NotFound),
            Err(status) => {
                tracing::warn!(flight.id = id, %status, "search does not answer");
                Err(FlightError::Unavailable)
            }
        }
    }
}

fn decode(flight: &FlightMessage) -> Option<Flight> {
    let departure = flight.departure_time.as_ref()?;
    let cabins = flight.cabins.iter().filter_map(|offer| {
        let cabin = match offer.cabin() {
            CabinMessage::Unspecified => return None,
            CabinMessage::Economy => Cabin::Economy,
            CabinMessage::PremiumEconomy => Cabin::PremiumEconomy,
            CabinMessage::Business => Cabin::Business,
            CabinMessage::First => Cabin::First,
        };
        Some((cabin, offer.seats))
    });
    Some(Flight {
        departure: departure.seconds.saturating_mul(1_000),
        cabins: cabins.collect(),
    })
}

#[cfg(test)]
mod tests {
    use contracts::search::v1::CabinOffer;

    use super::*;

    #[test]
    fn a_flight_needs_a_departure() {
        let mut message = FlightMessage {
            cabins: vec![
                CabinOffer {
                    cabin: CabinMessage::First.into(),
                    seats: 12,
                    ..CabinOffer::default()
                },
                CabinOffer::default(),
            ],
            ..FlightMessage::default()
        };
        assert_eq!(decode(&message), None);
        message.departure_time = Some(prost_types::Timestamp {
            seconds: 1_796_000_000,
            nanos: 0,
        });
        let expected = Flight {
            departure: 1_796_000_000_000,
            cabins: vec![(Cabin::First, 12)],
        };
        assert_eq!(decode(&message), Some(expected));
    }
}
