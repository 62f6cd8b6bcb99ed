//! The services as their contracts have them: decode, ask the domain, encode.

mod audit;
mod convert;
mod error;
mod page;

use std::sync::Arc;

use contracts::mail::v1::{
    GetMailRequest, GetQueueRequest, ListDeadLettersRequest, ListDeadLettersResponse,
    ListMailsRequest, ListMailsResponse, ListSettledMailsRequest, ListSettledMailsResponse,
    ListTripMailsRequest, ListTripMailsResponse, Mail as MailMessage, MailQueue,
    RedriveDeadLetterRequest, RedriveDeadLetterResponse, mail_service_server::MailService,
};
use durable::queue::Queue;
use mesh::auth::{Caller, caller};
use tonic::{Request, Response, Status};

pub(crate) use self::audit::Audit;
use crate::domain::{mail::Viewer, ports::Mails};

/// Mails of a trip that are told at most.
const MOST_OF_A_TRIP: u64 = 100;

/// Serves [`MailService`].
pub(crate) struct Grpc<M, Q> {
    pub(crate) mails: Arc<M>,
    pub(crate) queue: Q,
    /// Mails that may leave per second.
    pub(crate) rate: f64,
}

#[tonic::async_trait]
impl<M: Mails, Q: Queue> MailService for Grpc<M, Q> {
    async fn list_mails(
        &self,
        request: Request<ListMailsRequest>,
    ) -> Result<Response<ListMailsResponse>, Status> {
        let viewer = viewer(&request)?;
        let request = request.into_inner();
        let size = mesh::page::size(request.page_size);
        let after = page::cursor(&request.page_token)?;
        // One more than wanted tells whether there is another page.
        let found = self.mails.mails(&viewer, after.as_ref(), size as u64 + 1);
        let mut mails = found.await.map_err(error::store)?;
        let more = mails.len() > size;
        mails.truncate(size);
        let last = mails.last().filter(|_| more);
        Ok(Response::new(ListMailsResponse {
            next_page_token: last.map(page::token).unwrap_or_default(),
            mails: convert::mails(mails),
        }))
    }

    async fn get_mail(
        &self,
        request: Request<GetMailRequest>,
    ) -> Result<Response<MailMessage>, Status> {
        let viewer = viewer(&request)?;
        let id = request.into_inner().mail_id;
        let found = self.mails.mail(&viewer, &id).await.map_err(error::store)?;
        let mail = found.ok_or_else(|| error::mail_not_found(&id))?;
        Ok(Response::new(convert::mail(mail)))
    }

    async fn get_queue(&self, _: Request<GetQueueRequest>) -> Result<Response<MailQueue>, Status> {
        let depth = self.queue.depth().await.map_err(error::queue)?;
        Ok(Response::new(convert::depth(&depth, self.rate)))
    }

    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let request = request.into_inner();
        let size = mesh::page::size(request.page_size);
        let after = page::dead_cursor(&request.page_token)?;
        let found = self.queue.dead(after.as_deref(), size + 1).await;
        let mut letters = found.map_err(error::queue)?;
        let more = letters.len() > size;
        letters.truncate(size);
        let last = letters.last().filter(|_| more);
        Ok(Response::new(ListDeadLettersResponse {
            next_page_token: last.map(page::dead_token).unwrap_or_default(),
            dead_letters: letters.into_iter().map(convert::dead_letter).collect(),
        }))
    }

    async fn redrive_dead_letter(
        &self,
        request: Request<RedriveDeadLetterRequest>,
    ) -> Result<Response<RedriveDeadLetterResponse>, Status> {
        let id = request.into_inner().id;
        if self.queue.redrive(&id).await.map_err(error::queue)? {
            Ok(Response::new(RedriveDeadLetterResponse {}))
        } else {
            Err(error::dead_letter_not_found(&id))
        }
    }

    async fn list_trip_mails(
        &self,
        request: Request<ListTripMailsRequest>,
    ) -> Result<Response<ListTripMailsResponse>, Status> {
        let trip = request.into_inner().trip_id;
        let found = self.mails.trip_mails(&trip, MOST_OF_A_TRIP).await;
        Ok(Response::new(ListTripMailsResponse {
            mails: convert::mails(found.map_err(error::store)?),
        }))
    }

    async fn list_settled_mails(
        &self,
        request: Request<ListSettledMailsRequest>,
    ) -> Result<Response<ListSettledMailsResponse>, Status> {
        let ids = request.into_inner().mail_ids;
        let settled = self.mails.settled(&ids).await.map_err(error::store)?;
        Ok(Response::new(ListSettledMailsResponse {
            mail_ids: settled,
        }))
    }
}

/// Whose mails the caller may see.
fn viewer<T>(request: &Request<T>) -> Result<Viewer, Status> {
    Ok(match caller(request)? {
        Caller::User(user) if !user.admin => Viewer::User(user.id.clone()),
        Caller::User(_) | Caller::Service(_) => Viewer::Everybody,
    })
}
