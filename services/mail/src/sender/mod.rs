//! Handing mails over: to a mail server, or into a directory where none is configured.

mod file;
mod mime;
mod pool;
mod smtp;
mod url;

use std::path::Path;

use lettre::message::Mailbox;

use self::{file::Files, smtp::Smtp};
pub use self::{mime::Envelope, url::UrlError};
use crate::domain::{error::SendError, letter::Letter, ports::Sender};

/// Why mails cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// An address of the configuration is none.
    #[error("{variable}: {value:?} is no address; write NAME <name@example.com>")]
    Address {
        /// Variable that sets it.
        variable: &'static str,
        /// What it says.
        value: String,
    },
    /// The mail server's URL is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The directory for mails cannot be made.
    #[error("cannot make the directory for mails {}", path.display())]
    Directory {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Reads an address of the configuration.
pub(crate) fn address(variable: &'static str, value: &str) -> Result<Mailbox, SenderError> {
    value.parse().map_err(|_| SenderError::Address {
        variable,
        value: value.to_owned(),
    })
}

/// Whoever takes the mails.
#[derive(Debug)]
pub(crate) enum AnySender {
    /// A mail server.
    Smtp(Smtp),
    /// A directory.
    Files(Files),
}

impl AnySender {
    /// A mail server where there is a URL, else `directory`. Nothing is dialled yet.
    pub(crate) fn open(
        url: Option<&str>,
        directory: &Path,
        envelope: Envelope,
        connections: usize,
    ) -> Result<Self, SenderError> {
        Ok(match url {
            Some(url) => Self::Smtp(Smtp::new(url::parse(url)?, envelope, connections)),
            None => Self::Files(Files::open(directory, envelope)?),
        })
    }

    /// What it is called in traces.
    pub(crate) fn server(&self) -> (&str, u16) {
        match self {
            Self::Smtp(smtp) => smtp.server(),
            Self::Files(_) => ("", 0),
        }
    }
}

impl Sender for AnySender {
    async fn send(&self, letter: &Letter) -> Result<String, SendError> {
        match self {
            Self::Smtp(smtp) => smtp.send(letter).await,
            Self::Files(files) => files.send(letter).await,
        }
    }
}
