//! Both providers and the phone on one port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::control;
use super::courier::Patience;
use super::line::Line;
use super::meta::{self, Meta, MetaAccount, PairRate};
use super::phone::page::{self, Phones};
use super::serve::Server;
use super::statuses::{State, Statuses};
use super::twilio::{self, Twilio, TwilioAccount};

/// How many messages are kept to look at.
const MOST: usize = 1_000;

/// A running simulator; it ends with the value.
#[derive(Debug)]
pub struct Simulator {
    phones: Phones,
    server: Server,
}

impl Simulator {
    /// Starts one at `address`. It tells of each message that it was sent, delivered and read, with small pauses, and keeps Meta's
    /// pair rate.
    ///
    /// # Errors
    /// The address is taken.
    pub async fn start(address: SocketAddr, meta: MetaAccount, twilio: TwilioAccount) -> io::Result<Self> {
        let phones = Phones {
            meta: Meta::new(meta, MOST),
            twilio: Twilio::new(twilio, MOST),
        };
        let router = page::router(phones.clone())
            .merge(control::router(phones.clone()))
            .merge(meta::api::router(Arc::clone(&phones.meta)))
            .merge(twilio::api::router(Arc::clone(&phones.twilio)));
        let server = Server::start(address, router).await?;
        phones.twilio.listens_at(server.url());
        phones.meta.line().courier.set_patience(Patience {
            longest: std::time::Duration::from_secs(30),
            ..Patience::default()
        });
        for line in phones.lines() {
            line.set_statuses(Statuses {
                states: vec![State::Sent, State::Delivered, State::Read],
                after_ms: 150,
                every_ms: 600,
                ..Statuses::default()
            });
        }
        phones.meta.set_pair_rate(Some(PairRate::default()));
        Ok(Self { phones, server })
    }

    /// Where webhooks go: `api` is the api's address on this machine, `public` the one that it has as `PUBLIC_URL`, both
    /// without a slash at the end.
    pub fn webhooks_to(&self, api: &str, public: &str) {
        for (line, path) in self.phones.lines().into_iter().zip(["whatsapp", "twilio"]) {
            line.webhook_through(
                &format!("{api}/webhooks/{path}"),
                &format!("{public}/webhooks/{path}"),
            );
        }
    }

    /// What `META_BASE_URL` and `TWILIO_BASE_URL` are to be, and where the phone is.
    pub fn base_url(&self) -> String {
        self.server.url()
    }

    /// The settings with which an api and its workers know this simulator: names of environment variables, and values.
    pub fn settings(&self) -> [(&'static str, String); 9] {
        let (meta, twilio) = (self.phones.meta.account(), self.phones.twilio.account());
        [
            ("META_BASE_URL", self.base_url()),
            ("META_PHONE_NUMBER_ID", meta.phone_number_id.clone()),
            ("META_APP_SECRET", meta.app_secret.clone()),
            ("META_VERIFY_TOKEN", meta.verify_token.clone()),
            ("META_ACCESS_TOKEN", meta.access_token.clone()),
            ("TWILIO_BASE_URL", self.base_url()),
            ("TWILIO_ACCOUNT_SID", twilio.account_sid.clone()),
            ("TWILIO_AUTH_TOKEN", twilio.auth_token.clone()),
            ("TWILIO_FROM", twilio.from.clone()),
        ]
    }

    /// Meta.
    pub fn meta(&self) -> &Meta {
        &self.phones.meta
    }

    /// Twilio.
    pub fn twilio(&self) -> &Twilio {
        &self.phones.twilio
    }

    /// Waits until it ends.
    pub async fn ended(&mut self) {
        self.server.ended().await;
    }
}

impl Phones {
    /// What belongs to both.
    fn lines(&self) -> [&Line; 2] {
        [self.meta.line(), self.twilio.line()]
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for line in self.phones.lines() {
            line.courier.close();
        }
    }
}
