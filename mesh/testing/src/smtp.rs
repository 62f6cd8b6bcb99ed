//! A mail server for tests: it speaks SMTP over a real socket, keeps what it accepts, and misbehaves as told.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

use crate::free_port;

/// How long a test waits for mails.
const PATIENCE: Duration = Duration::from_mins(1);

/// A mail that was accepted.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its Message-ID, with its brackets.
    pub message_id: String,
    /// Address that it goes to.
    pub recipient: String,
    /// All of it, lines ending in CRLF.
    pub text: String,
    /// When it was accepted.
    pub accepted: Instant,
}

/// How the server misbehaves. A mail that meets several scripts gets the first that fits.
#[derive(Clone, Debug)]
pub enum Misbehaviour {
    /// It refuses the recipient with this code; with 421 it closes the connection too.
    Refuse(u16),
    /// It accepts the mail, but takes its time.
    Wait(Duration),
    /// It closes the connection when it has the mail, and does not accept it.
    DropBefore,
    /// It accepts the mail, and closes the connection before it says so.
    DropAfter,
}

/// Which mails a script is for.
#[derive(Clone, Debug)]
pub enum Mails {
    /// The next ones, so many.
    Next(usize),
    /// Those to addresses that contain this, for as long as the script is there.
    To(&'static str),
    /// All of them.
    All,
}

#[derive(Debug, Default)]
struct State {
    scripts: Vec<(Mails, Misbehaviour)>,
    received: Vec<Received>,
    attempts: usize,
    /// Texts are not kept.
    counting: bool,
}

#[derive(Clone, Debug, Default)]
struct Shared {
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
}

/// A mail server; it ends when it is dropped.
#[derive(Debug)]
pub struct SmtpSink {
    port: u16,
    shared: Shared,
    server: Option<JoinHandle<()>>,
}

impl SmtpSink {
    /// Starts one that accepts everything, and keeps no texts: for more mails than fit in memory.
    pub async fn start_counting() -> Self {
        let sink = Self::start().await;
        sink.shared.state.lock().unwrap().counting = true;
        sink
    }

    /// Starts one that accepts everything.
    pub async fn start() -> Self {
        let mut sink = Self {
            port: free_port(),
            shared: Shared::default(),
            server: None,
        };
        sink.restart().await;
        sink
    }

    /// Where it listens on this machine.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How clients are told of it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Makes it misbehave from now on.
    pub fn script(&self, mails: Mails, misbehaviour: Misbehaviour) {
        let mut state = self.shared.state.lock().unwrap();
        state.scripts.push((mails, misbehaviour));
    }

    /// Makes it behave from now on.
    pub fn behave(&self) {
        self.shared.state.lock().unwrap().scripts.clear();
    }

    /// What it has accepted so far, also before it was stopped.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.state.lock().unwrap().received.clone()
    }

    /// How many it has accepted so far.
    #[must_use]
    pub fn came(&self) -> usize {
        self.shared.state.lock().unwrap().received.len()
    }

    /// How often each Message-ID was accepted.
    #[must_use]
    pub fn counts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for mail in &self.shared.state.lock().unwrap().received {
            *counts.entry(mail.message_id.clone()).or_default() += 1;
        }
        counts
    }

    /// Recipients that it was asked to take mails for, refused ones too.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.shared.state.lock().unwrap().attempts
    }

    /// Waits until it has accepted so many, and gives them.
    pub async fn wait_for(&self, mails: usize) -> Vec<Received> {
        let enough = async {
            loop {
                let news = self.shared.news.notified();
                if self.came() >= mails {
                    return self.received();
                }
                news.await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, enough).await;
        came.unwrap_or_else(|_| panic!("{} of {mails} mails came", self.came()))
    }

    /// Stops it: connections break, new ones are refused.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    /// Starts it again on its port.
    pub async fn restart(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let shared = self.shared.clone();
        self.server = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => {
                        connections.spawn(serve(stream, shared.clone()));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        }));
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

impl Shared {
    /// What becomes of a mail to this recipient.
    fn decide(&self, recipient: &str) -> Option<Misbehaviour> {
        let mut state = self.state.lock().unwrap();
        state.attempts += 1;
        for (mails, misbehaviour) in &mut state.scripts {
            let fits = match mails {
                Mails::Next(0) => false,
                Mails::Next(left) => {
                    *left -= 1;
                    true
                }
                Mails::To(part) => recipient.contains(*part),
                Mails::All => true,
            };
            if fits {
                return Some(misbehaviour.clone());
            }
        }
        None
    }

    fn accept(&self, recipient: String, text: String) {
        let header = text
            .lines()
            .find_map(|line| line.strip_prefix("Message-ID: "));
        let message_id = header.unwrap_or_default().trim().to_owned();
        let accepted = Instant::now();
        let mut state = self.state.lock().unwrap();
        let text = if state.counting { String::new() } else { text };
        state.received.push(Received {
            message_id,
            recipient,
            text,
            accepted,
        });
        drop(state);
        self.news.notify_waiters();
    }
}

/// One connection, to its end.
async fn serve(stream: TcpStream, shared: Shared) {
    let _ = converse(stream, &shared).await;
}

async fn converse(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink ESMTP\r\n").await?;
    let mut recipient = String::new();
    let mut misbehaviour = None;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb: String = line.chars().take(4).collect::<String>().to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8".to_owned(),
            "RCPT" => {
                recipient = address(&line);
                misbehaviour = shared.decide(&recipient);
                match misbehaviour {
                    Some(Misbehaviour::Refuse(code)) => format!("{code} as the script says"),
                    _ => "250 OK".to_owned(),
                }
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let text = data(&mut stream).await?;
                match misbehaviour.take() {
                    Some(Misbehaviour::DropBefore) => return Ok(()),
                    Some(Misbehaviour::Wait(time)) => tokio::time::sleep(time).await,
                    Some(Misbehaviour::DropAfter) => {
                        shared.accept(std::mem::take(&mut recipient), text);
                        return Ok(());
                    }
                    Some(Misbehaviour::Refuse(_)) | None => {}
                }
                shared.accept(std::mem::take(&mut recipient), text);
                "250 accepted".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            "HELO" | "MAIL" | "RSET" | "NOOP" => "250 OK".to_owned(),
            _ => "502 not here".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if answer.starts_with("421") || verb == "QUIT" {
            return Ok(());
        }
    }
}

/// `RCPT TO:<ada@example.com>`
fn address(line: &str) -> String {
    let inside = line
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or("", |(address, _)| address).to_owned()
}

/// The lines of a mail up to the one that ends it.
async fn data(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
