//! Tables that describe services: who may call a method, how REST reaches it, how long it may take.

use std::time::Duration;

use super::schema::{Field, Message};

/// A service.
#[derive(Debug)]
pub struct Service {
    /// Full name, for example `skyway.search.v1.SearchService`.
    pub name: &'static str,
    /// Its methods in the order of the contract.
    pub methods: &'static [Method],
}

/// An RPC.
#[derive(Debug)]
pub struct Method {
    /// Full name of the service.
    pub service: &'static str,
    /// Name within the service, for example `GetFlight`.
    pub name: &'static str,
    /// HTTP/2 path, for example `/skyway.search.v1.SearchService/GetFlight`.
    pub path: &'static str,
    /// Request message.
    pub input: &'static Message,
    /// Response message.
    pub output: &'static Message,
    /// Whether the client sends a stream.
    pub client_streaming: bool,
    /// Whether the server answers with a stream.
    pub server_streaming: bool,
    /// Who may call it.
    pub access: Access,
    /// Deadline where the caller names none; none for streams.
    pub deadline: Option<Duration>,
    /// Whether asking again is harmless.
    pub idempotency: Idempotency,
    /// Whether it takes an idempotency key.
    pub key: KeyRule,
    /// Which services the gateway asks.
    pub spread: Spread,
    /// REST bindings; the first is the main one.
    pub bindings: &'static [Binding],
}

/// Who may call a method; the meaning of each is in `skyway/policy/v1/policy.proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // explained in the contract
pub enum Access {
    Public,
    User,
    Owner,
    Admin,
    Mesh,
}

/// Whether asking again is harmless, from `idempotency_level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Not known to be.
    Unknown,
    /// It changes nothing.
    NoSideEffects,
    /// The second time changes nothing more.
    Idempotent,
}

/// Whether a method takes an idempotency key, as header and metadata `Idempotency-Key` or as the field `request_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRule {
    /// It takes none.
    None,
    /// A call without one is refused.
    Required,
    /// A call without one is as good.
    Optional,
}

/// Which services the gateway asks, where several serve the same contract; the meaning of each is in
/// `skyway/policy/v1/policy.proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// That of the method's own area.
    None,
    /// All, for all of their answers.
    Merged,
    /// All, for the answer of the one that does not say `NOT_FOUND`.
    Found,
}

/// A REST binding of a method, from `google.api.http`.
#[derive(Debug)]
pub struct Binding {
    /// HTTP verb in capitals, for example `GET`.
    pub verb: &'static str,
    /// Path template as written, for example `/v1/flights/{flight_id}:watch`; the name of the
    /// route in logs and metrics.
    pub template: &'static str,
    /// The template's path, segment by segment.
    pub segments: &'static [Segment],
    /// Custom verb behind the last colon, for example `watch`.
    pub custom_verb: Option<&'static str>,
    /// Variables of the path in the order of the template.
    pub variables: &'static [Variable],
    /// Where the body of the HTTP request goes.
    pub body: Body,
    /// The field of the response that is the HTTP body; none means all of it.
    pub response_body: Option<&'static Field>,
}

/// One segment of a path template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Exactly this text.
    Literal(&'static str),
    /// `*`: one segment.
    One,
    /// `**`: all remaining segments, none included. Always last.
    Rest,
}

/// A variable of a path template.
#[derive(Debug)]
pub struct Variable {
    /// The field that it sets: its fields from the request message inwards.
    pub field: &'static [&'static Field],
    /// First segment that it spans.
    pub start: usize,
    /// Segment after the last that it spans; the same as the template's length where it ends in `**`.
    pub end: usize,
}

/// Where the body of an HTTP request goes.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// There is none.
    None,
    /// It is the request message; path variables are added, query parameters are refused.
    Whole,
    /// It is this field of the request message.
    Field(&'static Field),
}
