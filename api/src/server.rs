//! Connections: accepted up to a limit, and brought to an end when the process is.

use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::capacity::{Capacity, Place};
use crate::connection::Connections;
use crate::open_files;
use crate::router;
use crate::state::App;

/// How long to wait after `accept` failed, such as for want of file descriptors.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Serves until the app's lifecycle asks for an end; then requests may finish within its `DRAIN_DEADLINE`.
///
/// # Errors
/// A setting cannot be used. What fails later is one connection.
pub async fn serve(listener: TcpListener, app: &App) -> anyhow::Result<()> {
    let (config, lifecycle) = (&app.config, &app.lifecycle);
    let usual = Connections::usual(router::router(app.clone())?, config);
    let refused = Connections::refused(router::at_capacity(app.clone())?, config);
    let mut capacity = Capacity::new(open_files::make_room(config.max_connections));
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
        let Some(place) = capacity.enter() else {
            continue;
        };
        let serve = match &place {
            Place::Usual(_) => usual.serve(stream, &connections),
            Place::Reserve(_) => refused.serve(stream, &connections),
        };
        let hard = lifecycle.hard.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = hard.cancelled() => {}
                () = serve => {}
            }
            drop(place);
        });
    }
    drop(listener);
    info!(open = connections.count(), "stopping");
    tokio::select! {
        () = connections.shutdown() => {}
        () = lifecycle.hard.cancelled() => {}
        () = tokio::time::sleep(config.drain_deadline) => warn!("some connections did not end in time"),
    }
    Ok(())
}
