//! `skyway mesh-header`: what an operator with the mesh key puts on a call that only services may make.

use anyhow::Context;
use http::HeaderMap;
use mesh::auth::Caller;

use crate::cli::MeshHeader;
use crate::config::Config;
use crate::wire;

/// Prints the header for one method.
///
/// # Errors
/// There is no such method, or the mesh key cannot be read.
pub(crate) fn print(header: &MeshHeader, config: &Config) -> anyhow::Result<()> {
    let path = path(&header.method)?;
    let caller = Caller::Service(header.service.clone());
    let mut headers = HeaderMap::new();
    wire::operator_auth(config)?.sign(&mut headers, path, Some(&caller), None);
    for (name, value) in &headers {
        println!("{name}: {}", value.to_str()?);
    }
    Ok(())
}

/// The path of a method of ours, which may be written without its first slash.
fn path(written: &str) -> anyhow::Result<&'static str> {
    let methods = contracts::SERVICES
        .iter()
        .flat_map(|service| service.methods);
    let mut paths = methods.map(|method| method.path);
    paths
        .find(|path| path.trim_start_matches('/') == written.trim_start_matches('/'))
        .with_context(|| {
            format!("{written:?} is no method; write for example skyway.operations.v1.AuditService/RunAudit")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_named_as_grpcurl_names_it() {
        let audit = "/skyway.operations.v1.AuditService/RunAudit";
        for written in [audit, &audit[1..]] {
            assert_eq!(path(written).unwrap(), audit);
        }
        for written in ["", "RunAudit", "skyway.operations.v1.AuditService"] {
            let error = path(written).unwrap_err().to_string();
            assert!(error.contains("is no method"), "{error}");
        }
    }
}
