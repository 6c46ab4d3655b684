//! A client that speaks HTTP by hand: half a request, no reading, or whatever else a decent client does not do.

use std::io;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::PATIENCE;

/// What the kernel keeps for a client that does not read, in bytes (Linux keeps twice that, and at least a few kilobytes).
const RECEIVE_BUFFER: u32 = 4096;

/// A connection to an api.
#[derive(Debug)]
pub struct RawClient(TcpStream);

impl RawClient {
    /// Connects to the api at `base`, with as little room as possible for what it does not read.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(base: &str) -> Result<Self> {
        let address = base.strip_prefix("http://").context("an address")?.parse()?;
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        Ok(Self(socket.connect(address).await?))
    }

    /// Sends these bytes.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn send(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes()).await
    }

    /// Asks for a path, and returns the head of the answer; the body must be read next.
    ///
    /// # Errors
    /// The connection was closed instead.
    pub async fn get(&mut self, path: &str) -> Result<String> {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
            .await?;
        self.head().await
    }

    /// Reads up to the end of an answer's head, and not a byte more.
    ///
    /// # Errors
    /// The connection was closed before.
    pub async fn head(&mut self) -> Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = tokio::time::timeout(PATIENCE, self.0.read_u8()).await?;
            head.push(byte.context("the connection was closed within a head")?);
        }
        Ok(String::from_utf8(head)?.to_lowercase())
    }

    /// Reads exactly so many bytes.
    ///
    /// # Errors
    /// The connection was closed before.
    pub async fn read(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        tokio::time::timeout(PATIENCE, self.0.read_exact(&mut bytes)).await??;
        Ok(bytes)
    }

    /// Reads until the server closes the connection, in whichever way.
    ///
    /// # Errors
    /// It does not.
    pub async fn rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let end = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut bytes))
            .await
            .context("the server does not close the connection")?;
        match end {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error.into()),
            _ => Ok(bytes),
        }
    }
}

/// What a body in chunks (RFC 9112, 7.1) holds, and whether its end is there.
///
/// # Panics
/// It is something else.
pub fn unchunked(mut body: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    while let Some(end) = body.windows(2).position(|pair| pair == b"\r\n") {
        let length = std::str::from_utf8(&body[..end]).expect("a length in hex");
        let length = usize::from_str_radix(length, 16).expect("a length in hex");
        body = &body[end + 2..];
        if length == 0 {
            return (content, true);
        }
        content.extend_from_slice(&body[..length.min(body.len())]);
        body = body.get(length + 2..).unwrap_or_default();
    }
    (content, false)
}
