//! What generated code calls: the types of its tables, and the engines that read them.
//!
//! Generated code is data. A message is a [`schema::Message`], an RPC a [`route::Method`]; how
//! they become JSON, a route or a verdict is written here once, by hand, and tested by itself.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the wire format keeps the low bits of a number by definition"
)]

pub mod codec;
pub mod constraint;
pub mod json;
mod normal;
pub mod query;
pub mod route;
pub mod schema;
pub mod text;
pub mod time;
mod value;
pub mod violation;
pub mod wire;
