//! From path, query and body to the bytes of a gRPC request.
//!
//! Everything is appended to one buffer, in which the five bytes of gRPC's prefix come first.
//! The contract's constraints are checked before anything is sent, so that a bad request costs
//! no call, and all faults are told at once.

use std::borrow::Cow;

use bytes::{BufMut, Bytes};
use contracts::rt::query::Binder;
use contracts::rt::route::{Binding, Body as Destination, KeyRule, Method, Segment, Variable};
use contracts::rt::{constraint, json};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use mesh::idempotency;
use mesh::status::{Fault, Kind};
use percent_encoding::percent_decode_str;

use super::{Failure, Rpc};

const PREFIX: usize = 5;
/// Headers of a REST request that are metadata of the call.
static FORWARDED: [HeaderName; 4] = [
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-request-id"),
];

/// Binds a request that matched `binding` to the wire bytes of the method's message, prefixed
/// as gRPC wants them. `path` is without the custom verb.
///
/// # Errors
///
/// A 400 that names every field at fault.
pub fn bind(
    method: &'static Method,
    binding: &'static Binding,
    path: &str,
    query: Option<&str>,
    body: &[u8],
) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(PREFIX + 128 + body.len());
    out.put_bytes(0, PREFIX);
    let from_body = match binding.body {
        _ if body.is_empty() => Ok(()),
        Destination::None => Ok(()),
        Destination::Whole => json::read(method.input, body, &mut out),
        Destination::Field(field) => json::read_field(field, body, &mut out),
    };
    let mut violations = from_body
        .err()
        .map(|invalid| invalid.violations)
        .unwrap_or_default();
    let readable = violations.is_empty();
    violations.extend(bind_url(method, binding, path, query, &mut out));
    if readable {
        // What a parameter failed to set would be reported a second time as missing.
        let faults = constraint::check(method.input, &out[PREFIX..]).err();
        for fault in faults.into_iter().flat_map(|invalid| invalid.violations) {
            if !violations
                .iter()
                .any(|violation| violation.field == fault.field)
            {
                violations.push(fault);
            }
        }
    }
    if !violations.is_empty() {
        return Err(Failure::invalid(violations, method.input));
    }
    let length = u32::try_from(out.len() - PREFIX).unwrap_or(u32::MAX);
    out[1..PREFIX].copy_from_slice(&length.to_be_bytes());
    Ok(out)
}

fn bind_url(
    method: &'static Method,
    binding: &'static Binding,
    path: &str,
    query: Option<&str>,
    out: &mut Vec<u8>,
) -> Vec<contracts::rt::violation::Violation> {
    let mut binder = Binder::new(method.input, out);
    if let Destination::Field(field) = binding.body {
        binder.reserve(field);
    }
    for variable in binding.variables {
        match decode_variable(binding, variable, path) {
            Some(text) => binder.variable(variable.field, &text),
            None => binder.refuse(
                variable
                    .field
                    .iter()
                    .map(|field| field.name)
                    .collect::<Vec<_>>()
                    .join("."),
                "must be percent-encoded UTF-8",
            ),
        }
    }
    for pair in query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (decode_parameter(name), decode_parameter(value)) {
            (Some(name), Some(_)) if matches!(binding.body, Destination::Whole) => {
                binder.refuse(name, "must be given in the body");
            }
            (Some(name), Some(value)) => binder.parameter(&name, &value),
            (decoded, _) => {
                let name = decoded.unwrap_or(Cow::Borrowed(name));
                binder.refuse(name, "must be percent-encoded UTF-8");
            }
        }
    }
    binder.finish()
}

/// The part of the path that a variable spans. One segment is decoded in full; of several, `%2F`
/// stays, so that a slash within a segment can be told from one between two.
fn decode_variable<'p>(
    binding: &Binding,
    variable: &Variable,
    path: &'p str,
) -> Option<Cow<'p, str>> {
    let open_end = variable.end == binding.segments.len()
        && matches!(binding.segments.last(), Some(Segment::Rest));
    let start = nth_segment(path, variable.start);
    let end = if open_end {
        path.len()
    } else {
        nth_segment(path, variable.end).saturating_sub(1)
    };
    let text = path.get(start..end).unwrap_or_default();
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    if variable.end - variable.start == 1 && !open_end {
        return decode(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest
        .as_bytes()
        .windows(3)
        .position(|w| w.eq_ignore_ascii_case(b"%2F"))
    {
        decoded.push_str(&decode(&rest[..at])?);
        decoded.push_str(&rest[at..at + 3]);
        rest = &rest[at + 3..];
    }
    decoded.push_str(&decode(rest)?);
    Some(Cow::Owned(decoded))
}

/// Where the segment with this number starts; one past the end of the path, plus one, where it
/// is the one after the last.
fn nth_segment(path: &str, number: usize) -> usize {
    let mut slashes = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
    slashes.nth(number).map_or(path.len() + 1, |(at, _)| at + 1)
}

/// A name or value of the query, in which `+` is a space.
fn decode_parameter(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return decode(text);
    }
    decode(&text.replace('+', " ")).map(|text| Cow::Owned(text.into_owned()))
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let well_formed = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
        matches!(bytes.get(at + 1..at + 3), Some([a, b]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
    });
    well_formed
        .then(|| percent_decode_str(text).decode_utf8().ok())
        .flatten()
}

/// The call that carries `message`.
pub(super) fn upstream(
    rpc: &Rpc,
    headers: &HeaderMap,
    message: Vec<u8>,
) -> Result<Request<Bytes>, Failure> {
    let mut request = Request::new(Bytes::from(message));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = rpc.uri.clone();
    *request.version_mut() = http::Version::HTTP_2;
    let metadata = request.headers_mut();
    metadata.reserve(8);
    metadata.insert(header::TE, HeaderValue::from_static("trailers"));
    metadata.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    for name in &FORWARDED {
        if let Some(value) = headers.get(name) {
            metadata.insert(name.clone(), value.clone());
        }
    }
    if rpc.method.key != KeyRule::None {
        // All of them: the service refuses more than one.
        for value in headers.get_all(idempotency::HEADER) {
            metadata.append(idempotency::HEADER, value.clone());
        }
    }
    match headers.get("grpc-timeout") {
        Some(timeout) if !is_timeout(timeout.as_bytes()) => {
            let message =
                "grpc-timeout must be up to 8 digits and a unit of H, M, S, m, u or n, as in 500m";
            let fault = Fault::new(Kind::InvalidArgument, "INVALID_TIMEOUT", message);
            Err(Failure::new(StatusCode::BAD_REQUEST, fault))
        }
        _ => Ok(request),
    }
}

/// The call as a channel takes it.
pub(super) fn send(request: Request<Bytes>) -> Request<tonic::body::Body> {
    request.map(|message| tonic::body::Body::new(Full::new(message)))
}

fn is_timeout(value: &[u8]) -> bool {
    matches!(value, [digits @ .., b'H' | b'M' | b'S' | b'm' | b'u' | b'n']
        if (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variable that spans segments `start..end` of a template.
    fn variable(
        segments: &'static [Segment],
        start: usize,
        end: usize,
        path: &str,
    ) -> Option<String> {
        let binding = Binding {
            verb: "GET",
            template: "",
            segments,
            custom_verb: None,
            variables: &[],
            body: Destination::None,
            response_body: None,
        };
        let variable = Variable {
            field: &[],
            start,
            end,
        };
        decode_variable(&binding, &variable, path).map(Cow::into_owned)
    }

    #[test]
    fn variables_span_their_segments() {
        use Segment::{Literal, One, Rest};
        let two: &[Segment] = &[Literal("v1"), Literal("a"), One, Literal("b"), One];
        let rest: &[Segment] = &[Literal("v1"), One, Rest];
        for (segments, start, end, path, text) in [
            (two, 1, 3, "/v1/a/hello/b/world", Some("a/hello")),
            (two, 4, 5, "/v1/a/hello/b/world", Some("world")),
            (two, 2, 3, "/v1/a/p%20q%2Fr+/b/x", Some("p q/r+")),
            (two, 1, 3, "/v1/a/p%20q%2fr%21/b/x", Some("a/p q%2fr!")),
            (two, 2, 3, "/v1/a/%25/b/x", Some("%")),
            (two, 2, 3, "/v1/a/%zz/b/x", None),
            (two, 2, 3, "/v1/a/%2/b/x", None),
            (two, 2, 3, "/v1/a/%ff/b/x", None),
            (rest, 2, 3, "/v1/x/y/z%2Fw", Some("y/z%2Fw")),
            (rest, 2, 3, "/v1/x/y", Some("y")),
            (rest, 2, 3, "/v1/x", Some("")),
            (rest, 1, 3, "/v1/x/y/z", Some("x/y/z")),
        ] {
            assert_eq!(
                variable(segments, start, end, path).as_deref(),
                text,
                "{path}"
            );
        }
    }

    #[test]
    fn parameters_are_form_encoded() {
        for (encoded, text) in [
            ("Hello+world", Some("Hello world")),
            ("%2B+%20", Some("+  ")),
            ("%C2%AE", Some("®")),
            ("%C3%28", None),
            ("100%", None),
            ("", Some("")),
        ] {
            assert_eq!(decode_parameter(encoded).as_deref(), text, "{encoded}");
        }
    }

    #[test]
    fn timeouts_are_as_grpc_writes_them() {
        for (value, good) in [
            ("1S", true),
            ("99999999n", true),
            ("100000000n", false),
            ("S", false),
            ("1s", false),
            ("-1S", false),
            ("", false),
        ] {
            assert_eq!(is_timeout(value.as_bytes()), good, "{value}");
        }
    }

    #[test]
    fn the_prefix_holds_the_length() {
        let methods = contracts::SERVICES
            .iter()
            .flat_map(|service| service.methods);
        let method = methods
            .into_iter()
            .find(|method| method.name == "GetFlight")
            .unwrap();
        let bound = bind(method, &method.bindings[0], "/v1/flights/F1", None, b"").unwrap();
        assert_eq!(bound, b"\0\0\0\0\x04\x0a\x02F1");
    }
}
