//! What a trip is and what may become of it: plain types and pure rules. No transport, no storage, no clock.

pub mod audit;
pub mod error;
pub mod notice;
pub mod offer;
pub mod overview;
pub mod ports;
pub mod trip;
