//! The printers: one per output, each a pure function of the contract.

mod names;
mod openapi;
mod routes;
mod schema;

pub use openapi::openapi;
pub use routes::routes;
pub use schema::{described, schema};
