//! The rules of mailing, as plain types: no wire, no database, no clock.

pub mod answer;
pub mod audit;
pub mod error;
pub mod event;
pub mod letter;
pub mod mail;
pub mod ports;
pub mod retry;
