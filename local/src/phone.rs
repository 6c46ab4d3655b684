//! WhatsApp without an account: the simulator that `run` starts where it is asked to.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result, bail};
use bench::whatsapp::{MetaAccount, Simulator, TwilioAccount};

use crate::cli::{Phone, WhatsApp};
use crate::settings::Settings;

/// Starts it, and puts its address and new secrets into the settings, whatever they said of one number; those of
/// `WHATSAPP_CONFIG` stay. `None` where nobody asked for it.
///
/// # Errors
/// Its port is taken.
pub async fn start(
    phone: &Phone,
    api: SocketAddr,
    page: &str,
    settings: &mut Settings,
) -> Result<Option<Simulator>> {
    let Some(WhatsApp::Sim) = phone.whatsapp else {
        return Ok(None);
    };
    let bind = phone.whatsapp_sim_bind;
    let simulator = match Simulator::start(bind, MetaAccount::random(), TwilioAccount::random()).await {
        Ok(simulator) => simulator,
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "port {} is taken by another program. Choose another address of the phone: WHATSAPP_SIM_BIND={}",
            bind.port(),
            SocketAddr::new(bind.ip(), bind.port().wrapping_add(1).max(1024)),
        ),
        Err(error) => return Err(error).with_context(|| format!("WHATSAPP_SIM_BIND={bind}")),
    };
    let public = settings.use_simulator(&simulator, page.trim_end_matches('/'));
    simulator.webhooks_to(&format!("http://{}", reachable(api)), &public);
    Ok(Some(simulator))
}

/// What another worker needs to know of it, a line `NAME=value` each.
pub fn lines(simulator: &Simulator, settings: &Settings) -> String {
    let public = settings.api.common.public_url.clone().unwrap_or_default();
    let all = simulator.settings().into_iter().chain([("PUBLIC_URL", public)]);
    all.map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// Where this machine reaches what listens there.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_programs_get_two_complete_numbers() {
        let phone = Phone {
            whatsapp: Some(WhatsApp::Sim),
            whatsapp_sim_bind: ([127, 0, 0, 1], 0).into(),
        };
        let mut settings = Settings::from_environment();
        let api = ([0, 0, 0, 0], 8_000).into();
        let page = "http://localhost:8000/";
        let simulator = start(&phone, api, page, &mut settings).await.unwrap().unwrap();
        for common in [&settings.api.common, &settings.worker.common] {
            let senders = common.senders().unwrap();
            assert_eq!((senders.meta.len(), senders.twilio.len()), (1, 1));
            assert_eq!(senders.meta[0].base_url, simulator.base_url());
            assert_eq!(senders.twilio[0].public_url, "http://localhost:8000");
        }
        assert!(lines(&simulator, &settings).contains("PUBLIC_URL=http://localhost:8000\n"));
        assert!(
            simulator
                .meta()
                .handshake("x")
                .starts_with("http://127.0.0.1:8000/webhooks/whatsapp?")
        );
    }
}
