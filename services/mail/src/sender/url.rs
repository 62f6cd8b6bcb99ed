//! `SMTP_URL`: which mail server, how encrypted, and who signs in.
//!
//! ```text
//! smtp://[USER:PASSWORD@]HOST[:PORT][?tls=none|opportunistic|required]    port 25, with tls 587
//! smtps://[USER:PASSWORD@]HOST[:PORT]                                     port 465
//! ```
//!
//! Whoever signs in does so encrypted, unless the URL says `tls=none`.

use http::Uri;
use lettre::transport::smtp::{authentication::Credentials, client::TlsParameters};
use percent_encoding::percent_decode_str;

/// Name of the setting, for messages.
const VARIABLE: &str = "SMTP_URL";

/// Why a URL names no mail server. Its text never has the password.
#[derive(Debug, thiserror::Error)]
#[error("{VARIABLE}: {0}; write smtp://[USER:PASSWORD@]HOST[:PORT][?tls=required] or smtps://…")]
pub struct UrlError(&'static str);

/// A mail server.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Encryption,
    pub(super) credentials: Option<Credentials>,
}

/// How the connection is encrypted.
#[derive(Clone)]
pub(super) enum Encryption {
    /// Not at all.
    None,
    /// By STARTTLS where the server offers it.
    Opportunistic(TlsParameters),
    /// By STARTTLS.
    Required(TlsParameters),
    /// From the first byte.
    Wrapper(TlsParameters),
}

pub(super) fn parse(text: &str) -> Result<Server, UrlError> {
    let uri: Uri = text.parse().map_err(|_| UrlError("this is no URL"))?;
    let authority = uri.authority().ok_or(UrlError("it names no host"))?;
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    if host.is_empty() {
        return Err(UrlError("it names no host"));
    }
    if !matches!(uri.path(), "" | "/") {
        return Err(UrlError("it has a path"));
    }
    let credentials = credentials(authority.as_str())?;
    let wanted = match uri.query() {
        None if credentials.is_some() => "tls=required",
        None => "tls=none",
        Some(query) => query,
    };
    let parameters =
        || TlsParameters::new(host.clone()).map_err(|_| UrlError("its host has no TLS name"));
    let (tls, port) = match (uri.scheme_str(), wanted) {
        (Some("smtps"), "tls=none" | "tls=required") => (Encryption::Wrapper(parameters()?), 465),
        (Some("smtp"), "tls=none") => (Encryption::None, 25),
        (Some("smtp"), "tls=opportunistic") => (Encryption::Opportunistic(parameters()?), 587),
        (Some("smtp"), "tls=required") => (Encryption::Required(parameters()?), 587),
        (Some("smtp" | "smtps"), _) => {
            return Err(UrlError("tls is none, opportunistic or required"));
        }
        _ => return Err(UrlError("it is neither smtp:// nor smtps://")),
    };
    Ok(Server {
        port: authority.port_u16().unwrap_or(port),
        host,
        tls,
        credentials,
    })
}

fn credentials(authority: &str) -> Result<Option<Credentials>, UrlError> {
    let Some((user, _)) = authority.rsplit_once('@') else {
        return Ok(None);
    };
    let (user, password) = user.split_once(':').ok_or(UrlError("it has no password"))?;
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        let decoded = decoded.map_err(|_| UrlError("its password is not UTF-8"));
        Ok(decoded?.into_owned())
    };
    Ok(Some(Credentials::new(decoded(user)?, decoded(password)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Err(error) => error.0.to_owned(),
            Ok(server) => {
                let tls = match server.tls {
                    Encryption::None => "none",
                    Encryption::Opportunistic(_) => "opportunistic",
                    Encryption::Required(_) => "required",
                    Encryption::Wrapper(_) => "wrapper",
                };
                let signs_in = server.credentials.is_some();
                format!("{}:{} {tls} {signs_in}", server.host, server.port)
            }
        }
    }

    #[test]
    fn a_url_says_which_server_and_how_encrypted() {
        for (url, expected) in [
            ("smtp://mail", "mail:25 none false"),
            ("smtp://127.0.0.1:2525", "127.0.0.1:2525 none false"),
            ("smtp://[::1]:25/", "::1:25 none false"),
            ("smtp://mail?tls=required", "mail:587 required false"),
            (
                "smtp://mail/?tls=opportunistic",
                "mail:587 opportunistic false",
            ),
            ("smtp://ada:p%40ss@mail", "mail:587 required true"),
            ("smtp://ada:x@mail:25?tls=none", "mail:25 none true"),
            ("smtps://ada:x@mail", "mail:465 wrapper true"),
            (
                "smtp://mail?tls=maybe",
                "tls is none, opportunistic or required",
            ),
            ("smtp://ada@mail", "it has no password"),
            ("smtp://mail/inbox", "it has a path"),
            ("http://mail", "it is neither smtp:// nor smtps://"),
            ("mail", "it is neither smtp:// nor smtps://"),
            ("smtp://", "this is no URL"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }
}
