//! One call of the gateway: what is sent, and what went wrong in one line.

use std::time::Duration;

use mesh::backoff::Backoff;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take: longer than the gateway gives the calls made here, but for those that
/// say [`Call::within`].
const ANSWER: Duration = Duration::from_secs(30);

/// How often a call that may be made twice is made at most.
const ATTEMPTS: u32 = 6;

/// A client of one gateway.
#[derive(Debug)]
pub(super) struct Rest {
    http: reqwest::Client,
    gateway: String,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The gateway or a service behind it refused; the text is theirs.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// What it said.
        message: String,
    },
    /// There is no knowing whether the call has been made.
    #[error("no answer from {gateway}")]
    Lost {
        /// Where it should be.
        gateway: String,
        /// What went wrong on the way.
        source: reqwest::Error,
    },
    /// Something answers there that is no gateway.
    #[error("{gateway} does not answer as a gateway does: HTTP {status}, and no JSON")]
    Strange {
        /// Where it should be.
        gateway: String,
        /// What it said instead.
        status: StatusCode,
    },
}

impl CallError {
    /// Whether the same call may go well in a moment.
    fn transient(&self) -> bool {
        match self {
            Self::Lost { .. } => true,
            Self::Refused { status, .. } | Self::Strange { status, .. } => matches!(
                *status,
                StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ),
        }
    }

    /// Whether the caller's token was not accepted.
    pub(super) fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED)
    }
}

/// A call to make.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    token: Option<&'a str>,
    key: Option<&'a str>,
    within: Duration,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: vec![],
            body: None,
            token: None,
            key: None,
            within: ANSWER,
        }
    }

    pub(super) fn get(path: impl Into<String>, query: Vec<(&'static str, String)>) -> Self {
        Self {
            query,
            ..Self::new(Method::GET, path)
        }
    }

    pub(super) fn post(path: impl Into<String>, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::new(Method::POST, path)
        }
    }

    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Made by the user whose access token this is.
    pub(super) fn by(self, token: &'a str) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    /// Answered within this time.
    pub(super) fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Made once, however often it is sent.
    pub(super) fn once(self, idempotency_key: &'a str) -> Self {
        Self {
            key: Some(idempotency_key),
            ..self
        }
    }
}

impl Rest {
    /// A client of the gateway at this URL.
    pub(super) fn new(gateway: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("skyway/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            // An answer of the gateway is an answer; a token goes nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            http,
            gateway: gateway.to_owned(),
        })
    }

    /// Makes a call.
    ///
    /// # Errors
    /// [`CallError`]
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Value, CallError> {
        let url = format!("{}{}", self.gateway, call.path);
        let request = self.http.request(call.method.clone(), url);
        let mut request = request.timeout(call.within);
        if !call.query.is_empty() {
            request = request.query(&call.query);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        if let Some(token) = call.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = call.key {
            request = request.header("idempotency-key", key);
        }
        let lost = |error: reqwest::Error| CallError::Lost {
            gateway: self.gateway.clone(),
            // Queries are no secret, but they make a long line.
            source: error.without_url(),
        };
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(lost)?;
        let json: Option<Value> = serde_json::from_slice(&body).ok();
        let json = json.ok_or_else(|| CallError::Strange {
            gateway: self.gateway.clone(),
            status,
        })?;
        if status.is_success() {
            return Ok(json);
        }
        let message = json["error"]["message"].as_str();
        let message = message.map_or_else(|| format!("HTTP {status}"), str::to_owned);
        Err(CallError::Refused { status, message })
    }

    /// Makes a call that may be made any number of times, again where the answer is lost or the
    /// gateway asks for patience.
    ///
    /// # Errors
    /// [`CallError`], the last one.
    pub(super) async fn call_again(&self, call: &Call<'_>) -> Result<Value, CallError> {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        for _ in 1..ATTEMPTS {
            match self.call(call).await {
                Err(error) if error.transient() => {
                    eprintln!("skyway: {error}; trying again");
                    tokio::time::sleep(backoff.next(fastrand::f64())).await;
                }
                answer => return answer,
            }
        }
        self.call(call).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_a_refusal_is_not() {
        let refused = |status| CallError::Refused {
            status,
            message: "no".to_owned(),
        };
        for (status, again) in [
            (StatusCode::SERVICE_UNAVAILABLE, true),
            (StatusCode::BAD_GATEWAY, true),
            (StatusCode::GATEWAY_TIMEOUT, true),
            (StatusCode::BAD_REQUEST, false),
            (StatusCode::UNAUTHORIZED, false),
            (StatusCode::TOO_MANY_REQUESTS, false),
        ] {
            assert_eq!(refused(status).transient(), again, "{status}");
        }
    }
}
