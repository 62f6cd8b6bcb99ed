//! A REST client that keeps what tests ask about: status, headers and JSON.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// A client of one gateway.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    base: String,
    client: reqwest::Client,
    token: Option<String>,
}

/// An answer with a JSON body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Rest {
    /// A client of the gateway at `host:port`.
    pub(crate) fn new(address: &str) -> Self {
        Self {
            base: format!("http://{address}"),
            client: reqwest::Client::new(),
            token: None,
        }
    }

    /// Its URL, without a path.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The same for somebody who has signed in.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.unwrap()
    }

    /// As [`Rest::get`], where the connection may fail.
    pub(crate) async fn try_get(&self, path: &str) -> reqwest::Result<Answer> {
        Answer::read(self.request(reqwest::Method::GET, path).send().await?).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::read(
            self.request(reqwest::Method::POST, path)
                .json(body)
                .send()
                .await
                .unwrap(),
        )
        .await
        .unwrap()
    }

    /// A request to be finished by the caller.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The text of an answer that must be a success.
    pub(crate) async fn text(&self, path: &str) -> String {
        let answer = self
            .request(reqwest::Method::GET, path)
            .send()
            .await
            .unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.request(reqwest::Method::GET, "/readyz").send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let json = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{status}: {error} in {text}"));
        Ok(Self {
            status,
            headers,
            json,
        })
    }

    /// The fields that an error blames, in order.
    pub(crate) fn fields(&self) -> Vec<&str> {
        let violations = self.detail("google.rpc.BadRequest")["fieldViolations"].as_array();
        let violations = violations.map(Vec::as_slice).unwrap_or_default();
        violations
            .iter()
            .map(|violation| violation["field"].as_str().unwrap())
            .collect()
    }

    /// The stable reason of an error.
    pub(crate) fn reason(&self) -> &str {
        self.detail("google.rpc.ErrorInfo")["reason"]
            .as_str()
            .unwrap_or_default()
    }

    /// The detail of an error that has this type.
    fn detail(&self, name: &str) -> &Value {
        let details = self.json["error"]["details"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let url = format!("type.googleapis.com/{name}");
        details
            .iter()
            .find(|detail| detail["@type"] == url.as_str())
            .unwrap_or(&Value::Null)
    }
}
