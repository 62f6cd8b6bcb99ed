//! Who is signed in, kept between commands in a file that only its owner may read, and beside it
//! the offers of the last search.
//!
//! A refresh token is good for one exchange, and using one twice ends the session. Two commands at
//! once must therefore not exchange the same one: whoever does it holds a lock on a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rest::{Call, Rest};
use super::{Client, show, text};
use crate::cli::{Login, Logout};

/// An access token that expires sooner than this is exchanged first.
const MARGIN: TimeDelta = TimeDelta::seconds(30);

const SIGN_IN: &str = "sign in first: skyway login";

/// Somebody who is signed in.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    /// The gateway that gave the tokens, and the only one that they are sent to.
    gateway: String,
    pub(super) email: String,
    pub(super) access_token: String,
    expire_time: DateTime<Utc>,
    refresh_token: String,
}

/// The file and what is beside it.
#[derive(Debug)]
pub(super) struct Sessions {
    path: PathBuf,
    gateway: String,
}

impl Session {
    fn of_answer(gateway: &str, answer: &Value) -> anyhow::Result<Self> {
        let strange = || format!("{gateway} gave a session without its times or tokens");
        let session = Self {
            gateway: gateway.to_owned(),
            email: text(&answer["user"], "email").to_owned(),
            access_token: text(answer, "accessToken").to_owned(),
            expire_time: text(answer, "expireTime").parse().with_context(strange)?,
            refresh_token: text(answer, "refreshToken").to_owned(),
        };
        let complete = !session.access_token.is_empty() && !session.refresh_token.is_empty();
        anyhow::ensure!(complete, strange());
        Ok(session)
    }
}

impl Sessions {
    /// Kept in this file, for this gateway.
    pub(super) fn new(path: PathBuf, gateway: String) -> Self {
        Self { path, gateway }
    }

    /// The session, with an access token that is still good for a while.
    ///
    /// # Errors
    /// Nobody is signed in, or no longer.
    pub(super) async fn current(&self, rest: &Rest) -> anyhow::Result<Session> {
        let session = self.load()?;
        if session.expire_time > Utc::now() + MARGIN {
            return Ok(session);
        }
        let _lock = self.lock()?;
        // Another command may have exchanged the token while this one waited.
        let session = self.load()?;
        if session.expire_time > Utc::now() + MARGIN {
            return Ok(session);
        }
        let body = json!({"refreshToken": session.refresh_token});
        let answer = rest.call(&Call::post("/v1/sessions:refresh", body)).await;
        let answer = match answer {
            Err(error) if error.is_unauthenticated() => {
                anyhow::bail!("your session has ended; {SIGN_IN}");
            }
            answer => answer?,
        };
        self.save(&answer)
    }

    /// The session as it was saved, its access token expired or not.
    fn load(&self) -> anyhow::Result<Session> {
        let bytes = match fs::read(&self.path) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => anyhow::bail!(SIGN_IN),
            read => read.with_context(|| self.name())?,
        };
        let session: Session = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is no session; {SIGN_IN}", self.name()))?;
        anyhow::ensure!(
            session.gateway == self.gateway,
            "you are signed in at {}, not at {}; {SIGN_IN}",
            session.gateway,
            self.gateway
        );
        Ok(session)
    }

    /// Keeps the session of an answer.
    fn save(&self, answer: &Value) -> anyhow::Result<Session> {
        let session = Session::of_answer(&self.gateway, answer)?;
        self.write(&self.path, &serde_json::to_vec_pretty(&session)?)?;
        Ok(session)
    }

    /// Forgets the session and the offers.
    fn forget(&self) -> anyhow::Result<()> {
        for path in [&self.path, &self.offers()] {
            match fs::remove_file(path) {
                Err(missing) if missing.kind() == io::ErrorKind::NotFound => {}
                removed => removed.with_context(|| format!("cannot remove {}", path.display()))?,
            }
        }
        Ok(())
    }

    /// Keeps the offers of a search.
    pub(super) fn remember_offers(&self, offers: &[&str]) -> anyhow::Result<()> {
        self.write(&self.offers(), &serde_json::to_vec(offers)?)
    }

    /// The offer that is meant: a number of the last search, or an offer id.
    pub(super) fn offer(&self, written: &str) -> anyhow::Result<String> {
        // An offer id is longer than any number of a listing.
        let Ok(number) = written.parse::<u8>() else {
            return Ok(written.to_owned());
        };
        let offers = fs::read(self.offers()).unwrap_or_default();
        let offers: Vec<String> = serde_json::from_slice(&offers).unwrap_or_default();
        let offer = usize::from(number).checked_sub(1);
        let offer = offer.and_then(|index| offers.get(index));
        let found = || {
            format!(
                "your last search found {} offers, and no {number}",
                offers.len()
            )
        };
        offer.cloned().with_context(found)
    }

    fn offers(&self) -> PathBuf {
        self.path.with_extension("offers.json")
    }

    fn name(&self) -> String {
        format!("session file {}", self.path.display())
    }

    /// Held by whoever exchanges the refresh token, and released when it is dropped.
    fn lock(&self) -> anyhow::Result<File> {
        let path = self.path.with_extension("lock");
        let context = || format!("cannot lock {}", path.display());
        let mut options = private();
        let file = options.create(true).truncate(false).open(&path);
        let file = file.with_context(context)?;
        file.lock().with_context(context)?;
        Ok(file)
    }

    /// Replaces a file as a whole, so that nobody reads half of it.
    fn write(&self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let replace = || {
            if let Some(directory) = self.path.parent() {
                make_private_dir(directory)?;
            }
            let draft = path.with_extension(format!("{}.tmp", std::process::id()));
            let mut file = private().create(true).truncate(true).open(&draft)?;
            file.write_all(bytes)?;
            fs::rename(&draft, path)
        };
        replace().with_context(|| format!("cannot write {}", path.display()))
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

impl Client<'_> {
    /// Signs in, after signing up where that is asked for.
    pub(super) async fn login(&self, login: &Login) -> anyhow::Result<()> {
        let email = match &login.email {
            Some(email) => email.clone(),
            None => ask("Email: ")?,
        };
        let password = self.password(login.sign_up)?;
        let credentials = json!({"email": email, "password": password});
        if login.sign_up {
            let call = Call::post("/v1/users", credentials.clone());
            self.rest.call(&call).await?;
        }
        let call = Call::post("/v1/sessions", credentials);
        let answer = self.rest.call(&call).await?;
        let session = self.sessions.save(&answer)?;
        show(login.gateway.json, &answer, |_| {
            format!("Signed in as {} at {}.", session.email, session.gateway)
        })
    }

    /// Signs out: here whatever happens, and there if the gateway can be reached.
    pub(super) async fn logout(&self, logout: &Logout) -> anyhow::Result<()> {
        let session = self.sessions.current(&self.rest).await;
        self.sessions.forget()?;
        let session = session?;
        let call = Call::delete("/v1/sessions/current").by(&session.access_token);
        let answer = self.rest.call(&call).await;
        let answer = answer.context("signed out here, but not there")?;
        show(logout.gateway.json, &answer, |_| "Signed out.".to_owned())
    }

    fn password(&self, new: bool) -> anyhow::Result<String> {
        if let Some(password) = &self.config.client.password {
            return Ok(password.reveal().to_owned());
        }
        if !io::stdin().is_terminal() {
            return line();
        }
        let secretly = |question: &str| {
            eprint!("{question}");
            let typed = console::Term::stderr().read_secure_line();
            typed.context("cannot ask for the password; set SKYWAY_PASSWORD")
        };
        let password = secretly("Password: ")?;
        if new {
            let same = secretly("The same again: ")? == password;
            anyhow::ensure!(same, "the passwords differ");
        }
        Ok(password)
    }
}

fn ask(question: &str) -> anyhow::Result<String> {
    eprint!("{question}");
    line()
}

/// A line of standard input.
fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn sessions(directory: &TempDir, gateway: &str) -> Sessions {
        let path = directory.path().join("skyway/session.json");
        Sessions::new(path, gateway.to_owned())
    }

    fn answer() -> Value {
        json!({
            "accessToken": "a", "refreshToken": "r", "tokenType": "Bearer",
            "expireTime": "2026-12-01T15:00:00Z", "user": {"email": "ada@example.com"},
        })
    }

    #[test]
    fn a_session_is_kept_for_its_gateway_alone() {
        let directory = TempDir::new().unwrap();
        let here = sessions(&directory, "http://here");
        assert_eq!(here.load().err().unwrap().to_string(), SIGN_IN);
        here.save(&answer()).unwrap();
        let loaded = here.load().unwrap();
        assert_eq!(
            (loaded.email.as_str(), loaded.access_token.as_str()),
            ("ada@example.com", "a")
        );
        let there = sessions(&directory, "http://there").load().err().unwrap();
        assert_eq!(
            there.to_string(),
            "you are signed in at http://here, not at http://there; sign in first: skyway login"
        );
        here.forget().unwrap();
        here.forget().unwrap();
        assert_eq!(here.load().err().unwrap().to_string(), SIGN_IN);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = TempDir::new().unwrap();
        let sessions = sessions(&directory, "http://here");
        sessions.save(&answer()).unwrap();
        sessions.remember_offers(&["o"]).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&sessions.path), 0o600);
        assert_eq!(mode(&sessions.offers()), 0o600);
        assert_eq!(mode(sessions.path.parent().unwrap()), 0o700);
        let left = fs::read_dir(sessions.path.parent().unwrap()).unwrap();
        assert_eq!(left.count(), 2, "drafts are gone");
    }

    #[test]
    fn an_offer_is_meant_by_its_number_or_by_itself() {
        let directory = TempDir::new().unwrap();
        let sessions = sessions(&directory, "http://here");
        let none = sessions.offer("1").unwrap_err().to_string();
        assert_eq!(none, "your last search found 0 offers, and no 1");
        sessions.remember_offers(&["first", "second"]).unwrap();
        for (written, offer) in [("1", "first"), ("2", "second"), ("CgRhYmNk", "CgRhYmNk")] {
            assert_eq!(sessions.offer(written).unwrap(), offer);
        }
        for written in ["0", "3"] {
            let error = sessions.offer(written).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("your last search found 2 offers, and no {written}")
            );
        }
    }

    #[test]
    fn a_session_without_tokens_is_none() {
        let mut answer = answer();
        answer["refreshToken"] = Value::Null;
        let error = Session::of_answer("http://here", &answer).err().unwrap();
        assert_eq!(
            error.to_string(),
            "http://here gave a session without its times or tokens"
        );
    }
}
