//! What happens without being asked for. Every replica does it: a second one finds nothing left to do.

mod expire_holds;
mod trim_outbox;

pub(crate) use self::{expire_holds::expire_holds, trim_outbox::trim_outbox};
