//! Thousands of open event streams, and what they cost.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Result, process, server::Server};

pub struct Cost {
    pub open: usize,
    pub before: u64,
    pub after: u64,
}

/// Opens them all, each of another person as far as there are, and reads each one's snapshot.
pub async fn open(server: &Server, cookies: &[String], count: usize) -> Result<Cost> {
    let before = process::memory(server.pid());
    let mut streams = Vec::with_capacity(count);
    let mut buffer = vec![0; 64 * 1024];
    for number in 0..count {
        let cookie = &cookies[number % cookies.len()];
        let mut stream = TcpStream::connect(server.address).await?;
        let request = format!(
            "GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\ncookie: {cookie}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let read = stream.read(&mut buffer).await?;
        if !buffer[..read].starts_with(b"HTTP/1.1 200") {
            let text = String::from_utf8_lossy(&buffer[..read.min(200)]).into_owned();
            return Err(format!("stream {number}: {text}").into());
        }
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = process::memory(server.pid());
    Ok(Cost {
        open: streams.len(),
        before,
        after,
    })
}
