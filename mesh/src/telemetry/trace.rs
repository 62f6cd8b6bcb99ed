//! Exporting spans over OTLP, from one provider per service.

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SdkTracerProvider},
};

use super::{Config, TelemetryError};

/// Keeps the exporter of a service.
#[derive(Debug)]
#[must_use = "spans that are not sent yet are lost without `shutdown`"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
}

impl Guard {
    pub(super) fn new(provider: Option<SdkTracerProvider>) -> Self {
        Self { provider }
    }

    /// Sends what is not sent yet. The runtime that the exporter was made in must still run.
    pub async fn shutdown(self) {
        let Some(provider) = self.provider else {
            return;
        };
        // It blocks until all is sent, and the sending may need this very thread.
        let stopped = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        if let Ok(Err(cause)) = stopped {
            tracing::warn!(%cause, "spans could not be sent");
        }
    }
}

/// The provider of a service; none where traces go nowhere.
pub(super) fn provider(config: &Config) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    let Some(endpoint) = &config.otlp_endpoint else {
        return Ok(None);
    };
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|cause| TelemetryError::Exporter {
            endpoint: endpoint.clone(),
            cause,
        })?;
    let resource = Resource::builder()
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new(
            "service.instance.id",
            config.instance.clone(),
        ))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_span_processor(BatchSpanProcessor::builder(exporter).build())
        .build();
    Ok(Some(provider))
}
