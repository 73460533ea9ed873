//! HTTP/1.1 as a load generator needs it: a request is bytes that are made once, of an answer only
//! the status and the end are looked at.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::Result;

/// What a browser of our day takes.
pub const BROTLI: &str = "gzip, deflate, br, zstd";

/// One connection, kept for the next request.
pub struct Client {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A GET request's bytes.
pub fn get(path: &str, cookie: &str, encoding: &str) -> Vec<u8> {
    let mut text = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
    if !cookie.is_empty() {
        text += &format!("cookie: {cookie}\r\n");
    }
    if encoding != "identity" {
        text += &format!("accept-encoding: {encoding}\r\n");
    }
    (text + "\r\n").into_bytes()
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            address,
            stream,
            buffer: vec![0; 256 * 1024],
        })
    }

    /// Sends, reads the answer to its end, and says its status.
    pub async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.exchange(request, |_| {})
            .await
            .map(|(status, _)| status)
    }

    /// The same, and keeps what came.
    pub async fn fetch(&mut self, request: &[u8]) -> Result<Answer> {
        let mut body = Vec::new();
        let keep = |bytes: &[u8]| body.extend_from_slice(bytes);
        let (status, head) = self.exchange(request, keep).await?;
        if head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked")
        {
            body = joined(&body)?;
        }
        Ok(Answer { status, head, body })
    }

    async fn exchange(
        &mut self,
        request: &[u8],
        mut keep: impl FnMut(&[u8]),
    ) -> Result<(u16, String)> {
        self.stream.write_all(request).await?;
        let mut have = 0;
        let end = loop {
            let read = self.stream.read(&mut self.buffer[have..]).await?;
            if read == 0 {
                return Err("the server hung up".into());
            }
            have += read;
            if let Some(at) = find(&self.buffer[..have], b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let status = head.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
        let mut rest = Rest::of(&head, status);
        keep(&self.buffer[end..have]);
        let mut done = rest.take(&self.buffer[end..have]);
        while !done {
            let read = self.stream.read(&mut self.buffer).await?;
            if read == 0 {
                return Err("the server hung up in an answer".into());
            }
            keep(&self.buffer[..read]);
            done = rest.take(&self.buffer[..read]);
        }
        if head.to_ascii_lowercase().contains("connection: close") {
            self.stream = TcpStream::connect(self.address).await?;
        }
        Ok((status, head))
    }
}

/// How an answer ends.
enum Rest {
    Bytes(usize),
    /// The last bytes seen: the empty chunk ends it.
    Chunks(Vec<u8>),
}

impl Rest {
    fn of(head: &str, status: u16) -> Self {
        let head = head.to_ascii_lowercase();
        if head.contains("transfer-encoding: chunked") {
            return Self::Chunks(b"\r\n".to_vec());
        }
        if matches!(status, 204 | 304) {
            return Self::Bytes(0);
        }
        let length = head
            .split_once("content-length:")
            .and_then(|(_, rest)| rest.lines().next())
            .and_then(|text| text.trim().parse().ok());
        Self::Bytes(length.unwrap_or(0))
    }

    /// Whether that was the end.
    fn take(&mut self, bytes: &[u8]) -> bool {
        const LAST: &[u8] = b"\r\n0\r\n\r\n";
        match self {
            Self::Bytes(left) => {
                *left = left.saturating_sub(bytes.len());
                *left == 0
            }
            Self::Chunks(tail) => {
                let from = bytes.len().saturating_sub(LAST.len());
                tail.extend_from_slice(&bytes[from..]);
                let from = tail.len().saturating_sub(LAST.len());
                tail.drain(..from);
                tail == LAST
            }
        }
    }
}

/// The chunks of a body, put together.
fn joined(mut bytes: &[u8]) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let at = find(bytes, b"\r\n").ok_or("a chunk without its size")?;
        let size = std::str::from_utf8(&bytes[..at])?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16)?;
        if size == 0 {
            return Ok(all);
        }
        let from = at + 2;
        all.extend_from_slice(bytes.get(from..from + size).ok_or("half a chunk")?);
        bytes = &bytes[from + size + 2..];
    }
}

pub fn find(in_bytes: &[u8], what: &[u8]) -> Option<usize> {
    in_bytes
        .windows(what.len())
        .position(|window| window == what)
}
