//! Meta as a server, and what a test does with it.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::http::header;
use serde_json::json;
use time::OffsetDateTime;

use super::account::MetaAccount;
use super::message::Message;
use super::notice::{self, Item};
use super::pace::{Pace, PairRate};
use super::{api, error};
use crate::whatsapp::courier::Webhook;
use crate::whatsapp::disorder::Disorder;
use crate::whatsapp::line::{Line, Provider};
use crate::whatsapp::record::Accepted;
use crate::whatsapp::serve::Server;
use crate::whatsapp::signature;
use crate::whatsapp::statuses::State;

/// How many messages are kept for those who check.
const MOST: usize = 100_000;

/// Meta, wherever it listens.
#[derive(Debug)]
pub struct Meta {
    account: MetaAccount,
    line: Line,
    pub(super) pace: Pace,
}

impl Meta {
    /// One that keeps the newest `most` of what it receives.
    pub fn new(account: MetaAccount, most: usize) -> Arc<Self> {
        Arc::new(Self {
            account,
            line: Line::new(most),
            pace: Pace::default(),
        })
    }

    /// The clinic's number and its secrets.
    pub fn account(&self) -> &MetaAccount {
        &self.account
    }

    /// Faults, records, webhooks.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// Refuses with 131056 from now on what is faster than this; nothing is refused unless it is set.
    pub fn set_pair_rate(&self, rate: Option<PairRate>) {
        self.pace.set(rate);
    }

    /// One signed webhook with all of `items`. Change its body to break the signature.
    pub fn webhook(&self, items: &[Item]) -> Webhook {
        self.signed(notice::body(&self.account, items).to_string())
    }

    /// A signed webhook with any body.
    pub fn signed(&self, body: impl Into<String>) -> Webhook {
        let body = body.into();
        Webhook {
            url: self.line.webhook().url,
            headers: vec![
                (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
                (
                    "x-hub-signature-256",
                    signature::meta(&self.account.app_secret, body.as_bytes()),
                ),
            ],
            body: body.into(),
        }
    }

    /// Sends a message in the background until it is taken, and returns its id. Two of them can come in any order.
    pub fn send(&self, message: Message) -> String {
        let id = message.id().to_owned();
        self.line.courier.post(self.webhook(&[message.into()]));
        id
    }

    /// Sends messages in one webhook until it is taken; `false` where patience ended first.
    pub async fn deliver(&self, messages: impl IntoIterator<Item = Message>) -> bool {
        let items: Vec<_> = messages.into_iter().map(Item::Message).collect();
        self.line.courier.deliver(&self.webhook(&items)).await
    }

    /// Sends messages and statuses in the background, batched, repeated and shuffled, up to 256 webhooks at once. Wait for
    /// [`Courier::idle`](crate::whatsapp::Courier::idle).
    pub fn send_disordered(&self, items: impl IntoIterator<Item = Item>, disorder: &Disorder) {
        for batch in disorder.arrange(items) {
            self.line.courier.post(self.webhook(&batch));
        }
    }

    /// The address of the handshake by which a clinic's webhook is registered; the right answer is `challenge`.
    pub fn handshake(&self, challenge: &str) -> String {
        let url = self.line.webhook().url;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.challenge", challenge)
            .append_pair("hub.verify_token", &self.account.verify_token)
            .finish();
        format!("{url}?{query}")
    }
}

impl Provider for Meta {
    fn line(&self) -> &Line {
        &self.line
    }

    fn status(
        &self,
        accepted: &Accepted,
        state: State,
        code: Option<i64>,
        at: OffsetDateTime,
    ) -> Option<Webhook> {
        let webhook = self.webhook(&[Item::Status(notice::status(accepted, state, code, at))]);
        (!webhook.url.is_empty()).then_some(webhook)
    }

    fn refusal(&self, code: i64) -> axum::response::Response {
        error::refusal(code)
    }

    fn confirmation(&self, accepted: &Accepted) -> axum::response::Response {
        use axum::response::IntoResponse;

        let by_number = accepted.to.bytes().all(|byte| byte.is_ascii_digit());
        let name = if by_number { "wa_id" } else { "user_id" };
        axum::Json(json!({
            "messaging_product": "whatsapp",
            "contacts": [{"input": accepted.to, name: accepted.to}],
            "messages": [{"id": accepted.id}],
        }))
        .into_response()
    }
}

/// A running Meta; it ends with the value.
#[derive(Debug)]
pub struct FakeMeta {
    meta: Arc<Meta>,
    server: Server,
}

impl FakeMeta {
    /// Starts one on a free port of this machine.
    ///
    /// # Errors
    /// There is none.
    pub async fn start(account: MetaAccount) -> io::Result<Self> {
        Self::start_on(([127, 0, 0, 1], 0).into(), account).await
    }

    /// Starts one at `address`.
    ///
    /// # Errors
    /// It is taken.
    pub async fn start_on(address: SocketAddr, account: MetaAccount) -> io::Result<Self> {
        let meta = Meta::new(account, MOST);
        let server = Server::start(address, api::router(Arc::clone(&meta))).await?;
        Ok(Self { meta, server })
    }

    /// What `META_BASE_URL` is to be.
    pub fn base_url(&self) -> String {
        self.server.url()
    }
}

impl Deref for FakeMeta {
    type Target = Meta;

    fn deref(&self) -> &Meta {
        &self.meta
    }
}

impl Drop for FakeMeta {
    fn drop(&mut self) {
        self.meta.line.courier.close();
    }
}
