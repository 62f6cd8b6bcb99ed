//! Build-time compiler of the contracts.
//!
//! Everything that Skyway knows about its own surface is written once, in `proto/`. This library
//! reads those files and prints what the rest of the workspace runs on:
//!
//! | output | by | holds |
//! | --- | --- | --- |
//! | `<package>.rs` | prost and tonic | messages, clients, servers |
//! | `<package>.routes.rs` | [`print::routes`] | services, their methods, REST bindings and policies |
//! | `schema.rs` | [`print::schema`] | a table per message: JSON names, kinds, constraints |
//! | `described.rs` | [`print::described`] | which table describes which generated message |
//! | `openapi.json` | [`print::openapi`] | the OpenAPI 3.1 document |
//! | `descriptors.bin` | protox | the descriptor set with every option, for reflection |
//!
//! It works like any compiler: descriptors become a typed [`Contract`], every mistake in it is
//! collected with its file and line, and one printer per output writes plain data. Logic lives in
//! the contracts crate's `rt` module, by hand; it is never printed.

mod binding;
mod comment;
mod contract;
mod diagnostics;
pub mod http_rule;
mod policy;
pub mod print;
mod rules;
mod stubs;

use std::{fs, io, path::Path};

pub use contract::{
    Access, Binding, Body, Contract, Idempotency, KeyRule, Message, Method, Service, Spread,
    Variable,
};
pub use diagnostics::{Diagnostic, Diagnostics};
pub use rules::{FieldRules, ValueRule};

/// Why the contracts could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is not valid Protobuf.
    #[error(transparent)]
    Proto(#[from] protox::Error),
    /// The descriptors do not fit together.
    #[error(transparent)]
    Descriptor(#[from] prost_reflect::DescriptorError),
    /// The contract breaks rules of this project: all of its mistakes.
    #[error(transparent)]
    Contract(#[from] Diagnostics),
    /// A file could not be read or written.
    #[error("{0}: {1}")]
    Io(std::path::PathBuf, #[source] io::Error),
}

/// Compiles all contracts below `proto` and writes every output into `out`.
///
/// # Errors
/// Fails where a file cannot be read, parsed or written, or where a contract breaks a rule; then
/// the error lists every mistake with its file and line.
pub fn build(proto: &Path, out: &Path) -> Result<(), Error> {
    let files = contract::proto_files(proto)?;
    let contract = Contract::load(&[proto], &files)?;
    stubs::write(&contract, out).map_err(|error| Error::Io(out.to_owned(), error))?;
    write(out, "descriptors.bin", contract.descriptors())?;
    write(out, "schema.rs", print::schema(&contract))?;
    write(out, "described.rs", print::described(&contract))?;
    write(out, "openapi.json", print::openapi(&contract))?;
    for package in contract.service_packages() {
        write(
            out,
            &format!("{package}.routes.rs"),
            print::routes(&contract, package),
        )?;
    }
    Ok(())
}

fn write(out: &Path, name: &str, content: impl AsRef<[u8]>) -> Result<(), Error> {
    let path = out.join(name);
    fs::write(&path, content).map_err(|error| Error::Io(path, error))
}
