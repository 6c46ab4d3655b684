//! One connection: served with deadlines and bounded buffers, so that a client that is slow, silent or gone costs little and not
//! for long.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutWriter;
use tracing::debug;

use crate::config::Config;

/// How long a connection beyond the limit may take to ask and to be refused.
pub const REFUSAL_DEADLINE: Duration = Duration::from_secs(2);

/// Bytes of a request's head, and of a response that wait to be written (and at most one event more).
const BUFFER: usize = 64 << 10;

/// Bytes that the kernel keeps each way of what is not read yet (Linux twice that); left alone, Linux lets it grow to megabytes.
const SOCKET_BUFFER: usize = 64 << 10;

/// How connections are served.
#[derive(Debug)]
pub struct Connections {
    http: http1::Builder,
    service: TowerToHyperService<Router>,
    slow_reader_deadline: Duration,
    lifetime: Option<Duration>,
}

impl Connections {
    /// Those that are served by `router` for as long as they keep to the deadlines.
    pub fn usual(router: Router, config: &Config) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(config.head_deadline)
            .max_buf_size(BUFFER);
        Self {
            http,
            service: TowerToHyperService::new(router),
            slow_reader_deadline: config.slow_reader_deadline,
            lifetime: None,
        }
    }

    /// Those beyond the limit: one answer of `router`, within [`REFUSAL_DEADLINE`].
    pub fn refused(router: Router, config: &Config) -> Self {
        let mut refused = Self::usual(router, config);
        refused.http.keep_alive(false);
        refused.lifetime = Some(REFUSAL_DEADLINE);
        refused
    }

    /// Serves one, until it ends or is told to by `shutdown`.
    pub fn serve(
        &self,
        stream: TcpStream,
        shutdown: &GracefulShutdown,
    ) -> impl Future<Output = ()> + Send + use<> {
        self.prepare(&stream);
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(self.slow_reader_deadline));
        let io = TokioIo::new(Box::pin(stream));
        let connection = shutdown.watch(self.http.serve_connection(io, self.service.clone()));
        let lifetime = self.lifetime;
        async move {
            let result = match lifetime {
                Some(lifetime) => tokio::time::timeout(lifetime, connection).await.unwrap_or(Ok(())),
                None => connection.await,
            };
            match result {
                Ok(()) => {}
                Err(error) if is_slow(&error) => debug!("a client that did not read was cut off"),
                Err(error) => debug!(%error, "a connection broke"),
            }
        }
    }

    /// Sets what the kernel has to know. Where it will not, the connection is served all the same.
    fn prepare(&self, stream: &TcpStream) {
        // Token events are small, and shall not wait for each other.
        let _ = stream.set_nodelay(true);
        let _ = sockopt::set_socket_send_buffer_size(stream, SOCKET_BUFFER);
        let _ = sockopt::set_socket_recv_buffer_size(stream, SOCKET_BUFFER);
        // The writer's deadline sees only what the kernel does not take. This one is for what it took and cannot get rid of, so
        // that a short reply or a keep-alive comment finds out a dead client, too.
        #[cfg(target_os = "linux")]
        let _ = sockopt::set_tcp_user_timeout(
            stream,
            u32::try_from(self.slow_reader_deadline.as_millis()).unwrap_or(u32::MAX),
        );
    }
}

/// Whether the connection ended because its client did not take what was written.
fn is_slow(error: &hyper::Error) -> bool {
    let io = error
        .source()
        .and_then(|source| source.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == ErrorKind::TimedOut)
}
