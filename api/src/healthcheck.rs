//! `api healthcheck`: asks the api of this machine whether it runs, for containers without curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long it may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// Succeeds where `GET /healthz` on the port of `bind` is answered with 200.
///
/// # Errors
/// Nobody answers in time, or not with 200.
pub async fn healthcheck(bind: SocketAddr) -> anyhow::Result<()> {
    tokio::time::timeout(DEADLINE, ask(reachable(bind)))
        .await
        .context("no answer in time")?
}

/// Where something that listens on `bind` is found from here.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

async fn ask(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("nobody listens on {address}"))?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream
        .read_exact(&mut head)
        .await
        .context("the answer broke off")?;
    anyhow::ensure!(
        head == *b"HTTP/1.1 200",
        "the answer is {}",
        String::from_utf8_lossy(&head)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn only_a_200_is_healthy() {
        for (answer, healthy) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 503 No\r\n\r\n", false),
            ("", false),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
            assert_eq!(healthcheck(address).await.is_ok(), healthy, "{answer}");
        }
    }

    #[test]
    fn who_listens_everywhere_is_asked_on_this_machine() {
        let asked = |bind: &str| reachable(bind.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8000"), "127.0.0.1:8000");
        assert_eq!(asked("[::]:1"), "[::1]:1");
        assert_eq!(asked("10.1.2.3:4"), "10.1.2.3:4");
    }
}
