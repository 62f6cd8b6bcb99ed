//! Promises to users, each kept by the real binary: what a suite finds out, it finds out through
//! sockets, exit codes and output, as a user would.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

mod balance; // requests spread over replicas, and survive them
mod config; // a wrong setting is one line that says what would be right
mod grpc; // real clients need nothing but reflection
mod import; // a timetable comes in whole or not at all
mod rest; // flights are found over REST, and a mistake is told by its field
mod streams; // many small messages as events, lines or one array
mod traces; // one request is one trace, with every service under its own name
mod up; // everything in one command
