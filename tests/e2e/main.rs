//! Promises to users, each kept by the real binary: what a suite finds out, it finds out through
//! sockets, exit codes and output, as a user would.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

mod access; // who may do what is in the contract, and nobody gets around it
mod balance; // requests spread over replicas, and survive them
mod client; // the same with `skyway search`, `book`, `trip` and `cancel`
mod config; // a wrong setting is one line that says what would be right
mod crash; // kill -9 at any instant: every trip whole or not at all
mod cron; // what services do by the clock is seen, and done at once where an administrator asks for it
mod grpc; // real clients need nothing but reflection
mod import; // a timetable comes in whole or not at all
mod loss; // whoever is killed, wiped or away, every mail arrives, and once
mod mail; // what happens to a trip comes by mail, once
mod outage; // the process queue is away, and no booking fails or waits
mod oversell; // the last seat is sold once, on every database
mod rest; // flights are found over REST, and a mistake is told by its field
mod streams; // many small messages as events, lines or one array
mod ticks; // two replicas of every service, ten minutes of one clock: each job once a tick
mod traces; // one request is one trace, with every service under its own name
mod trips; // sign up, search, book, see, cancel
mod up; // everything in one command
