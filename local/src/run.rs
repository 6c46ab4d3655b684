//! `local run`: both servers, the api and a worker in this process, until Ctrl-C.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bench::whatsapp::Simulator;
use local::Services;
use shared::lifecycle::Lifecycle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::cli::{Phone, Place};
use crate::phone;
use crate::settings::Settings;
use crate::stop::Requests;
use crate::welcome;

/// How often the api is asked whether it is ready, and for how long.
const LOOK: Duration = Duration::from_millis(50);
const READY_DEADLINE: Duration = Duration::from_secs(60);

/// Runs everything. Comes back when it was asked to stop, or with the error of whatever ended by itself.
pub async fn run(place: &Place, phone: &Phone) -> Result<()> {
    let mut settings = Settings::from_environment();
    shared::tls::install();
    shared::telemetry::init(settings.api.common.debug);
    let mut stop = Requests::listen()?;

    let listener = bind(settings.api.api_bind, place).await?;
    let address = listener.local_addr()?;
    let page = page(address);
    // It ends with this function.
    let simulator = phone::start(phone, address, &page, &mut settings).await?;
    welcome::before(place);
    let mut services = tokio::select! {
        services = Services::start(place.options()) => services?,
        // What has been started ends with this process.
        () = stop.next() => return Ok(()),
    };
    settings.use_servers(&services);
    let simulated = simulator
        .as_ref()
        .map_or_else(String::new, |it| phone::lines(it, &settings));
    services.note(&format!("PAGE={page}\n{simulated}"))?;

    let (front, back) = (Lifecycle::new(), Lifecycle::new());
    let mut programs = JoinSet::new();
    let delay = settings.worker.offline_token_delay_ms;
    let api = api::run(settings.api, listener, front.clone());
    programs.spawn(async move { ("api", api.await) });
    let worker = worker::run(settings.worker, back.clone());
    programs.spawn(async move { ("worker", worker.await) });

    let outcome = tokio::select! {
        outcome = serve(&services, address, &page, delay, simulator.as_ref()) => outcome,
        ended = programs.join_next() => Err(ended_by_itself(ended)),
        () = stop.next() => Ok(()),
    };
    if outcome.is_ok() {
        eprintln!("\nStopping: running replies finish first. Ctrl-C again ends at once.");
    }
    // The api ends its streams when it is to stop, so the worker comes first: a reply that runs is read to its end.
    back.stop();
    let drained = async {
        let mut outcome = outcome;
        if outcome.is_err() {
            front.stop();
        }
        while let Some(ended) = programs.join_next().await {
            front.stop();
            let (name, result) = ended.context("the api or the worker panicked")?;
            outcome = outcome.and(result.with_context(|| format!("the {name}")));
        }
        services.stop().await.and(outcome)
    };
    tokio::select! {
        outcome = drained => outcome,
        // The guard stops the servers when this process is gone.
        () = stop.next() => bail!("ended at once; replies that were running are finished after the next start"),
    }
}

/// Says where it is when it is ready, and then waits for a server to fail.
async fn serve(
    services: &Services,
    address: SocketAddr,
    page: &str,
    delay: u64,
    simulator: Option<&Simulator>,
) -> Result<()> {
    let ready = async {
        while !is_ready(address).await {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(READY_DEADLINE, ready)
        .await
        .context("the api does not become ready")?;
    welcome::ready(services, page, delay);
    if let Some(simulator) = simulator {
        welcome::phone(&simulator.base_url());
    }
    Err(services.supervise().await)
}

/// Whether the api says that it is ready; one short request, for which an HTTP library would be too much.
async fn is_ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut connection = TcpStream::connect(address).await?;
        connection
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut status = [0; "HTTP/1.1 200".len()];
        connection.read_exact(&mut status).await?;
        io::Result::Ok(&status == b"HTTP/1.1 200")
    };
    matches!(
        tokio::time::timeout(Duration::from_secs(5), ask).await,
        Ok(Ok(true))
    )
}

/// The port first: it is what is most often taken, and by ourselves.
async fn bind(address: SocketAddr, place: &Place) -> Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => match local::running(&place.dir)? {
            Some(where_) => bail!("already running here:\n{where_}"),
            None => bail!(taken(address)),
        },
        Err(error) => Err(io::Error::new(error.kind(), format!("API_BIND={address}: {error}")).into()),
    }
}

fn taken(address: SocketAddr) -> String {
    let other = SocketAddr::new(address.ip(), address.port().wrapping_add(1).max(1024));
    format!(
        "port {} is taken by another program. Choose another address: API_BIND={other} make run",
        address.port()
    )
}

/// What to open in a browser on this machine.
fn page(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() || ip.is_loopback() => format!("http://localhost:{}/", address.port()),
        IpAddr::V6(ip) => format!("http://[{ip}]:{}/", address.port()),
        IpAddr::V4(ip) => format!("http://{ip}:{}/", address.port()),
    }
}

type Ended = (&'static str, Result<()>);

fn ended_by_itself(ended: Option<Result<Ended, tokio::task::JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok((name, Err(error)))) => error.context(format!("the {name} ended")),
        Some(Ok((name, Ok(())))) => anyhow!("the {name} ended by itself"),
        Some(Err(panic)) => anyhow!(panic).context("the api or the worker panicked"),
        None => anyhow!("nothing runs"),
    }
}
