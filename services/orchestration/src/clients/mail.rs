//! Mails, from mail: those about a trip, and which are settled.

use std::time::Duration;

use contracts::mail::v1::{
    ListSettledMailsRequest, ListTripMailsRequest, Mail, mail_service_client::MailServiceClient,
};
use durable::relay::{Consumer, ConsumerError};
use mesh::client::Channel;
use tonic::Request;

use crate::domain::ports::Mails;

/// How long an answer may take: an overview rather leaves the mails out.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// Mail behind its client.
#[derive(Clone, Debug)]
pub(crate) struct MailClient(MailServiceClient<Channel>);

impl MailClient {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(MailServiceClient::new(channel))
    }
}

impl Mails for MailClient {
    type Mail = Mail;

    async fn about(&self, trip_id: &str) -> Result<Vec<Mail>, String> {
        let mut request = Request::new(ListTripMailsRequest {
            trip_id: trip_id.to_owned(),
        });
        request.set_timeout(CALL_TIMEOUT);
        match self.0.clone().list_trip_mails(request).await {
            Ok(answer) => Ok(answer.into_inner().mails),
            Err(status) => Err(status.message().to_owned()),
        }
    }
}

impl Consumer for MailClient {
    async fn settled(&self, ids: &[String]) -> Result<Vec<String>, ConsumerError> {
        let request = ListSettledMailsRequest {
            mail_ids: ids.to_vec(),
        };
        let answer = self.0.clone().list_settled_mails(request).await;
        let answer = answer.map_err(ConsumerError::new)?;
        Ok(answer.into_inner().mail_ids)
    }
}
