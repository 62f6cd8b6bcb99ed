//! Envoy as a JSON transcoder over the same contract: the smallest configuration that does the job.
//!
//! No access log, no request ids, no statistics sinks: the comparison favours Envoy where it can.

use std::path::Path;

/// Envoy's configuration: HTTP/1 on `listen`, transcoded to HTTP/2 on `backend`.
pub(crate) fn config(listen: u16, backend: u16, descriptor: &Path) -> String {
    format!(
        r"
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {listen}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: rest
          generate_request_id: false
          route_config:
            virtual_hosts:
            - name: search
              domains: ['*']
              routes:
              - match: {{prefix: /skyway.search.v1.SearchService}}
                route: {{cluster: search, timeout: 10s}}
          http_filters:
          - name: envoy.filters.http.grpc_json_transcoder
            typed_config:
              '@type': type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder
              proto_descriptor: {descriptor}
              services: [skyway.search.v1.SearchService]
              convert_grpc_status: true
          - name: envoy.filters.http.router
            typed_config:
              '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: search
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
    load_assignment:
      cluster_name: search
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {backend}}}}}}}
",
        descriptor = descriptor.display()
    )
}
