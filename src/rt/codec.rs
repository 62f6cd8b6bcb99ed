//! The codecs of generated clients and servers.
//!
//! A server refuses a request that breaks its contract before any handler sees it, so that no
//! handler checks again. A client trusts the answers that it gets.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::Message;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstEncoder};

use super::{constraint, schema::Described};

/// Codec of clients: Protobuf as it is.
pub type Client<T, U> = ProstCodec<T, U>;

/// Codec of servers: Protobuf, with every request checked against its constraints.
#[derive(Debug)]
pub struct Server<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Server<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Server<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Described + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CheckingDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        CheckingDecoder(PhantomData)
    }
}

/// Decodes a request and checks it.
#[derive(Debug)]
pub struct CheckingDecoder<U>(PhantomData<U>);

impl<U: Message + Default + Described> Decoder for CheckingDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let wire = source.copy_to_bytes(source.remaining());
        // As gRPC has it: what cannot be parsed is INTERNAL, since peers share one contract.
        let request =
            U::decode(wire.clone()).map_err(|error| Status::internal(error.to_string()))?;
        constraint::check(U::MESSAGE, &wire)?;
        Ok(Some(request))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Request, Response, codegen::BoxStream};

    use super::*;
    use crate::search::v1::{
        Departure, Flight, GetFlightRequest, ListAirportsRequest, ListAirportsResponse,
        SearchItinerariesRequest, SearchItinerariesResponse, StreamDeparturesRequest,
        WatchFlightRequest,
        search_service_client::SearchServiceClient,
        search_service_server::{SearchService, SearchServiceServer},
    };

    /// Answers with the flight that is asked for, and nothing else.
    struct Echo;

    #[tonic::async_trait]
    impl SearchService for Echo {
        type StreamDeparturesStream = BoxStream<Departure>;
        type WatchFlightStream = BoxStream<Flight>;

        async fn get_flight(
            &self,
            request: Request<GetFlightRequest>,
        ) -> Result<Response<Flight>, Status> {
            let flight_id = request.into_inner().flight_id;
            Ok(Response::new(Flight {
                flight_id,
                ..Default::default()
            }))
        }

        async fn list_airports(
            &self,
            _: Request<ListAirportsRequest>,
        ) -> Result<Response<ListAirportsResponse>, Status> {
            Err(Status::unimplemented(""))
        }

        async fn search_itineraries(
            &self,
            _: Request<SearchItinerariesRequest>,
        ) -> Result<Response<SearchItinerariesResponse>, Status> {
            Err(Status::unimplemented(""))
        }

        async fn stream_departures(
            &self,
            _: Request<StreamDeparturesRequest>,
        ) -> Result<Response<Self::StreamDeparturesStream>, Status> {
            Err(Status::unimplemented(""))
        }

        async fn watch_flight(
            &self,
            _: Request<WatchFlightRequest>,
        ) -> Result<Response<Self::WatchFlightStream>, Status> {
            Err(Status::unimplemented(""))
        }
    }

    async fn get(flight_id: &str) -> Result<String, Status> {
        let mut client = SearchServiceClient::new(SearchServiceServer::new(Echo));
        let request = GetFlightRequest {
            flight_id: flight_id.to_owned(),
        };
        Ok(client.get_flight(request).await?.into_inner().flight_id)
    }

    #[tokio::test]
    async fn requests_that_keep_the_contract_reach_the_handler() {
        assert_eq!(
            get("AS21-2026-12-01-JFK").await.ok().as_deref(),
            Some("AS21-2026-12-01-JFK")
        );
    }

    #[tokio::test]
    async fn requests_that_break_the_contract_do_not() {
        let status = get("").await.expect_err("is refused");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "flight_id: must not be empty");
    }
}
