//! Who may call a method, from its contract.
//!
//! No caller is identified yet, so only public methods are open; all others are refused rather
//! than left open by omission.

use contracts::rt::route::{Access, Method};
use tonic::Status;

use crate::status::{Fault, Kind};

/// Lets a call pass or says why not.
pub(super) fn check(method: &Method) -> Result<(), Status> {
    match method.access {
        Access::Public => Ok(()),
        Access::User | Access::Owner | Access::Admin | Access::Mesh => {
            let message = format!(
                "{}/{} needs an identified caller",
                method.service, method.name
            );
            Err(Fault::new(Kind::Unauthenticated, "UNAUTHENTICATED", message).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use contracts::{
        rt::{route::Idempotency, schema::Described},
        search::v1::GetFlightRequest,
    };
    use tonic::Code;

    use super::*;

    #[test]
    fn only_public_methods_are_open() {
        for (access, code) in [
            (Access::Public, None),
            (Access::User, Some(Code::Unauthenticated)),
            (Access::Owner, Some(Code::Unauthenticated)),
            (Access::Admin, Some(Code::Unauthenticated)),
            (Access::Mesh, Some(Code::Unauthenticated)),
        ] {
            let method = Method {
                service: "test.Service",
                name: "Method",
                path: "/test.Service/Method",
                input: GetFlightRequest::MESSAGE,
                output: GetFlightRequest::MESSAGE,
                client_streaming: false,
                server_streaming: false,
                access,
                deadline: None,
                idempotency: Idempotency::Unknown,
                bindings: &[],
            };
            assert_eq!(
                check(&method).err().map(|status| status.code()),
                code,
                "{access:?}"
            );
        }
    }
}
