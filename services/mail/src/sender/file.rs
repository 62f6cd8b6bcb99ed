//! Mails as files, for whoever has no mail server: any mail client opens them.
//!
//! A file is written beside its place and moved there, so that nobody ever reads half of one; the same mail
//! twice is the same file. What is in it is private, so only its owner may read it.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{
    SenderError,
    mime::{Envelope, atom},
};
use crate::domain::{error::SendError, letter::Letter};

/// A directory of mails.
#[derive(Debug)]
pub(crate) struct Files {
    directory: PathBuf,
    envelope: Envelope,
}

impl Files {
    pub(super) fn open(directory: &Path, envelope: Envelope) -> Result<Self, SenderError> {
        std::fs::create_dir_all(directory).map_err(|source| SenderError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        Ok(Self {
            directory: directory.to_owned(),
            envelope,
        })
    }

    pub(super) async fn send(&self, letter: &Letter) -> Result<String, SendError> {
        let message = self.envelope.wrap(letter)?.formatted();
        let name = format!("{}.eml", atom(&letter.mail));
        let place = self.directory.join(&name);
        let beside = self.directory.join(format!(".{name}.part"));
        let written = tokio::task::spawn_blocking(move || write(&beside, &place, &message)).await;
        match written {
            Ok(Ok(())) => Ok(format!("written to {name}")),
            Ok(Err(error)) => Err(SendError::passing(format!(
                "{name} cannot be written: {error}"
            ))),
            Err(_) => Err(SendError::passing(format!("{name} was not written"))),
        }
    }
}

fn write(beside: &Path, place: &Path, message: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(beside)?;
    file.write_all(message)?;
    file.sync_all()?;
    std::fs::rename(beside, place)
}
