//! Who calls: told by the edge once, and carried from service to service under a signature.
//!
//! A caller proves who it is in one of two ways: by the access token of a user, which identity
//! signs (`tokens`), or by an identity that a part of the mesh has sealed with the mesh's key
//! (`sealed`). The gateway turns the first into the second; a service accepts both, so that it
//! can also be called straight. Who may call what stands in the contracts; [`permit`] applies it.

mod keys;
mod sealed;
mod tokens;

use std::{net::IpAddr, sync::Arc};

use contracts::rt::route::{Access, Method};
use http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use tonic::{Request, Status};

pub use keys::{Fetched, KeySource};
pub use tokens::{AUDIENCE, Claims, ISSUER, ROLE_ADMIN};

pub(crate) use sealed::Identity;

use self::{keys::Remote, tokens::Tokens};
use crate::{
    client::Endpoints,
    clock,
    seal::Key,
    status::{Fault, Kind},
};

/// The header of a sealed identity.
const SEALED: HeaderName = HeaderName::from_static("skyway-identity");

/// Whoever makes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody who has signed in.
    User(User),
    /// Another service of the mesh, by its name, for example `booking`.
    Service(String),
}

/// A user who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's id.
    pub id: String,
    /// The session, which ends when the user signs out.
    pub session: String,
    /// Whether the user may see and do everything.
    pub admin: bool,
}

/// The caller that the server's stack has identified.
///
/// # Errors
///
/// `UNAUTHENTICATED` where there is none, which can only be so in a public method.
pub fn caller<T>(request: &Request<T>) -> Result<&Caller, Status> {
    let caller = request.extensions().get::<Caller>();
    caller.ok_or_else(|| unidentified().into())
}

/// The user who calls.
///
/// # Errors
///
/// `UNAUTHENTICATED` where no user does.
pub fn user<T>(request: &Request<T>) -> Result<&User, Status> {
    match caller(request)? {
        Caller::User(user) => Ok(user),
        Caller::Service(_) => Err(unidentified().into()),
    }
}

/// The address of the client at the edge of the mesh, or of the peer where that is unknown.
pub fn client_address<T>(request: &Request<T>) -> Option<IpAddr> {
    let client = request.extensions().get::<Client>();
    client.map(|Client(address)| *address)
}

/// What [`client_address`] tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client(pub(crate) IpAddr);

fn unidentified() -> Fault {
    Fault::new(
        Kind::Unauthenticated,
        "UNAUTHENTICATED",
        "sign in and send the token as Authorization: Bearer",
    )
}

/// Applies the access rule of `method`: lets `caller` pass or says why not. To whom a resource
/// belongs is for the service to say.
///
/// # Errors
///
/// The fault to answer with: `UNAUTHENTICATED` or `PERMISSION_DENIED`.
pub fn permit(method: &Method, caller: Option<&Caller>) -> Result<(), Fault> {
    let needed = match (method.access, caller) {
        (Access::Public, _)
        | (_, Some(Caller::Service(_)))
        | (Access::User | Access::Owner, Some(Caller::User(_))) => return Ok(()),
        (_, None) => return Err(unidentified()),
        (Access::Admin, Some(Caller::User(user))) if user.admin => return Ok(()),
        (Access::Admin, Some(Caller::User(_))) => "administrators",
        (Access::Mesh, Some(Caller::User(_))) => "services of the mesh",
    };
    let message = format!("{} is for {needed} only", method.name);
    Err(Fault::new(
        Kind::PermissionDenied,
        "PERMISSION_DENIED",
        message,
    ))
}

/// The access token of a request, if it has one.
///
/// # Errors
///
/// `UNAUTHENTICATED` where `Authorization` holds something else.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        let token = token.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
    });
    token.map(Some).ok_or_else(|| {
        let message = "Authorization must be \"Bearer\" and an access token";
        Fault::new(Kind::Unauthenticated, "TOKEN_INVALID", message)
    })
}

/// What a part of the mesh needs to know callers, and to be known. Clones share what they have
/// learned.
#[derive(Clone, Debug)]
pub struct Auth {
    key: Key,
    tokens: Option<Tokens>,
}

impl Auth {
    /// Knows whoever has `key`, which all of the mesh shares and nobody else has.
    #[must_use]
    pub const fn new(key: Key) -> Self {
        Self { key, tokens: None }
    }

    /// Knows users by their access tokens too, with the keys that identity publishes.
    #[must_use]
    pub fn with_tokens(self, identity: Endpoints) -> Self {
        self.with_key_source(Arc::new(Remote(identity)))
    }

    /// Knows users by their access tokens too, with the keys from `source`.
    #[must_use]
    pub fn with_key_source(mut self, source: Arc<dyn KeySource>) -> Self {
        self.tokens = Some(Tokens::new(source));
        self
    }

    /// Signs calls of the service with this name.
    #[must_use]
    pub fn signer(&self, service: &str) -> Signer {
        Signer {
            key: self.key.clone(),
            caller: Caller::Service(service.to_owned()),
        }
    }

    /// Puts into the headers of a call of the method with this path who makes it, and from where.
    pub fn sign(
        &self,
        headers: &mut HeaderMap,
        path: &str,
        caller: Option<&Caller>,
        client: Option<IpAddr>,
    ) {
        let sealed = sealed::seal(&self.key, path, caller, client, now());
        headers.insert(SEALED, sealed);
    }

    /// The user whose access token this is.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` where it is nobody's, `UNAVAILABLE` where that cannot be found out now.
    pub async fn verify(&self, token: &str) -> Result<User, Fault> {
        match &self.tokens {
            Some(tokens) => tokens.verify(token).await,
            None => Err(unidentified()),
        }
    }

    /// Who makes a call of `method`. Of a public method nobody needs to, so that no token is looked at.
    pub(crate) async fn identify(
        &self,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Identity, Fault> {
        if let Some(sealed) = headers.get(SEALED) {
            return sealed::open(&self.key, method.path, sealed, now()).map_err(|why| {
                tracing::warn!(method = method.path, %why, "refused the identity of a caller");
                let message = "the caller's identity is not one that this mesh has sealed";
                Fault::new(Kind::Unauthenticated, "IDENTITY_INVALID", message)
            });
        }
        let caller = match bearer(headers) {
            _ if method.access == Access::Public => None,
            Ok(None) => None,
            Ok(Some(token)) => Some(Caller::User(self.verify(token).await?)),
            Err(fault) => return Err(fault),
        };
        Ok(Identity {
            caller,
            client: None,
        })
    }
}

/// Puts the identity of a service on its calls.
#[derive(Clone, Debug)]
pub struct Signer {
    key: Key,
    caller: Caller,
}

impl Signer {
    /// Signs a call of the method with this path, unless whoever makes it has done so.
    pub(crate) fn sign(&self, headers: &mut HeaderMap, path: &str) {
        if !headers.contains_key(SEALED) {
            let sealed = sealed::seal(&self.key, path, Some(&self.caller), None, now());
            headers.insert(SEALED, sealed);
        }
    }
}

/// Unix time in seconds.
fn now() -> u64 {
    clock::since_epoch().as_secs()
}
