//! A replica as others see it: over its port, with its database beside it.

#![allow(clippy::unwrap_used)] // a failed step fails the test

use std::{path::Path, time::Duration};

use contracts::{
    identity::v1::{
        CreateSessionRequest, CreateUserRequest, DeleteSessionRequest, GetCurrentUserRequest,
        GetKeysRequest, IDENTITY_SERVICE, RefreshSessionRequest, Role, Session, User,
        identity_service_client::IdentityServiceClient,
    },
    operations::v1::{
        AUDIT_SERVICE, AuditReport, CRON_SERVICE, CronOutcome, ListCronJobsRequest,
        RunAuditRequest, RunCronJobRequest, audit_service_client::AuditServiceClient,
        cron_service_client::CronServiceClient,
    },
};
use identity::{Admin, Config, Rate};
use mesh::{
    auth::Auth,
    client::{Channel, Config as ClientConfig, Endpoints},
    seal::Key,
    status::{reason, retry_after},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Request, Response, Status};

const PASSWORD: &str = "countess of 1815";

struct Replica {
    client: IdentityServiceClient<Channel>,
    endpoints: Endpoints,
    served: JoinHandle<Result<(), identity::ServeError>>,
    _stop: DropGuard,
}

fn mesh_auth() -> Auth {
    Auth::new(Key::new([5; 32]))
}

fn config(dir: &Path) -> Config {
    let mut config = Config::new(dir);
    config.server.auth = Some(mesh_auth());
    config
}

fn client_config(endpoints: &Endpoints) -> ClientConfig {
    ClientConfig {
        patience: Duration::from_mins(1),
        ..ClientConfig::new(endpoints.clone())
    }
}

async fn start(config: Config) -> Replica {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints: Endpoints = format!("static://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(identity::serve(config, listener, shutdown.clone()));
    let channel = Channel::connect(&IDENTITY_SERVICE, client_config(&endpoints));
    Replica {
        client: IdentityServiceClient::new(channel),
        endpoints,
        served,
        _stop: shutdown.drop_guard(),
    }
}

impl Replica {
    async fn sign_up(&mut self, email: &str, password: &str) -> Result<String, Status> {
        let request = CreateUserRequest {
            email: email.to_owned(),
            password: password.to_owned(),
        };
        let answer = self.client.create_user(request).await?;
        Ok(answer.into_inner().email)
    }

    async fn sign_in(&mut self, email: &str, password: &str) -> Result<Session, Status> {
        let request = CreateSessionRequest {
            email: email.to_owned(),
            password: password.to_owned(),
        };
        let answer = self.client.create_session(request).await;
        answer.map(Response::into_inner)
    }

    async fn refresh(&mut self, refresh_token: &str) -> Result<Session, Status> {
        let request = RefreshSessionRequest {
            refresh_token: refresh_token.to_owned(),
        };
        let answer = self.client.refresh_session(request).await;
        answer.map(Response::into_inner)
    }

    async fn me(&mut self, access_token: &str) -> Result<User, Status> {
        let request = bearer(GetCurrentUserRequest {}, access_token);
        let answer = self.client.get_current_user(request).await;
        answer.map(Response::into_inner)
    }

    /// The ids of the published keys.
    async fn keys(&mut self) -> Vec<String> {
        let set = self.client.get_keys(GetKeysRequest {}).await.unwrap();
        let keys = set.into_inner().keys;
        keys.into_iter().map(|key| key.kid).collect()
    }

    async fn audit(&self, client: ClientConfig) -> Result<AuditReport, Status> {
        let channel = Channel::connect(&AUDIT_SERVICE, client);
        let answer = AuditServiceClient::new(channel)
            .run_audit(RunAuditRequest {})
            .await;
        answer.map(Response::into_inner)
    }
}

fn bearer<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (status.code(), reason(&status).unwrap())
}

fn unauthenticated(reason: &str) -> (Code, String) {
    (Code::Unauthenticated, reason.to_owned())
}

#[tokio::test]
async fn a_user_signs_up_in_and_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(config(dir.path())).await;
    let email = replica.sign_up("Ada@Example.com", PASSWORD).await.unwrap();
    assert_eq!(email, "ada@example.com");

    let session = replica.sign_in("ADA@example.com", PASSWORD).await.unwrap();
    assert_eq!(session.token_type, "Bearer");
    let user = session.user.unwrap();
    assert_eq!(
        (user.email.as_str(), &*user.roles),
        ("ada@example.com", &[Role::User.into()][..])
    );
    assert!(user.create_time.is_some());
    let life = session.expire_time.unwrap().seconds - now();
    assert!((890..=900).contains(&life), "{life}");
    assert!(session.refresh_expire_time.unwrap().seconds - now() > 29 * 86_400);
    assert_eq!(replica.me(&session.access_token).await.unwrap(), user);

    let next = replica.refresh(&session.refresh_token).await.unwrap();
    assert_ne!(next.refresh_token, session.refresh_token);
    assert_eq!(replica.me(&next.access_token).await.unwrap(), user);

    let sign_out = bearer(DeleteSessionRequest {}, &next.access_token);
    replica.client.delete_session(sign_out).await.unwrap();
    let gone = refused(replica.refresh(&next.refresh_token).await);
    assert_eq!(gone, unauthenticated("REFRESH_TOKEN_INVALID"));
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_its_session_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(config(dir.path())).await;
    replica.sign_up("ada@example.com", PASSWORD).await.unwrap();
    let stolen = replica.sign_in("ada@example.com", PASSWORD).await.unwrap();
    let other = replica.sign_in("ada@example.com", PASSWORD).await.unwrap();
    let next = replica.refresh(&stolen.refresh_token).await.unwrap();
    let void = unauthenticated("REFRESH_TOKEN_INVALID");
    assert_eq!(refused(replica.refresh(&stolen.refresh_token).await), void);
    assert_eq!(refused(replica.refresh(&next.refresh_token).await), void);
    assert_eq!(refused(replica.refresh("never given").await), void);
    replica.refresh(&other.refresh_token).await.unwrap();
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(config(dir.path())).await;
    let mut answers = Vec::new();
    for password in [PASSWORD, "another password"] {
        answers.push(replica.sign_up("ada@example.com", password).await.unwrap());
    }
    assert_eq!(answers[0], answers[1]);
    let wrong = replica
        .sign_in("ada@example.com", "another password")
        .await
        .unwrap_err();
    let unknown = replica
        .sign_in("grace@example.com", PASSWORD)
        .await
        .unwrap_err();
    let impossible = replica.sign_in("\0", PASSWORD).await.unwrap_err();
    for status in [&wrong, &unknown, &impossible] {
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(reason(status).as_deref(), Some("WRONG_CREDENTIALS"));
        assert_eq!(status.message(), wrong.message());
        assert_eq!(status.details(), wrong.details());
    }
    // The second sign-up has changed nothing.
    replica.sign_in("ada@example.com", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn attempts_are_limited_per_account() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.limits.per_account = Rate {
        burst: 2,
        every: Duration::from_hours(1),
    };
    let mut replica = start(config).await;
    for _ in 0..2 {
        let refused = refused(replica.sign_in("ada@example.com", "wrong").await);
        assert_eq!(refused, unauthenticated("WRONG_CREDENTIALS"));
    }
    let status = replica
        .sign_in("Ada@example.com", "wrong")
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(reason(&status).as_deref(), Some("RATE_LIMITED"));
    assert!(retry_after(&status).unwrap() > Duration::from_mins(59));
    let other = refused(replica.sign_in("grace@example.com", "wrong").await);
    assert_eq!(other, unauthenticated("WRONG_CREDENTIALS"));
}

#[tokio::test]
async fn attempts_are_limited_per_address_over_all_accounts() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.limits.per_address = Rate {
        burst: 2,
        every: Duration::from_hours(1),
    };
    let mut replica = start(config).await;
    replica.sign_up("ada@example.com", PASSWORD).await.unwrap();
    replica.sign_in("ada@example.com", PASSWORD).await.unwrap();
    let limited = refused(replica.sign_up("grace@example.com", PASSWORD).await);
    assert_eq!(
        limited,
        (Code::ResourceExhausted, "RATE_LIMITED".to_owned())
    );
}

#[tokio::test]
async fn another_service_verifies_tokens_by_the_published_keys() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(config(dir.path())).await;
    replica.sign_up("ada@example.com", PASSWORD).await.unwrap();
    let session = replica.sign_in("ada@example.com", PASSWORD).await.unwrap();
    let keys = replica.keys().await;
    assert_eq!(keys.len(), 1);
    let auth = mesh_auth().with_tokens(replica.endpoints.clone());
    let user = auth.verify(&session.access_token).await.unwrap();
    assert_eq!(user.id, session.user.unwrap().user_id);
    assert!(!user.admin && !user.session.is_empty());
    let tampered = session.access_token.replace('.', ".A");
    assert_eq!(
        auth.verify(&tampered).await.unwrap_err().reason,
        "TOKEN_INVALID"
    );
    let nonsense = refused(replica.me("nonsense").await);
    assert_eq!(nonsense, unauthenticated("TOKEN_INVALID"));
    let nobody = replica
        .client
        .get_current_user(GetCurrentUserRequest {})
        .await;
    assert_eq!(refused(nobody), unauthenticated("UNAUTHENTICATED"));
}

#[tokio::test]
async fn the_first_administrator_comes_from_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(config(dir.path())).await;
    // Somebody else has been there first.
    replica.sign_up("root@example.com", PASSWORD).await.unwrap();
    let squatter = replica.sign_in("root@example.com", PASSWORD).await.unwrap();
    drop(replica);

    let admin = Admin {
        email: "Root@example.com".to_owned(),
        password: "given by the operator".to_owned(),
    };
    let with_admin = Config {
        admin: Some(admin),
        ..config(dir.path())
    };
    for _ in 0..2 {
        let mut replica = start(with_admin.clone()).await;
        let session = replica
            .sign_in("root@example.com", "given by the operator")
            .await
            .unwrap();
        let roles = session.user.unwrap().roles;
        assert_eq!(roles, [i32::from(Role::User), Role::Admin.into()]);
        let auth = mesh_auth().with_tokens(replica.endpoints.clone());
        assert!(auth.verify(&session.access_token).await.unwrap().admin);
        let wrong = refused(replica.sign_in("root@example.com", PASSWORD).await);
        assert_eq!(wrong, unauthenticated("WRONG_CREDENTIALS"));
        let ended = refused(replica.refresh(&squatter.refresh_token).await);
        assert_eq!(ended, unauthenticated("REFRESH_TOKEN_INVALID"));
    }
}

#[tokio::test]
async fn keys_change_and_tokens_stay_good() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.key_rotation = Duration::from_secs(1);
    let mut replica = start(config).await;
    replica.sign_up("ada@example.com", PASSWORD).await.unwrap();
    let session = replica.sign_in("ada@example.com", PASSWORD).await.unwrap();
    let first = replica.keys().await[0].clone();
    let patience = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let keys = replica.keys().await;
        if keys.len() > 1 && keys[0] != first {
            assert!(keys.contains(&first), "its tokens are still good");
            break;
        }
        assert!(tokio::time::Instant::now() < patience, "{keys:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    replica.me(&session.access_token).await.unwrap();
    let next = replica.refresh(&session.refresh_token).await.unwrap();
    replica.me(&next.access_token).await.unwrap();
}

#[tokio::test]
async fn a_database_of_another_secret_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(config(dir.path())).await;
    replica.keys().await;
    drop(replica);
    let other = Config {
        key: Some(Key::new([1; 32])),
        ..config(dir.path())
    };
    let error = start(other).await.served.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("SKYWAY_IDENTITY_KEY"), "{error}");
}

#[tokio::test]
async fn an_audit_is_for_the_mesh_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(config(dir.path())).await;
    replica.sign_up("ada@example.com", PASSWORD).await.unwrap();
    replica.sign_in("ada@example.com", PASSWORD).await.unwrap();
    let plain = client_config(&replica.endpoints);
    let refused = refused(replica.audit(plain.clone()).await);
    assert_eq!(refused, unauthenticated("UNAUTHENTICATED"));
    let signed = plain.signed(mesh_auth().signer("audit"));
    let report = replica.audit(signed).await.unwrap();
    assert_eq!(report.service, "identity");
    let found: Vec<_> = report
        .checks
        .iter()
        .map(|check| (check.name.as_str(), check.rows, check.violations))
        .collect();
    assert_eq!(
        found,
        [
            ("session-has-user", 1, 0),
            ("token-has-session", 1, 0),
            ("one-account-per-address", 1, 0),
            ("one-token-per-session", 1, 0)
        ]
    );
}

fn now() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

#[tokio::test]
async fn its_jobs_are_told_and_can_be_run() {
    let dir = tempfile::tempdir().unwrap();
    let replica = start(config(dir.path())).await;
    let config = client_config(&replica.endpoints).signed(mesh_auth().signer("operator"));
    let mut cron = CronServiceClient::new(Channel::connect(&CRON_SERVICE, config));
    let told = cron.list_cron_jobs(ListCronJobsRequest {}).await.unwrap();
    let told = told.into_inner().cron_jobs;
    let names: Vec<_> = told.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["audit-identity", "purge-sessions"]);
    assert!(
        told.iter()
            .all(|job| job.service == "identity" && job.next_time.is_some())
    );
    for (name, detail) in [
        ("audit-identity", "4 promises kept"),
        ("purge-sessions", ""),
    ] {
        let name = name.to_owned();
        let run = cron
            .run_cron_job(RunCronJobRequest { name })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (run.outcome(), run.detail.as_str()),
            (CronOutcome::Succeeded, detail)
        );
        assert_eq!((run.tick_time, run.attempt), (None, 1));
    }
}
