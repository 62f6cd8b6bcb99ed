//! The admin port: metrics and health, for operators and not for the world.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::app::App;
use crate::body::Body;
use crate::pages::{self, Page};

/// Serves `/metrics`, `/livez` and `/readyz` until it is dropped.
pub(crate) async fn serve(app: Arc<App>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let app = app.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&app, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // A scraper that leaves is no news.
            let _ = connection.await;
        });
    }
}

fn answer(app: &App, request: &Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/metrics" => metrics(),
        "/livez" => pages::answer(Page::Live, app, request.headers()),
        "/readyz" => pages::answer(Page::Ready, app, request.headers()),
        _ => {
            let mut response = Response::new(Body::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn metrics() -> Response<Body> {
    let mut response = Response::new(Body::from(mesh::telemetry::metrics().render()));
    let text = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}
