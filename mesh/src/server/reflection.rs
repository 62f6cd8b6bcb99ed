//! Server reflection, so that grpcurl and buf need no `.proto` files.
//!
//! Both versions are served: grpcurl asks for v1alpha, buf for v1.

use tonic::service::RoutesBuilder;
use tonic_reflection::server::{Builder, Error};

/// Adds both versions, which list `services`, health and themselves.
pub(super) fn add(routes: &mut RoutesBuilder, services: &[&'static str]) -> Result<(), Error> {
    routes.add_service(builder(services).build_v1()?);
    routes.add_service(builder(services).build_v1alpha()?);
    Ok(())
}

fn builder(services: &[&'static str]) -> Builder<'static> {
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(contracts::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // Either version lists both, and clients look up what is listed.
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health")
        .with_service_name("grpc.reflection.v1.ServerReflection")
        .with_service_name("grpc.reflection.v1alpha.ServerReflection");
    services.iter().fold(builder, |builder, service| {
        builder.with_service_name(*service)
    })
}
