//! Booking against real databases, and over its port.

#![allow(clippy::unwrap_used)] // a failed step fails the test

mod model;
mod oversell;
mod serve;
mod store;
mod support;
