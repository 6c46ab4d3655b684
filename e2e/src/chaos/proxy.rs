//! A small TCP proxy between any two: it can refuse, break what is open, hold everything back, and be as before.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What each direction of a connection has in hand at most; beyond it the sender waits.
const BUFFER: usize = 16 * 1024;

/// What the proxy does with bytes and with new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on.
    Open,
    /// Accepts connections and bytes, and passes nothing on until it is open again: a network that lost its way.
    Stalled,
    /// Closes each new connection at once.
    Refusing,
}

#[derive(Clone, Copy, Debug)]
struct Control {
    upstream: SocketAddr,
    mode: Mode,
    /// A connection lives as long as this is what it was born under.
    generation: u64,
}

/// A listening proxy, always on the same port. Dropping it closes its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    control: watch::Sender<Control>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port, and passes on to `upstream` on 127.0.0.1.
    ///
    /// # Errors
    /// No port is free.
    pub async fn to(upstream: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (control, watched) = watch::channel(Control {
            upstream: SocketAddr::from((Ipv4Addr::LOCALHOST, upstream)),
            mode: Mode::Open,
            generation: 0,
        });
        let accepting = tokio::spawn(accept(listener, watched));
        Ok(Self {
            port,
            control,
            accepting,
        })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Passes new connections on to another port.
    pub fn redirect(&self, upstream: u16) {
        self.control
            .send_modify(|control| control.upstream.set_port(upstream));
    }

    /// Changes what it does. What it held back goes on its way when it is open again.
    pub fn set(&self, mode: Mode) {
        self.control.send_modify(|control| control.mode = mode);
    }

    /// Breaks every open connection; what they held back is lost.
    pub fn cut(&self) {
        self.control.send_modify(|control| control.generation += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, control: watch::Receiver<Control>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let refused = control.borrow().mode == Mode::Refusing;
                if let Ok((client, _)) = accepted && !refused {
                    connections.spawn(connection(client, control.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut client: TcpStream, mut control: watch::Receiver<Control>) {
    let born = control.borrow().generation;
    let mut watched = control.clone();
    let cut = async {
        // The sender is dropped together with this task.
        let _ = watched.wait_for(|control| control.generation != born).await;
    };
    tokio::pin!(cut);
    let upstream = tokio::select! {
        () = &mut cut => return,
        upstream = connect(&mut control) => upstream,
    };
    let Some(mut server) = upstream else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let broken = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let there = pump(from_client, to_server, control.clone());
        let back = pump(from_server, to_client, control);
        tokio::select! {
            () = &mut cut => true,
            ended = async { tokio::try_join!(there, back) } => ended.is_err(),
        }
    };
    if broken {
        // A reset, as a network that breaks ends in one, and not the orderly end of a stream.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

async fn connect(control: &mut watch::Receiver<Control>) -> Option<TcpStream> {
    let upstream = control
        .wait_for(|control| control.mode != Mode::Stalled)
        .await
        .ok()?
        .upstream;
    TcpStream::connect(upstream).await.ok()
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut control: watch::Receiver<Control>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        if control
            .wait_for(|control| control.mode != Mode::Stalled)
            .await
            .is_err()
        {
            return Ok(());
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Sends back what comes, until the connection ends.
    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = peer.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        port
    }

    async fn open(proxy: &Proxy) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()))
            .await
            .unwrap()
    }

    async fn hears(peer: &mut TcpStream) -> std::io::Result<usize> {
        peer.read(&mut [0; 16]).await
    }

    #[tokio::test]
    async fn it_passes_on_holds_back_breaks_and_refuses() {
        let proxy = Proxy::to(echo().await).await.unwrap();
        let mut peer = open(&proxy).await;
        peer.write_all(b"one").await.unwrap();
        assert_eq!(hears(&mut peer).await.unwrap(), 3);

        proxy.set(Mode::Stalled);
        peer.write_all(b"two").await.unwrap();
        // The silence is what is tested.
        assert!(
            tokio::time::timeout(Duration::from_millis(100), hears(&mut peer))
                .await
                .is_err()
        );
        proxy.set(Mode::Open);
        assert_eq!(hears(&mut peer).await.unwrap(), 3);

        proxy.cut();
        assert!(hears(&mut peer).await.is_err(), "a reset, not an end");
        proxy.set(Mode::Refusing);
        assert!(!matches!(hears(&mut open(&proxy).await).await, Ok(1..)));

        proxy.set(Mode::Open);
        let mut peer = open(&proxy).await;
        peer.write_all(b"three").await.unwrap();
        assert_eq!(hears(&mut peer).await.unwrap(), 5);
    }
}
