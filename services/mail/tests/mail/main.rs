//! Mail against real databases, a real mail server and the real queue, and over its port.

#![allow(clippy::unwrap_used)] // a failed step fails the test

mod consumer;
mod golden;
mod loss;
mod serve;
mod store;
mod support;
mod tls;
