//! A server as a child process that cannot outlive the tests.

use std::{
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::Database;
use tempfile::TempDir;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts the server in the background, does what it is told (`kill` it, `start` it again) until the test
/// process is gone (then its end of the pipe is closed, also after a crash), and ends the server and its files.
const KEEPER: &str = r#"
directory=$1; shift
start() { "$@" </dev/null & server=$!; }
stop() { kill -9 $server; wait $server; }
start "$@"
while read -r word; do
    case $word in
        kill) stop ;;
        start) start "$@" ;;
    esac
done
stop; rm -rf "$directory""#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    _keeper: Child,
    /// What the keeper listens to.
    words: Mutex<ChildStdin>,
    directory: PathBuf,
    pub(crate) port: u16,
}

/// Ports that [`free_port`] gives: below those that the system hands to outgoing connections, which
/// begin at 32768 (`net.ipv4.ip_local_port_range`), so that none is taken between its choice and its use.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
/// Between two of them: `skyway up` puts a second replica ten ports above the first.
const PORT_STEP: u16 = 20;

/// A port that nobody has now, and that this process does not give out again soon. The one ten above it is as free.
#[must_use]
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let steps = u32::from((PORTS.end - PORTS.start) / PORT_STEP);
    loop {
        let step = process::id()
            .wrapping_mul(37)
            .wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + PORT_STEP * u16::try_from(step % steps).unwrap();
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) && is_free(port + 10) {
            return port;
        }
    }
}

/// Where a server's program is: Debian keeps those of `PostgreSQL` out of the `PATH`.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let debian = versions.flatten().map(|version| version.path().join("bin"));
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .chain(debian)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "{name} is not installed; `make test` installs it (Debian: postgresql mariadb-server redis-server)"
        )
    })
}

/// An empty directory that belongs to `user`, who the server runs as: none of them runs as root.
pub(crate) fn directory(user: &str) -> PathBuf {
    let directory = TempDir::with_prefix("skyway-db-").unwrap().keep();
    if is_root() {
        run(Command::new("chown").arg(user).arg(&directory));
    }
    directory
}

/// `program` as `user`, where we may choose.
pub(crate) fn command(user: &str, program: &Path) -> Vec<String> {
    let program = program.display().to_string();
    if !is_root() {
        return vec![program];
    }
    let become_user = [
        "setpriv",
        "--reuid",
        user,
        "--regid",
        user,
        "--clear-groups",
    ];
    let words = become_user.map(str::to_owned);
    words.into_iter().chain([program]).collect()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    id.starts_with(b"0\n")
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Server {
    /// Starts `words`, whose files are in `directory`, and waits until a client can connect to `url`.
    pub(crate) async fn start(words: &[String], directory: &Path, port: u16, url: &str) -> Self {
        let connects = async || {
            let connection = Database::connect(url).await;
            connection.map(drop).map_err(|error| error.to_string())
        };
        Self::start_until(words, directory, port, connects).await
    }

    /// Starts `words`, whose files are in `directory`, and waits until `ready`.
    pub(crate) async fn start_until(
        words: &[String],
        directory: &Path,
        port: u16,
        ready: impl AsyncFn() -> Result<(), String>,
    ) -> Self {
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(directory)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self {
            words: Mutex::new(keeper.stdin.take().unwrap()),
            _keeper: keeper,
            directory: directory.to_owned(),
            port,
        };
        server.wait_until(&words.join(" "), ready).await;
        server
    }

    /// Waits for a condition, which says what is wrong until then.
    pub(crate) async fn wait_until(
        &self,
        what: &str,
        condition: impl AsyncFn() -> Result<(), String>,
    ) {
        let started = Instant::now();
        while let Err(error) = condition().await {
            assert!(
                started.elapsed() < PATIENCE,
                "{what} does not answer: {error}\n{}",
                std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Tells the keeper something.
    pub(crate) fn tell(&self, word: &str) {
        writeln!(self.words.lock().unwrap(), "{word}").unwrap();
    }
}
