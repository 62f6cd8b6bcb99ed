//! The ports of the domain over generated clients.

mod booking;
mod search;

pub(crate) use self::{booking::BookingSeats, search::SearchFlights};
