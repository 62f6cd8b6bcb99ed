//! What services do by the clock is seen, and done at once where an administrator asks for it.

use serde_json::{Value, json};

use crate::support::cluster::Up;
use crate::support::http::Rest;
use crate::support::mesh::sign_up;
use crate::support::terminal::Terminal;
use crate::support::wait;

/// Jobs that there must be, with their services.
const JOBS: [(&str, &str); 6] = [
    ("expire-holds", "booking"),
    ("resume-trips", "orchestration"),
    ("departure-reminders", "orchestration"),
    ("purge-sent-log", "mail"),
    ("purge-sessions", "identity"),
    ("reconcile-inventory", "search"),
];

/// Address and password of the administrator that `up` has made, by what it printed.
fn admin(up: &Up) -> (String, String) {
    let printed = up.process.output("stdout");
    let made = printed
        .lines()
        .find_map(|line| line.strip_prefix("Administrator made: "));
    let (email, password) = made.unwrap().split_once(", password ").unwrap();
    (email.to_owned(), password.to_owned())
}

async fn sign_in_as_admin(up: &Up) -> Rest {
    let (email, password) = admin(up);
    let credentials = json!({"email": email, "password": password});
    let session = up.rest().post("/v1/sessions", &credentials).await;
    assert_eq!(session.status, 200, "{}", session.json);
    let token = session.json["accessToken"].as_str().unwrap();
    up.rest().with_token(token)
}

/// The jobs in a list, which names each of them once.
fn jobs(list: &Value) -> Vec<(&str, &str)> {
    let jobs = list["cronJobs"].as_array().unwrap().iter();
    let mut jobs: Vec<_> = jobs
        .map(|job| {
            assert!(
                job["schedule"].is_string() && job["nextTime"].is_string(),
                "{job}"
            );
            (
                job["name"].as_str().unwrap(),
                job["service"].as_str().unwrap(),
            )
        })
        .collect();
    jobs.sort_unstable();
    let all = jobs.len();
    jobs.dedup();
    assert_eq!(jobs.len(), all, "{list}");
    jobs
}

#[tokio::test]
async fn an_administrator_sees_the_jobs_of_all_services_and_runs_them() {
    let up = Up::shared().await;
    let admin = sign_in_as_admin(&up).await;
    let list = admin.get("/v1/cronJobs").await;
    assert_eq!(list.status, 200, "{}", list.json);
    let listed = jobs(&list.json);
    for job in JOBS {
        assert!(listed.contains(&job), "{job:?} in {listed:?}");
    }

    // A replica may be at it, by the clock.
    let run = wait::until("the job to be free", async || {
        let run = admin
            .post("/v1/cronJobs/purge-sessions:run", &json!({}))
            .await;
        (run.reason() != "CRON_JOB_RUNNING").then_some(run)
    })
    .await;
    assert_eq!(
        (run.status, &run.json["outcome"]),
        (200, &json!("SUCCEEDED")),
        "{}",
        run.json
    );
    assert!(
        run.json["tickTime"].is_null(),
        "no tick asked for it: {}",
        run.json
    );
    let list = admin.get("/v1/cronJobs").await.json;
    let job = list["cronJobs"].as_array().unwrap().iter();
    let job = job.into_iter().find(|job| job["name"] == "purge-sessions");
    let runs = job.unwrap()["runs"].as_array().unwrap();
    let seen = |seen: &Value| seen["startTime"] == run.json["startTime"];
    assert!(runs.iter().any(seen), "{} in {list}", run.json);

    let nothing = admin.post("/v1/cronJobs/nothing:run", &json!({})).await;
    assert_eq!(
        (nothing.status, nothing.reason()),
        (404, "CRON_JOB_NOT_FOUND")
    );
}

#[tokio::test]
async fn nobody_else_does() {
    let up = Up::shared().await;
    let user = sign_up(&up.rest(), "cron@example.com").await;
    for (rest, status) in [(user, 403), (up.rest(), 401)] {
        assert_eq!(rest.get("/v1/cronJobs").await.status, status);
        let run = rest
            .post("/v1/cronJobs/purge-sessions:run", &json!({}))
            .await;
        assert_eq!(run.status, status, "{}", run.json);
    }
}

#[tokio::test]
async fn the_same_from_a_terminal() {
    let up = Up::shared().await;
    let (email, password) = admin(&up);
    let terminal = Terminal::new(&up, &password);
    terminal.prints(&["login", &email]).await;
    let table = terminal.prints(&["cron", "list"]).await;
    for (job, service) in JOBS {
        let line = table.lines().find(|line| line.starts_with(job));
        assert!(
            line.is_some_and(|line| line.contains(service)),
            "{job} in {table}"
        );
    }
    let list = terminal.json(&["cron", "list"]).await;
    assert!(jobs(&list).contains(&JOBS[0]));

    let ran = wait::until("the job to be free", async || {
        let ran = terminal.run(&["cron", "run", "purge-sessions"]).await;
        (ran.code == Some(0)).then_some(ran.stdout)
    })
    .await;
    assert!(ran.starts_with("purge-sessions: SUCCEEDED on "), "{ran}");
    let nothing = terminal.run(&["cron", "run", "nothing"]).await;
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert_eq!(nothing.stderr.lines().count(), 1, "{nothing:?}");

    let terminal = Terminal::new(&up, "correct horse battery");
    terminal
        .prints(&["login", "cron-terminal@example.com", "--sign-up"])
        .await;
    let refused = terminal.run(&["cron", "list"]).await;
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (Some(1), ""),
        "{refused:?}"
    );
    assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
}
