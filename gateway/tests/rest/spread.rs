//! What every service serves: all of them are asked, and one answer is made of theirs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use contracts::operations::v1::cron_service_server::{CronService, CronServiceServer};
use contracts::operations::v1::{
    CronJob, CronRun, ListCronJobsRequest, ListCronJobsResponse, RunCronJobRequest,
};
use http::{HeaderMap, Request};
use mesh::auth::ROLE_ADMIN;
use mesh::status::{Fault, Kind};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::support::{Answer, Gateway, PATIENCE, start_before};
use crate::tokens::{auth, token};

/// What a service is like.
#[derive(Clone, Copy, Debug)]
enum Says {
    /// It has these jobs, and one of them runs.
    Jobs(&'static [&'static str]),
    /// It has too much to do.
    Busy,
    /// It takes calls and never answers.
    Nothing,
    /// It serves no cron.
    Unimplemented,
    /// Nobody listens there.
    Away,
}

/// A service with jobs, and the calls that it got.
#[derive(Clone)]
struct Jobs {
    says: Says,
    calls: Arc<watch::Sender<Vec<HeaderMap>>>,
}

impl Jobs {
    async fn names<T>(
        &self,
        request: &tonic::Request<T>,
    ) -> Result<&'static [&'static str], Status> {
        let headers = request.metadata().clone().into_headers();
        self.calls.send_modify(|calls| calls.push(headers));
        match self.says {
            Says::Jobs(names) => Ok(names),
            Says::Nothing => std::future::pending().await,
            Says::Busy | Says::Unimplemented | Says::Away => {
                Err(Fault::new(Kind::ResourceExhausted, "BUSY", "too many calls").into())
            }
        }
    }
}

#[tonic::async_trait]
impl CronService for Jobs {
    async fn list_cron_jobs(
        &self,
        request: tonic::Request<ListCronJobsRequest>,
    ) -> Result<tonic::Response<ListCronJobsResponse>, Status> {
        let job = |name: &&str| CronJob {
            name: (*name).to_owned(),
            ..CronJob::default()
        };
        let cron_jobs = self.names(&request).await?.iter().map(job).collect();
        Ok(tonic::Response::new(ListCronJobsResponse { cron_jobs }))
    }

    async fn run_cron_job(
        &self,
        request: tonic::Request<RunCronJobRequest>,
    ) -> Result<tonic::Response<CronRun>, Status> {
        let names = self.names(&request).await?;
        let name = request.into_inner().name;
        if !names.contains(&name.as_str()) {
            return Err(Fault::new(Kind::NotFound, "CRON_JOB_NOT_FOUND", "no such job").into());
        }
        if name == "runs" {
            return Err(Fault::new(Kind::FailedPrecondition, "CRON_JOB_RUNNING", "it runs").into());
        }
        Ok(tonic::Response::new(CronRun {
            detail: format!("did {name}"),
            ..CronRun::default()
        }))
    }
}

/// Starts a service that is like this.
async fn service(says: Says, calls: Arc<watch::Sender<Vec<HeaderMap>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    match says {
        Says::Away => drop(listener),
        Says::Unimplemented => {
            let server = mesh::server::Server::new(mesh::server::Config::new("nothing"));
            tokio::spawn(server.serve(listener, CancellationToken::new()));
        }
        Says::Jobs(_) | Says::Busy | Says::Nothing => {
            let server = tonic::transport::Server::builder()
                .add_service(CronServiceServer::new(Jobs { says, calls }))
                .serve_with_incoming(TcpListenerStream::new(listener));
            tokio::spawn(server);
        }
    }
    address
}

/// A gateway before services of which these have cron, or are away.
struct Spread {
    gateway: Gateway,
    calls: watch::Receiver<Vec<HeaderMap>>,
}

impl Spread {
    async fn start(services: &[(&str, Says)]) -> Self {
        let sender = Arc::<watch::Sender<Vec<HeaderMap>>>::default();
        let calls = sender.subscribe();
        let mut endpoints = vec![];
        for (area, says) in services {
            let address = service(*says, Arc::clone(&sender)).await;
            let at = format!("static://{address}").parse().unwrap();
            endpoints.push(((*area).to_owned(), at));
        }
        let others = service(Says::Unimplemented, sender).await;
        let (open, metadata) = (watch::channel(0).1, watch::channel(HeaderMap::new()).1);
        let change = |config: &mut gateway::Config| {
            config.auth = Some(auth());
            config.endpoints.extend(endpoints);
        };
        let gateway = start_before(others, change, open, metadata).await;
        Self { gateway, calls }
    }

    async fn send(&self, roles: &[&str], request: http::request::Builder) -> Answer {
        let bearer = format!("Bearer {}", token(roles, 600));
        let request = request.header("authorization", bearer);
        self.gateway.send(request.body("").unwrap()).await
    }

    async fn list(&self) -> Answer {
        self.send(&[ROLE_ADMIN], Request::get("/v1/cronJobs")).await
    }

    async fn run(&self, name: &str) -> Answer {
        let request = Request::post(format!("/v1/cronJobs/{name}:run"));
        self.send(&[ROLE_ADMIN], request).await
    }

    /// Waits until the gateway has connected to all that have jobs, which the list then shows.
    async fn lists(&self, names: &[&str]) -> Answer {
        let jobs: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
        let all = json!({"cronJobs": jobs});
        until(async || self.list().await, |answer| answer.json() == all).await
    }
}

/// Asks until the answer is as it is once the gateway has connected to every service.
async fn until(ask: impl AsyncFn() -> Answer, good: impl Fn(&Answer) -> bool) -> Answer {
    let started = Instant::now();
    loop {
        let answer = ask().await;
        if good(&answer) {
            return answer;
        }
        assert!(started.elapsed() < 3 * PATIENCE, "{answer:?}");
    }
}

#[tokio::test]
async fn lists_are_merged_and_who_has_none_is_left_out() {
    let spread = Spread::start(&[
        ("orchestration", Says::Jobs(&["remind", "resume"])),
        ("booking", Says::Jobs(&["expire"])),
        ("identity", Says::Away),
    ])
    .await;
    assert_eq!(
        spread.lists(&["expire", "remind", "resume"]).await.status,
        200
    );
    let calls = spread.calls.borrow();
    let [.., one, other] = &calls[..] else {
        panic!("two services were called: {calls:?}")
    };
    assert_eq!(one["skyway-identity"], other["skyway-identity"]);
    assert!(one.contains_key("grpc-timeout") && other.contains_key("grpc-timeout"));
}

#[tokio::test]
async fn an_empty_list_is_an_answer() {
    let spread = Spread::start(&[("booking", Says::Jobs(&[])), ("mail", Says::Away)]).await;
    let answer = until(async || spread.list().await, |answer| answer.status == 200).await;
    assert_eq!(answer.json(), json!({}));
}

#[tokio::test]
async fn a_refusal_is_not_hidden_by_what_others_answer() {
    let spread = Spread::start(&[("booking", Says::Jobs(&["expire"])), ("mail", Says::Busy)]).await;
    // Mail is left out until it has been reached.
    let reached = |answer: &Answer| ![200, 503].contains(&answer.status.as_u16());
    let answer = until(async || spread.list().await, reached).await;
    assert_eq!((answer.error().0, answer.error().1.as_str()), (429, "BUSY"));
}

#[tokio::test]
async fn where_nobody_answers_the_most_telling_failure_does() {
    let spread = Spread::start(&[]).await;
    let reached = |answer: &Answer| answer.status != 503;
    let list = until(async || spread.list().await, reached).await;
    let run = until(async || spread.run("x").await, reached).await;
    assert_eq!((list.error().0, run.error().0), (501, 501));

    let spread = Spread::start(&[("booking", Says::Away)]).await;
    assert_eq!(spread.list().await.error().0, 503);

    let spread = Spread::start(&[("booking", Says::Nothing), ("mail", Says::Away)]).await;
    let request = Request::get("/v1/cronJobs").header("grpc-timeout", "100m");
    let answer = spread.send(&[ROLE_ADMIN], request).await;
    assert_eq!(answer.error().0, 504, "the deadline holds for all of it");
}

#[tokio::test]
async fn the_one_that_has_it_answers() {
    let spread = Spread::start(&[
        ("booking", Says::Jobs(&["expire", "runs"])),
        ("identity", Says::Jobs(&["purge"])),
    ])
    .await;
    spread.lists(&["expire", "runs", "purge"]).await;
    for (name, detail) in [("expire", "did expire"), ("purge", "did purge")] {
        let answer = spread.run(name).await;
        assert_eq!(answer.json(), json!({"detail": detail}));
    }
    for (name, code, reason) in [
        ("nothing", 404, "CRON_JOB_NOT_FOUND"),
        ("runs", 400, "CRON_JOB_RUNNING"),
    ] {
        let reached = |answer: &Answer| answer.status != 503;
        let answer = until(async || spread.run(name).await, reached).await;
        let (found, why, _) = answer.error();
        assert_eq!((found, why.as_str()), (code, reason), "{name}");
    }
}

#[tokio::test]
async fn it_may_be_with_one_that_is_away() {
    let spread = Spread::start(&[
        ("booking", Says::Jobs(&["expire"])),
        ("identity", Says::Away),
    ])
    .await;
    spread.lists(&["expire"]).await;
    assert_eq!(spread.run("expire").await.status, 200);
    assert_eq!(spread.run("purge").await.error().0, 503);
}

#[tokio::test]
async fn a_good_answer_waits_for_nobody() {
    let spread = Spread::start(&[
        ("booking", Says::Jobs(&["expire"])),
        ("identity", Says::Nothing),
    ])
    .await;
    let run = async || {
        // Until booking is connected there is no answer within a client's patience.
        let request = Request::post("/v1/cronJobs/expire:run").header("grpc-timeout", "5S");
        spread.send(&[ROLE_ADMIN], request).await
    };
    let answer = until(run, |answer| answer.status == 200).await;
    assert_eq!(answer.json(), json!({"detail": "did expire"}));
}

#[tokio::test]
async fn access_is_as_everywhere() {
    let spread = Spread::start(&[("booking", Says::Jobs(&["expire"]))]).await;
    let anonymous = spread.gateway.get("/v1/cronJobs").await;
    assert_eq!(anonymous.error().1, "UNAUTHENTICATED");
    for request in [
        Request::get("/v1/cronJobs"),
        Request::post("/v1/cronJobs/expire:run"),
    ] {
        let user = spread.send(&["user"], request).await;
        assert_eq!(user.error().0, 403);
    }
    assert!(spread.calls.borrow().is_empty(), "a service was called");
}
