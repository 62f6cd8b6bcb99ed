//! The rules of selling seats, as plain types: no wire, no database, no clock.

pub mod audit;
pub mod booking;
pub mod change;
pub mod combine;
pub mod error;
pub mod hold;
pub mod inventory;
pub mod locator;
pub mod ports;
