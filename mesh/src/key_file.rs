//! A key kept in a file, made when it is first needed.
//!
//! Replicas that start together must agree on one key. Each writes its own to a private file and
//! links it to the final name: the link is atomic and only the first succeeds, so nobody ever
//! reads half a key or one that is replaced later.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::seal::Key;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or made.
    #[error("key file {path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("key file {path}: has {length} bytes, must have exactly 32")]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        length: usize,
    },
}

/// Reads the 32 bytes in `path`; makes them, readable by the owner alone, where there is no file.
///
/// # Errors
///
/// [`KeyFileError`] where the file or its directory cannot be read or made, or is no key.
pub fn load_or_create(path: &Path) -> Result<Key, KeyFileError> {
    let fail = |cause| KeyFileError::Io {
        path: path.to_owned(),
        cause,
    };
    let bytes = match fs::read(path) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            create(path).map_err(fail)?;
            fs::read(path).map_err(fail)?
        }
        read => read.map_err(fail)?,
    };
    let length = bytes.len();
    let bytes = bytes.try_into().map_err(|_| KeyFileError::Length {
        path: path.to_owned(),
        length,
    })?;
    Ok(Key::new(bytes))
}

/// Puts a new key at `path` unless another process does so first.
fn create(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut random = [0; 40];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let (key, suffix) = random.split_at(32);
    let suffix = URL_SAFE_NO_PAD.encode(suffix);
    let draft = path.with_extension(format!("{suffix}.tmp"));
    let made = write_private(&draft, key).and_then(|()| match fs::hard_link(&draft, path) {
        Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    // Left over only where the disk itself fails; the error that matters is `made`.
    let _ = fs::remove_file(&draft);
    made
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn replicas_that_start_together_agree() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/offer.key");
        let tokens: HashSet<String> = thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| load_or_create(&path).unwrap().seal("test", b"")))
                .collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        });
        assert_eq!(tokens.len(), 1);
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "drafts are removed"
        );
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("offer.key");
        load_or_create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("offer.key");
        fs::write(&path, "secret").unwrap();
        let message = load_or_create(&path).unwrap_err().to_string();
        assert!(
            message.ends_with("offer.key: has 6 bytes, must have exactly 32"),
            "{message}"
        );
    }
}
