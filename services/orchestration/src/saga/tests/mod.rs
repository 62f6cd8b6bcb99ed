//! The saga over a booking service that can be scripted to fail, and a real database.

mod book;
mod cancel;
mod crash;
mod world;
