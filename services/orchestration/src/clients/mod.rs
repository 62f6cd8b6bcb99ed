//! The ports of the domain over generated clients.

mod booking;
mod mail;
mod search;

pub(crate) use self::{booking::BookingSeats, mail::MailClient, search::SearchFlights};
