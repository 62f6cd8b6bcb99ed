//! Asks a service of this process whether it is ready, over the same port as everybody else.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Time between two questions.
const INTERVAL: Duration = Duration::from_millis(10);

/// Completes when `address` answers `GET /readyz` with 200.
pub(crate) async fn until_ready(address: SocketAddr) {
    while !ready(address).await.unwrap_or(false) {
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Whether `address` answers `GET /readyz` with 200.
async fn ready(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(&status == b"HTTP/1.1 200")
}
