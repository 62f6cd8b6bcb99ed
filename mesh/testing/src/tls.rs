//! Certificates of an authority that nobody knows, and a process that knows it.
//!
//! Which authorities are trusted is the environment's to say (`SSL_CERT_FILE`), and a process must not change its own
//! while it runs: so a test that needs one starts itself again.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
};

use tempfile::TempDir;

use crate::server::run;

/// What `openssl` is told. The names of `server` are those by which tests reach servers.
const SETTINGS: &str = "
[req]
prompt = no
distinguished_name = name
x509_extensions = authority
[name]
CN = Skyway's test authority
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
";

/// Set in the process that a test starts of itself.
const AGAIN: &str = "SKYWAY_TEST_AGAIN";

/// An authority with one certificate, which is `localhost`'s. Its files are gone when it is dropped.
#[derive(Debug)]
pub struct Authority(TempDir);

impl Authority {
    /// Makes the authority and the certificate.
    #[must_use]
    pub fn new() -> Self {
        let directory = TempDir::with_prefix("skyway-tls-").unwrap();
        fs::write(directory.path().join("settings"), SETTINGS).unwrap();
        for arguments in [
            "req -x509 -config settings -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ca.key -out ca.pem",
            "req -config settings -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile settings -extensions server -out server.pem",
        ] {
            run(Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir(&directory));
        }
        // Servers run as users of their own.
        let open = |name: &str, mode| {
            let path = directory.path().join(name);
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        open("", 0o755);
        open("server.key", 0o644);
        Self(directory)
    }

    /// The authority's own certificate, which those who trust it have.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.0.path().join("ca.pem")
    }

    /// The server's certificate and its key.
    #[must_use]
    pub fn server(&self) -> (PathBuf, PathBuf) {
        let file = |name| self.0.path().join(name);
        (file("server.pem"), file("server.key"))
    }

    /// Runs the test of this name once more, in a process that trusts this authority and finds `word` in [`again`].
    pub fn run_again(&self, test: &str, word: &str) {
        let program = std::env::current_exe().unwrap();
        let output = Command::new(program)
            .args(["--exact", test])
            .env("SSL_CERT_FILE", self.certificate())
            .env(AGAIN, word)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let passed = output.status.success() && said.contains("1 passed");
        assert!(passed, "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// What a test was told that has been [started again](Authority::run_again); none in the first process.
#[must_use]
pub fn again() -> Option<String> {
    std::env::var(AGAIN).ok()
}
