//! Errors as clients see them: AIP-193 in JSON, whoever found the fault.
//!
//! A status of a service keeps its details; what the gateway adds is the HTTP status, a reason
//! where there is none, and field names as JSON spells them. Texts that may speak of the inside
//! (`INTERNAL`, `UNKNOWN`, `DATA_LOSS`) are logged here and replaced.

use std::time::Duration;

use bytes::Bytes;
use contracts::google::rpc::{BadRequest, ErrorInfo, RetryInfo, Status as RpcStatus};
use contracts::rt::json;
use contracts::rt::route::Method;
use contracts::rt::schema::{Described, Field, Kind as FieldKind, Message};
use contracts::rt::violation::Violation;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use mesh::status::{DOMAIN, Fault, Kind, code_name};
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};

use crate::body::Body;

const TYPES: &str = "type.googleapis.com/";
/// When to come back where the service did not say.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A request that failed, ready to be told to the client.
///
/// Boxed, since it travels in results whose good case is small.
#[derive(Debug)]
pub struct Failure(Box<Parts>);

#[derive(Debug)]
struct Parts {
    http: StatusCode,
    code: Code,
    message: String,
    details: Vec<Any>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    /// A fault that the gateway found itself, where HTTP has a better status than gRPC's map.
    pub(crate) fn new(http: StatusCode, fault: Fault) -> Self {
        let status = Status::from(fault);
        Self(Box::new(Parts {
            http,
            code: status.code(),
            message: status.message().to_owned(),
            details: details_of(&status),
            headers: Vec::new(),
        }))
    }

    /// Adds a header to the answer.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Fields of the request that are not as they should be.
    pub(crate) fn invalid(violations: Vec<Violation>, request: &'static Message) -> Self {
        let violations: Vec<_> = violations
            .into_iter()
            .map(|violation| (json_path(request, &violation.field), violation.description))
            .collect();
        let message = violations
            .iter()
            .map(|(field, description)| match field.as_str() {
                "" => description.clone(),
                field => format!("{field}: {description}"),
            })
            .collect::<Vec<_>>()
            .join("; ");
        let mut fault = Fault::new(Kind::InvalidArgument, "INVALID_ARGUMENT", message);
        fault.violations = violations;
        Self::new(StatusCode::BAD_REQUEST, fault)
    }

    /// A call of `method` that failed.
    pub(crate) fn upstream(status: &Status, method: &'static Method) -> Self {
        let mut details = details_of(status);
        let mut reason = None;
        let mut retry_after = None;
        for detail in &mut details {
            if is::<ErrorInfo>(detail) {
                reason = ErrorInfo::decode(&*detail.value)
                    .ok()
                    .map(|info| info.reason);
            } else if is::<RetryInfo>(detail) {
                retry_after = RetryInfo::decode(&*detail.value)
                    .ok()
                    .and_then(|info| info.retry_delay);
            } else if is::<BadRequest>(detail) {
                rename_fields(detail, method.input);
            }
        }
        let code = status.code();
        if reason.is_none() {
            details.push(error_info(code_name(code)));
        }
        let mut failure = Self(Box::new(Parts {
            http: http_status(code),
            code,
            message: public_message(status, method, reason.as_deref()),
            details,
            headers: Vec::new(),
        }));
        if code == Code::Unauthenticated {
            // RFC 9110 wants a challenge with every 401.
            let challenge = HeaderValue::from_static("Bearer");
            failure = failure.with_header(header::WWW_AUTHENTICATE, challenge);
        }
        let retry_after = retry_after
            .and_then(|delay| Duration::try_from(delay).ok())
            .or((code == Code::Unavailable).then_some(RETRY_AFTER));
        if let Some(delay) = retry_after {
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            failure = failure.with_header(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        failure
    }

    /// The error as one JSON document.
    pub(crate) fn json(&self) -> Vec<u8> {
        let parts = &self.0;
        let mut out = Vec::with_capacity(256 + parts.message.len());
        let message = serde_json::Value::from(parts.message.as_str());
        let head = format!(
            r#"{{"error":{{"code":{},"status":"{}","message":{message},"details":"#,
            parts.http.as_u16(),
            code_name(parts.code),
        );
        out.extend_from_slice(head.as_bytes());
        let details = RpcStatus {
            details: parts.details.clone(),
            ..RpcStatus::default()
        };
        let start = out.len();
        let written = details_field().is_some_and(|field| {
            json::write_field(
                field,
                RpcStatus::MESSAGE,
                &details.encode_to_vec(),
                &mut out,
            )
            .is_ok()
        });
        if !written {
            out.truncate(start);
            out.extend_from_slice(b"[]");
        }
        out.extend_from_slice(b"}}");
        out
    }

    /// The error as an answer.
    pub(crate) fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(Bytes::from(self.json())));
        *response.status_mut() = self.0.http;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, super::JSON);
        for (name, value) in self.0.headers {
            headers.insert(name, value);
        }
        response
    }
}

fn details_of(status: &Status) -> Vec<Any> {
    RpcStatus::decode(status.details())
        .unwrap_or_default()
        .details
}

fn details_field() -> Option<&'static Field> {
    RpcStatus::MESSAGE
        .fields
        .iter()
        .find(|field| field.name == "details")
}

fn pack<T: prost::Message + Described>(detail: &T) -> Any {
    Any {
        type_url: format!("{TYPES}{}", T::MESSAGE.name),
        value: detail.encode_to_vec(),
    }
}

fn is<T: Described>(detail: &Any) -> bool {
    detail.type_url.rsplit('/').next() == Some(T::MESSAGE.name)
}

fn error_info(reason: &str) -> Any {
    pack(&ErrorInfo {
        reason: reason.to_owned(),
        domain: DOMAIN.to_owned(),
        ..ErrorInfo::default()
    })
}

/// What of a status a client may read; the rest is logged, once, here.
fn public_message(status: &Status, method: &Method, reason: Option<&str>) -> String {
    let inside = match status.code() {
        Code::Internal | Code::Unknown | Code::DataLoss => Some("something went wrong on our side"),
        // The mesh's own, which names endpoints; a service that is away on purpose says why.
        Code::Unavailable if reason.is_none_or(|reason| reason == "UNAVAILABLE") => {
            Some("the service is not available; try again in a moment")
        }
        Code::DeadlineExceeded if status.message().is_empty() => Some("the answer took too long"),
        _ => None,
    };
    let Some(public) = inside else {
        return status.message().to_owned();
    };
    tracing::warn!(
        rpc.method = method.path,
        code = code_name(status.code()),
        error = status.message(),
        "a call failed"
    );
    public.to_owned()
}

fn rename_fields(detail: &mut Any, request: &'static Message) {
    let Ok(mut bad_request) = BadRequest::decode(&*detail.value) else {
        return;
    };
    for violation in &mut bad_request.field_violations {
        violation.field = json_path(request, &violation.field);
    }
    detail.value = bad_request.encode_to_vec();
}

/// `legs[0].flight_id` as JSON spells it, `legs[0].flightId`. A name that the message does not
/// have is kept: it is what the client wrote.
fn json_path(message: &'static Message, path: &str) -> String {
    let mut message = Some(message);
    let mut renamed = String::with_capacity(path.len());
    for part in path.split('.') {
        if !renamed.is_empty() {
            renamed.push('.');
        }
        let name = part.find('[').map_or(part, |bracket| &part[..bracket]);
        let field = message.and_then(|message| message.fields.iter().find(|f| f.name == name));
        renamed.push_str(field.map_or(name, |field| field.json));
        renamed.push_str(&part[name.len()..]);
        message = match field.map(|field| field.kind) {
            Some(FieldKind::Message(nested)) => Some(nested),
            _ => None,
        };
    }
    renamed
}

/// The standard map of `google/rpc/code.proto`.
fn http_status(code: Code) -> StatusCode {
    let status = match code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Cancelled => 499,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
    };
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search() -> &'static Method {
        let methods = contracts::SERVICES
            .iter()
            .flat_map(|service| service.methods);
        methods
            .into_iter()
            .find(|method| method.name == "SearchItineraries")
            .unwrap()
    }

    fn shown(status: &Status) -> (StatusCode, serde_json::Value) {
        let failure = Failure::upstream(status, search());
        let json = serde_json::from_slice(&failure.json()).unwrap();
        (failure.0.http, json)
    }

    #[test]
    fn codes_have_the_statuses_of_the_standard_map() {
        let statuses = [
            200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
        ];
        for (code, status) in (0..).zip(statuses) {
            assert_eq!(http_status(Code::from(code)), status, "{code}");
        }
    }

    #[test]
    fn a_status_without_details_gets_a_reason() {
        let (http, json) = shown(&Status::not_found("no such \"flight\""));
        assert_eq!(http, 404);
        let info = serde_json::json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "NOT_FOUND", "domain": "skyway"});
        assert_eq!(
            json["error"],
            serde_json::json!({"code": 404, "status": "NOT_FOUND", "message": "no such \"flight\"",
                "details": [info]})
        );
    }

    #[test]
    fn details_of_unknown_types_are_kept() {
        let unknown = Any {
            type_url: "type.googleapis.com/a.B".to_owned(),
            value: vec![1, 2, 3],
        };
        let details = RpcStatus {
            details: vec![unknown],
            ..RpcStatus::default()
        };
        let status = Status::with_details(Code::Aborted, "x", details.encode_to_vec().into());
        let (http, json) = shown(&status);
        assert_eq!(
            (http.as_u16(), &json["error"]["details"][0]["@type"]),
            (409, &"type.googleapis.com/a.B".into())
        );
    }

    #[test]
    fn details_that_cannot_be_read_do_not_hide_the_error() {
        let status = Status::with_details(Code::Aborted, "x", Bytes::from_static(b"\xff\xff"));
        let (http, json) = shown(&status);
        assert_eq!(
            (http.as_u16(), &json["error"]["message"]),
            (409, &"x".into())
        );
    }

    #[test]
    fn fields_are_named_as_in_json() {
        let request = search().input;
        for (path, renamed) in [
            ("departure_date", "departureDate"),
            ("carriers[3]", "carriers[3]"),
            ("depart_after.x_y", "departAfter.x_y"),
            ("no_such_field", "no_such_field"),
            ("", ""),
        ] {
            assert_eq!(json_path(request, path), renamed);
        }
    }
}
