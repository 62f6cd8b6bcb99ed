//! Who calls, and whether the contract lets them.
//!
//! Every service asks for itself, also where the gateway has asked before: a service's port may be
//! reached by others than the gateway.

use std::net::IpAddr;

use contracts::rt::route::Method;
use http::Request;
use tonic::Status;

use crate::auth::{self, Auth, Client};

/// Lets a call pass, with what is known of its caller put where handlers find it, or says why not.
/// A server without `auth` knows nobody, so that it is open for the public only.
pub(super) async fn check<B>(
    auth: Option<&Auth>,
    method: &Method,
    peer: Option<IpAddr>,
    request: &mut Request<B>,
) -> Result<(), Status> {
    let identity = match auth {
        Some(auth) => auth.identify(method, request.headers()).await?,
        None => auth::Identity::default(),
    };
    auth::permit(method, identity.caller.as_ref())?;
    let extensions = request.extensions_mut();
    if let Some(caller) = identity.caller {
        extensions.insert(caller);
    }
    if let Some(address) = identity.client.or(peer) {
        extensions.insert(Client(address));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use contracts::{
        rt::{
            route::{Access, Idempotency, KeyRule, Spread},
            schema::Described,
        },
        search::v1::GetFlightRequest,
    };
    use http::HeaderMap;
    use tonic::Code;

    use super::*;
    use crate::{
        auth::{Caller, User},
        seal::Key,
    };

    const PATH: &str = "/test.Service/Method";

    fn method(access: Access) -> Method {
        Method {
            service: "test.Service",
            name: "Method",
            path: PATH,
            input: GetFlightRequest::MESSAGE,
            output: GetFlightRequest::MESSAGE,
            client_streaming: false,
            server_streaming: false,
            access,
            deadline: None,
            idempotency: Idempotency::Unknown,
            key: KeyRule::None,
            spread: Spread::None,
            bindings: &[],
        }
    }

    fn user(admin: bool) -> Caller {
        Caller::User(User {
            id: "u1".to_owned(),
            session: "s1".to_owned(),
            admin,
        })
    }

    fn request(headers: HeaderMap) -> Request<()> {
        let mut request = Request::new(());
        *request.headers_mut() = headers;
        request
    }

    #[tokio::test]
    async fn each_rule_lets_pass_whom_it_says() {
        let auth = Auth::new(Key::new([7; 32]));
        let service = Caller::Service("booking".to_owned());
        let no = Some(Code::Unauthenticated);
        let never = Some(Code::PermissionDenied);
        // Nobody, a user, an administrator, a service.
        for (access, expected) in [
            (Access::Public, [None, None, None, None]),
            (Access::User, [no, None, None, None]),
            (Access::Owner, [no, None, None, None]),
            (Access::Admin, [no, never, None, None]),
            (Access::Mesh, [no, never, never, None]),
        ] {
            let callers = [
                None,
                Some(user(false)),
                Some(user(true)),
                Some(service.clone()),
            ];
            for (caller, expected) in callers.into_iter().zip(expected) {
                let mut headers = HeaderMap::new();
                auth.sign(&mut headers, PATH, caller.as_ref(), None);
                let mut request = request(headers);
                let checked = check(Some(&auth), &method(access), None, &mut request).await;
                let code = checked.err().map(|status| status.code());
                assert_eq!(code, expected, "{access:?} {caller:?}");
                if code.is_none() {
                    assert_eq!(request.extensions().get::<Caller>(), caller.as_ref());
                }
            }
        }
    }

    #[tokio::test]
    async fn without_a_sealed_identity_only_the_public_is_open() {
        let auth = Auth::new(Key::new([7; 32]));
        for auth in [None, Some(&auth)] {
            for access in [
                Access::Public,
                Access::User,
                Access::Owner,
                Access::Admin,
                Access::Mesh,
            ] {
                let mut request = request(HeaderMap::new());
                let checked = check(auth, &method(access), None, &mut request).await;
                let code = checked.err().map(|status| status.code());
                let expected = (access != Access::Public).then_some(Code::Unauthenticated);
                assert_eq!(code, expected, "{access:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_forged_identity_opens_nothing() {
        let auth = Auth::new(Key::new([7; 32]));
        let service = Caller::Service("booking".to_owned());
        for (key, path) in [([8; 32], PATH), ([7; 32], "/test.Service/Another")] {
            let mut headers = HeaderMap::new();
            Auth::new(Key::new(key)).sign(&mut headers, path, Some(&service), None);
            for access in [Access::Public, Access::Mesh] {
                let mut request = request(headers.clone());
                let checked = check(Some(&auth), &method(access), None, &mut request).await;
                assert_eq!(checked.unwrap_err().code(), Code::Unauthenticated);
            }
        }
    }

    #[tokio::test]
    async fn the_client_is_where_the_edge_says_or_else_the_peer() {
        let auth = Auth::new(Key::new([7; 32]));
        let (edge, peer) = ("192.0.2.7".parse().ok(), "127.0.0.1".parse().ok());
        for (told, expected) in [(edge, edge), (None, peer)] {
            let mut headers = HeaderMap::new();
            auth.sign(&mut headers, PATH, None, told);
            let mut request = request(headers);
            check(Some(&auth), &method(Access::Public), peer, &mut request)
                .await
                .unwrap();
            let request = tonic::Request::from_parts(
                tonic::metadata::MetadataMap::new(),
                std::mem::take(request.extensions_mut()),
                (),
            );
            assert_eq!(auth::client_address(&request), expected);
            assert!(auth::caller(&request).is_err());
        }
    }

    #[test]
    fn every_method_of_the_contracts_has_the_rule_that_it_declares() {
        let mut methods = 0;
        for method in contracts::SERVICES
            .iter()
            .flat_map(|service| service.methods)
        {
            methods += 1;
            // What has a route is reachable by everybody, so it cannot be the mesh's own.
            let exposed = !method.bindings.is_empty();
            assert_ne!(exposed, method.access == Access::Mesh, "{}", method.path);
        }
        assert!(methods > 10, "{methods}");
    }
}
