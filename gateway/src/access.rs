//! Who may call what: the access table of the contracts, at the edge.
//!
//! A token is verified here, once; behind it, the call carries an identity that the mesh has
//! sealed. Methods of the mesh never get this far: they have no route.

use std::net::IpAddr;

use contracts::rt::route::{Access, Idempotency, Method};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mesh::auth::{self, Auth, Caller};
use mesh::status::{Fault, Kind};

use crate::config::Config;
use crate::proxies;
use crate::transcode::Failure;

/// What the service behind is told of whoever calls.
#[derive(Debug)]
pub(crate) struct Identity<'a> {
    auth: &'a Auth,
    method: &'a Method,
    caller: Option<Caller>,
    client: Option<IpAddr>,
}

impl Identity<'_> {
    /// Puts it on the call.
    pub(crate) fn attach(&self, headers: &mut HeaderMap) {
        let path = self.method.path;
        self.auth
            .sign(headers, path, self.caller.as_ref(), self.client);
    }
}

/// Lets a request through to `method`, with what to tell the service, or says why not.
///
/// What is public and changes nothing is the same for all, so that no token is looked at and
/// nothing told. Other public methods are told where the client is, which they may limit.
pub(crate) async fn check<'a>(
    config: &'a Config,
    method: &'a Method,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Result<Option<Identity<'a>>, Failure> {
    let auth = config.auth.as_ref();
    let caller = match (method.access, method.idempotency, auth) {
        (Access::Public, Idempotency::NoSideEffects, _) | (Access::Public, _, None) => {
            return Ok(None);
        }
        (Access::Public, _, Some(_)) => None,
        (_, _, auth) => match (auth::bearer(headers).map_err(refuse)?, auth) {
            (Some(token), Some(auth)) => {
                Some(Caller::User(auth.verify(token).await.map_err(refuse)?))
            }
            _ => None,
        },
    };
    auth::permit(method, caller.as_ref()).map_err(refuse)?;
    Ok(auth.map(|auth| Identity {
        auth,
        method,
        caller,
        client: peer.map(|peer| proxies::client(peer, headers, &config.trusted_proxies)),
    }))
}

fn refuse(fault: Fault) -> Failure {
    let status = match fault.kind {
        Kind::PermissionDenied => StatusCode::FORBIDDEN,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    };
    // RFC 6750: whoever sent no token is not told that something is wrong with it.
    let challenge = match fault.reason {
        "UNAUTHENTICATED" => "Bearer",
        _ => r#"Bearer error="invalid_token""#,
    };
    let failure = Failure::new(status, fault);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static(challenge);
        return failure.with_header(header::WWW_AUTHENTICATE, challenge);
    }
    failure
}

#[cfg(test)]
mod tests {
    use contracts::rt::route::{KeyRule, Spread};
    use mesh::seal::Key;

    use super::*;

    #[tokio::test]
    async fn without_a_token_only_the_public_may_pass() {
        let any = &contracts::search::v1::SEARCH_SERVICE.methods[0];
        let auth = Auth::new(Key::new([7; 32]));
        for (access, auth, idempotency, told) in [
            (
                Access::Public,
                Some(&auth),
                Idempotency::NoSideEffects,
                Some(false),
            ),
            (
                Access::Public,
                Some(&auth),
                Idempotency::Unknown,
                Some(true),
            ),
            (Access::Public, None, Idempotency::Unknown, Some(false)),
            (Access::User, Some(&auth), Idempotency::Unknown, None),
            (Access::Owner, Some(&auth), Idempotency::Unknown, None),
            (Access::Admin, Some(&auth), Idempotency::Unknown, None),
            (Access::Mesh, Some(&auth), Idempotency::Unknown, None),
            (Access::User, None, Idempotency::Unknown, None),
        ] {
            let method = Method {
                access,
                service: "",
                name: "",
                path: "/a/b",
                input: any.input,
                output: any.output,
                client_streaming: false,
                server_streaming: false,
                deadline: None,
                idempotency,
                key: KeyRule::None,
                spread: Spread::None,
                bindings: &[],
            };
            let config = Config {
                auth: auth.cloned(),
                ..Config::new([])
            };
            let answer = check(&config, &method, &HeaderMap::new(), None).await;
            match answer.map_err(Failure::response) {
                Ok(identity) => assert_eq!(Some(identity.is_some()), told, "{access:?}"),
                Err(response) => {
                    assert_eq!(told, None, "{access:?}");
                    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
                    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
                }
            }
        }
    }
}
