//! Who may call what: the access table of the contracts, at the edge.
//!
//! Nobody can sign in yet, so that whatever is not public is refused. Methods of the mesh never
//! get this far: they have no route.

use contracts::rt::route::{Access, Method};
use http::{HeaderValue, StatusCode, header};
use mesh::status::{Fault, Kind};

use crate::transcode::Failure;

/// Lets a request through to `method`, or says why not.
pub(crate) fn check(method: &Method) -> Result<(), Failure> {
    if method.access == Access::Public {
        return Ok(());
    }
    let message = "sign in and send the token as Authorization: Bearer";
    let fault = Fault::new(Kind::Unauthenticated, "UNAUTHENTICATED", message);
    let challenge = HeaderValue::from_static("Bearer");
    Err(Failure::new(StatusCode::UNAUTHORIZED, fault)
        .with_header(header::WWW_AUTHENTICATE, challenge))
}

#[cfg(test)]
mod tests {
    use contracts::rt::route::Idempotency;

    use super::*;

    #[test]
    fn only_the_public_may_pass() {
        let public = contracts::SERVICES[0]
            .methods
            .iter()
            .find(|m| m.access == Access::Public)
            .unwrap();
        for access in [
            Access::Public,
            Access::User,
            Access::Owner,
            Access::Admin,
            Access::Mesh,
        ] {
            let method = Method {
                access,
                service: "",
                name: "",
                path: "",
                input: public.input,
                output: public.output,
                client_streaming: false,
                server_streaming: false,
                deadline: None,
                idempotency: Idempotency::Unknown,
                bindings: &[],
            };
            let answer = check(&method).map_err(Failure::response);
            assert_eq!(answer.is_ok(), access == Access::Public);
            if let Err(response) = answer {
                assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
                assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
            }
        }
    }
}
