//! A wrong setting is one line that says what would be right.

use std::fs;
use std::net::TcpListener;

use tempfile::TempDir;

use crate::support::cluster::Up;
use crate::support::process::Process;

/// Arguments, environment, and the beginning of the line that they cost.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

const USAGE: Option<i32> = Some(64);

#[tokio::test]
async fn a_bad_setting_is_one_line_that_names_its_key() {
    let cases: [Case; 9] = [
        (
            &["up"],
            &[("SKYWAY_SEARCH_LISTN", "x")],
            "SKYWAY_SEARCH_LISTN: no such key; known here: listen, replicas",
        ),
        (
            &["up"],
            &[("SKYWAY_GATEWAY_LISTEN", "8080")],
            "SKYWAY_GATEWAY_LISTEN: \"8080\" is not an address; write host:port",
        ),
        (
            &["up", "--search-replicas", "0"],
            &[],
            "--search-replicas: \"0\" is not a number from 1 to 64",
        ),
        (
            &["serve", "gateway", "--search-endpoints", "search:50051"],
            &[],
            "--search-endpoints: \"search:50051\" is not",
        ),
        (
            &[
                "serve",
                "search",
                "--database-url",
                "mongodb://a:s3cret@b/c",
            ],
            &[],
            "--database-url: not the URL of a database",
        ),
        (
            &["up"],
            &[("REDIS_URL", "a:s3cret@cache")],
            "REDIS_URL: not the URL of a queue; write redis://",
        ),
        (
            &["serve", "mail"],
            &[("SMTP_URL", "mail")],
            "SMTP_URL: not the URL of a mail server; write smtp://",
        ),
        (
            &["serve", "mail"],
            &[("SKYWAY_MAIL_RATE", "fast")],
            "SKYWAY_MAIL_RATE: \"fast\" is not a number above 0",
        ),
        (
            &["check", "--config", "missing.toml"],
            &[],
            "--config: missing.toml is not a file",
        ),
    ];
    for (arguments, environment, expected) in cases {
        let finished = Process::run(arguments, environment).await;
        assert_eq!(finished.code, USAGE, "{arguments:?} {finished:?}");
        assert!(
            finished.stderr.starts_with(&format!("skyway: {expected}")),
            "{arguments:?} {finished:?}"
        );
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        assert!(!finished.stderr.contains("s3cret"), "{finished:?}");
    }
}

#[tokio::test]
async fn a_file_is_read_where_it_lies() {
    let directory = TempDir::new().unwrap();
    fs::write(
        directory.path().join("skyway.toml"),
        "[search]\nreplicas = \"many\"\n",
    )
    .unwrap();
    let finished = Process::start_in(directory, &["up"], &[]).finished().await;
    assert_eq!(finished.code, USAGE);
    assert!(
        finished.stderr.contains("search.replicas in "),
        "{finished:?}"
    );
    assert!(
        finished
            .stderr
            .contains("skyway.toml: \"many\" is not a number from 1 to 64"),
        "{finished:?}"
    );
}

#[tokio::test]
async fn a_taken_port_is_one_line_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cases: [(&[&str], &str); 4] = [
        (
            &["up", "--gateway-listen", &address],
            "gateway: ADDRESS is already in use; set SKYWAY_GATEWAY_LISTEN or --gateway-listen",
        ),
        (
            &[
                "up",
                "--gateway-listen",
                "127.0.0.1:0",
                "--gateway-admin-listen",
                "none",
                "--search-listen",
                &address,
            ],
            "search 1: ADDRESS is already in use; set SKYWAY_SEARCH_LISTEN or --search-listen",
        ),
        (
            &["serve", "search", "--listen", &address],
            "search: ADDRESS is already in use; set SKYWAY_SEARCH_LISTEN or --listen",
        ),
        (
            &["serve", "gateway", "--listen", &address],
            "gateway: ADDRESS is already in use; set SKYWAY_GATEWAY_LISTEN or --listen",
        ),
    ];
    for (arguments, expected) in cases {
        let finished = Process::run(arguments, &[]).await;
        assert_eq!(finished.code, Some(1), "{arguments:?} {finished:?}");
        assert_eq!(
            finished.stderr,
            format!("skyway: {}\n", expected.replace("ADDRESS", &address)),
            "{arguments:?}"
        );
    }
}

#[tokio::test]
async fn help_teaches_and_version_tells() {
    let help = Process::run(&["--help"], &[]).await;
    assert_eq!(help.code, Some(0));
    for part in [
        "skyway up ",
        "skyway import flights.csv",
        "SKYWAY_<SECTION>_<KEY>",
        "--data-dir",
        "Exit codes",
    ] {
        assert!(help.stdout.contains(part), "{part} in {}", help.stdout);
    }
    for (command, part) in [
        ("up", "--search-replicas"),
        ("serve", "search"),
        ("import", "--keep-dates"),
        ("check", "--config"),
    ] {
        let help = Process::run(&[command, "--help"], &[]).await;
        assert!(
            help.stdout.contains(part) && help.stdout.contains("--data-dir"),
            "{command}: {}",
            help.stdout
        );
    }
    let version = Process::run(&["--version"], &[]).await;
    assert_eq!(
        version.stdout,
        format!("skyway {}\n", env!("CARGO_PKG_VERSION"))
    );
    let unknown = Process::run(&["fly"], &[]).await;
    assert_eq!(unknown.code, USAGE);
}

#[tokio::test]
async fn check_shows_what_is_in_effect_and_dials_it() {
    let up = Up::shared().await;
    let database = format!(
        "sqlite://{}/.skyway/search.db",
        up.process.directory().display()
    );
    let search = format!("static://{}", up.search.join(","));
    let others = [&up.booking, &up.orchestration, &up.mail, &up.identity];
    let [booking, orchestration, mail, identity] =
        others.map(|address| format!("static://{address}"));
    let environment = [
        ("SKYWAY_SEARCH_ENDPOINTS", search.as_str()),
        ("SKYWAY_SEARCH_DATABASE_URL", &database),
        ("SKYWAY_BOOKING_ENDPOINTS", &booking),
        ("SKYWAY_ORCHESTRATION_ENDPOINTS", &orchestration),
        ("SKYWAY_MAIL_ENDPOINTS", &mail),
        ("SKYWAY_IDENTITY_ENDPOINTS", &identity),
    ];
    let good = Process::run(&["check", "--data-dir", "state"], &environment).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    let shown = |key: &str| {
        good.stdout
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        shown("data_dir").contains("state") && shown("data_dir").ends_with("--data-dir"),
        "{good:?}"
    );
    assert!(
        shown("search.endpoints").ends_with("SKYWAY_SEARCH_ENDPOINTS"),
        "{good:?}"
    );
    assert!(shown("grace").ends_with("default"), "{good:?}");
    for replica in &up.search {
        assert!(
            good.stdout.contains(&format!(
                "ok      SKYWAY_SEARCH_ENDPOINTS {replica}: serving"
            )),
            "{good:?}"
        );
    }

    let nobody = format!("127.0.0.1:{}", testing::free_port());
    let endpoints = format!("static://{nobody}");
    let queue = format!("redis://:s3cret@{nobody}");
    let smtp = format!("smtp://ada:s3cret@{nobody}");
    let environment = [
        ("SKYWAY_SEARCH_ENDPOINTS", endpoints.as_str()),
        ("REDIS_URL", &queue),
        ("SMTP_URL", &smtp),
    ];
    let bad = Process::run(&["check"], &environment).await;
    assert_eq!(bad.code, Some(1), "{bad:?}");
    for part in [
        "FAILED  SKYWAY_SEARCH_ENDPOINTS",
        &format!("FAILED  REDIS_URL redis://:***@{nobody}: cannot connect"),
        &format!("FAILED  SMTP_URL smtp://ada:***@{nobody}: cannot connect"),
    ] {
        assert!(bad.stdout.contains(part), "{part} in {bad:?}");
    }
    assert!(!bad.stdout.contains("s3cret"), "{bad:?}");
    assert!(bad.stderr.contains("dependencies do not answer"), "{bad:?}");
}
