//! The service as its contract has it: decode, ask, encode.

mod audit;
mod convert;
mod error;

use std::sync::Arc;

use contracts::identity::v1::{
    CreateSessionRequest, CreateUserRequest, CreateUserResponse, DeleteSessionRequest,
    DeleteSessionResponse, GetCurrentUserRequest, GetKeysRequest, JsonWebKeySet,
    RefreshSessionRequest, Session, User, identity_service_server::IdentityService,
};
use mesh::auth;
use tonic::{Request, Response, Status};

pub(crate) use self::{audit::audit, error::store_failed};
use crate::accounts::Accounts;

/// Serves [`IdentityService`] and the audit.
#[derive(Clone, Debug)]
pub(crate) struct Grpc(pub(crate) Arc<Accounts>);

#[tonic::async_trait]
impl IdentityService for Grpc {
    async fn create_user(
        &self,
        request: Request<CreateUserRequest>,
    ) -> Result<Response<CreateUserResponse>, Status> {
        let client = auth::client_address(&request);
        let CreateUserRequest { email, password } = request.into_inner();
        let email = self.0.sign_up(&email, password, client).await?;
        Ok(Response::new(CreateUserResponse { email }))
    }

    async fn create_session(
        &self,
        request: Request<CreateSessionRequest>,
    ) -> Result<Response<Session>, Status> {
        let client = auth::client_address(&request);
        let CreateSessionRequest { email, password } = request.into_inner();
        let tokens = self.0.sign_in(&email, password, client).await?;
        Ok(Response::new(convert::session(tokens)))
    }

    async fn refresh_session(
        &self,
        request: Request<RefreshSessionRequest>,
    ) -> Result<Response<Session>, Status> {
        let tokens = self.0.refresh(&request.into_inner().refresh_token).await?;
        Ok(Response::new(convert::session(tokens)))
    }

    async fn delete_session(
        &self,
        request: Request<DeleteSessionRequest>,
    ) -> Result<Response<DeleteSessionResponse>, Status> {
        self.0.sign_out(&auth::user(&request)?.session).await?;
        Ok(Response::new(DeleteSessionResponse {}))
    }

    async fn get_current_user(
        &self,
        request: Request<GetCurrentUserRequest>,
    ) -> Result<Response<User>, Status> {
        let user = self.0.user(&auth::user(&request)?.id).await?;
        Ok(Response::new(convert::user(user)))
    }

    async fn get_keys(
        &self,
        _: Request<GetKeysRequest>,
    ) -> Result<Response<JsonWebKeySet>, Status> {
        Ok(Response::new(self.0.ring.published()))
    }
}
