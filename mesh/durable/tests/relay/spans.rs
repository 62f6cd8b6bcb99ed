//! A publication belongs to the trace of what wrote the row, and the message carries on with it.

use std::time::Duration;

use durable::trace_parent;
use mesh::telemetry::{self, SPAN_TARGET};
use tracing::Instrument;

use crate::world::{World, until};

#[tokio::test]
async fn a_message_carries_the_context_of_its_publication() {
    let config = telemetry::Config {
        // Nobody listens there: the spans are made all the same.
        otlp_endpoint: Some("http://127.0.0.1:1".to_owned()),
        ..telemetry::Config::new("test")
    };
    let (subscriber, _guard) = telemetry::subscriber(&config).unwrap();
    let _here = tracing::dispatcher::set_default(&subscriber);
    let database = testing::sqlite();
    let world = World::new(&database.url).await;
    let booking = async {
        world.commit(&[("trip", 1)]).await;
        trace_parent().unwrap()
    };
    let span = tracing::info_span!(target: SPAN_TARGET, "booking");
    let booked = booking.instrument(span).await;
    let relay = world.relay(Duration::from_mins(1));
    until("published", async || !world.lane.ids().is_empty()).await;
    let told = world.lane.first()[0].trace_parent.clone().unwrap();
    assert_eq!(told[3..35], booked[3..35], "the same trace");
    assert_ne!(told[36..52], booked[36..52], "but another span");
    relay.stop().await;
}
