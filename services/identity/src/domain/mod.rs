//! What identity knows: plain types and pure rules. No transport, no storage, no clock; times are
//! Unix milliseconds that the caller passes in.

pub mod key;
pub mod password;
pub mod session;
pub mod user;
