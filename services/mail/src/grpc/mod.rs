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
    /// Unix milliseconds.
    pub(crate) clock: fn() -> i64,
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
        // Read before: whoever takes it at once may have given it up once more before this goes on.
        let mail = self.mails.mail(&Viewer::Everybody, &id).await;
        let mail = mail.map_err(error::store)?;
        if !self.queue.redrive(&id).await.map_err(error::queue)? {
            return Err(error::dead_letter_not_found(&id));
        }
        // The queue comes first. Where this ends here, the mail is queued and reads DEAD, which whoever takes it puts
        // right; the other way round it would read QUEUED, and nobody would ever take it.
        if let Some(mail) = mail {
            let now = (self.clock)();
            // What fails here has been logged, and does not undo the redriving.
            let _ = self.mails.revive(&id, mail.updated, now).await;
        }
        Ok(Response::new(RedriveDeadLetterResponse {}))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use durable::{
        Options,
        queue::{NewMessage, Queue as _},
    };
    use tonic::Code;

    use super::*;
    use crate::{
        domain::mail::{Kind, NewMail, State},
        store::Sql,
    };

    const MAIL: &str = "t-1-confirmed";

    #[tokio::test]
    async fn a_mail_that_is_redriven_is_queued_before_anybody_takes_it() {
        let (records, messages) = (testing::sqlite(), testing::sqlite());
        let queue = durable::queue::open(&messages.url, crate::TOPIC, "TEST_QUEUE_URL").await;
        let grpc = Grpc {
            mails: Arc::new(store(&records.url).await),
            queue: queue.unwrap(),
            rate: 1.0,
            clock: || 30,
        };
        let order = NewMessage {
            id: MAIL.to_owned(),
            payload: Vec::new(),
            trace_parent: None,
            enqueued: 1,
        };
        grpc.queue.publish(&[order]).await.unwrap();
        let taken = grpc.queue.take("a", 1, Duration::from_mins(1)).await;
        grpc.queue.bury(&taken.unwrap()[0], "550").await.unwrap();
        let redrive = async || {
            let id = MAIL.to_owned();
            let request = Request::new(RedriveDeadLetterRequest { id });
            grpc.redrive_dead_letter(request).await
        };
        redrive().await.unwrap();
        // Twice is as once: there is no such dead letter any more.
        assert_eq!(redrive().await.unwrap_err().code(), Code::NotFound);
        let mail = grpc.mails.mail(&Viewer::Everybody, MAIL).await;
        let mail = mail.unwrap().unwrap();
        assert_eq!(
            (mail.state, mail.attempts, mail.updated),
            (State::Queued, 0, 30)
        );
        let depth = grpc.queue.depth().await.unwrap();
        assert_eq!((depth.waiting, depth.dead), (1, 0));
    }

    /// A record in which the mail was given up after one attempt.
    async fn store(url: &str) -> Sql {
        let options = Options {
            url: url.to_owned(),
            variable: "TEST_DATABASE_URL",
            max_connections: 2,
        };
        let store = Sql::open(&options).await.unwrap();
        let mail = NewMail {
            id: MAIL.to_owned(),
            kind: Some(Kind::TripConfirmed),
            trip: "t-1".to_owned(),
            user: "ada".to_owned(),
            recipient: "ada@example.com".to_owned(),
            subject: "Your trip is booked: K7QXPL".to_owned(),
            created: 1,
            trace: None,
        };
        store.record(&[mail], 10).await.unwrap();
        store.claim((MAIL, 0), "o", 10, 50).await.unwrap();
        store.dead(MAIL, "550", 20).await.unwrap();
        store
    }
}
