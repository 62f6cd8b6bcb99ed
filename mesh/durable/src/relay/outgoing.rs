//! Messages on their way into the queue, each with the span of its publication.
//!
//! The span goes on with the trace of whatever wrote the row, and its own context travels with the
//! message: the consumer's span is below it, in the same trace. What belongs to no trace has no span.

use mesh::telemetry::SPAN_TARGET;
use tracing::{Span, field::Empty};

use crate::{
    continue_trace, outbox::message_id_of, queue::Message, queue::NewMessage, trace_parent_of,
};

/// Messages that are published together. Their spans end with it.
pub(super) struct Outgoing {
    pub(super) messages: Vec<NewMessage>,
    spans: Vec<Span>,
}

impl Outgoing {
    pub(super) fn new(topic: &'static str, messages: impl IntoIterator<Item = Message>) -> Self {
        let with_span = |message| outgoing(topic, message);
        let (messages, spans) = messages.into_iter().map(with_span).unzip();
        Self { messages, spans }
    }

    /// An attempt to publish them has failed.
    pub(super) fn failed(&self) {
        for span in &self.spans {
            span.record("otel.status_code", "ERROR");
        }
    }
}

fn outgoing(topic: &'static str, message: Message) -> (NewMessage, Span) {
    let id = message_id_of(message.id, message.message_id);
    let span = match &message.trace_parent {
        Some(parent) => span(topic, &id, parent),
        None => Span::none(),
    };
    let message = NewMessage {
        id,
        payload: message.payload,
        // Where spans are off, the trace passes through.
        trace_parent: trace_parent_of(&span).or(message.trace_parent),
        enqueued: message.enqueued,
    };
    (message, span)
}

fn span(topic: &'static str, id: &str, parent: &str) -> Span {
    let span = tracing::info_span!(
        target: SPAN_TARGET,
        parent: None,
        "publish",
        otel.kind = "producer",
        otel.name = format!("publish {topic}"),
        otel.status_code = Empty,
        messaging.operation.name = "publish",
        messaging.operation.type = "send",
        messaging.destination.name = topic,
        messaging.message.id = id,
    );
    continue_trace(&span, parent);
    span
}
