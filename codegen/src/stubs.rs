//! Messages, clients and servers, by prost and tonic.
//!
//! A server checks what it decodes and a client does not, but tonic's generator knows one codec
//! for both sides; so the two sides are printed by a generator each.

use std::{io, path::Path};

use prost_build::{Config, Service, ServiceGenerator};

use crate::Contract;

/// Writes `<package>.rs` for every generated package into `out`.
pub(crate) fn write(contract: &Contract, out: &Path) -> io::Result<()> {
    let both = ClientAndServer {
        client: generator("crate::rt::codec::Client")
            .build_server(false)
            .service_generator(),
        server: generator("crate::rt::codec::Server")
            .build_client(false)
            .service_generator(),
    };
    let mut config = Config::new();
    config
        .out_dir(out)
        .bytes(["."])
        .service_generator(Box::new(both));
    config.compile_fds(contract.generated_files())
}

fn generator(codec: &str) -> tonic_prost_build::Builder {
    tonic_prost_build::configure()
        .build_transport(false)
        .codec_path(codec)
}

struct ClientAndServer {
    client: Box<dyn ServiceGenerator>,
    server: Box<dyn ServiceGenerator>,
}

impl ServiceGenerator for ClientAndServer {
    fn generate(&mut self, service: Service, buf: &mut String) {
        self.client.generate(service.clone(), buf);
        self.server.generate(service, buf);
    }
}
