//! Connections: accepted, served with deadlines, and brought to an end when the process is.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use shared::lifecycle::Lifecycle;
use tokio::net::TcpListener;
use tracing::{debug, info, warn};

/// How long a client may take to send the head of a request, and how long an idle connection is kept.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);

/// How long to wait after `accept` failed, such as for want of file descriptors.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Serves `router` until `lifecycle` asks for an end; then requests may finish within `drain`.
///
/// # Errors
/// None so far: what fails is one connection.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    lifecycle: &Lifecycle,
    drain: Duration,
) -> anyhow::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = lifecycle.soft.cancelled() => break,
            () = lifecycle.hard.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(kind = %error.kind(), "a connection could not be accepted");
                tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
                continue;
            }
        };
        // Token events are small, and shall not wait for each other.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        let hard = lifecycle.hard.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = hard.cancelled() => {}
                result = connection => if let Err(error) = result {
                    debug!(%error, "a connection broke");
                },
            }
        });
    }
    drop(listener);
    info!(open = connections.count(), "stopping");
    tokio::select! {
        () = connections.shutdown() => {}
        () = lifecycle.hard.cancelled() => {}
        () = tokio::time::sleep(drain) => warn!("some connections did not end in time"),
    }
    Ok(())
}
