//! Twilio as a server, and what a test does with it.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::account::TwilioAccount;
use super::message::{Message, sid};
use super::{api, error};
use crate::whatsapp::courier::{Patience, Webhook};
use crate::whatsapp::disorder::Disorder;
use crate::whatsapp::line::{Address, Line, Provider};
use crate::whatsapp::record::Accepted;
use crate::whatsapp::serve::Server;
use crate::whatsapp::signature;
use crate::whatsapp::statuses::State;

/// How many messages are kept for those who check.
const MOST: usize = 100_000;

/// Twilio, wherever it listens.
#[derive(Debug)]
pub struct Twilio {
    account: TwilioAccount,
    line: Line,
    base: OnceLock<String>,
}

impl Twilio {
    /// One that keeps the newest `most` of what it receives.
    pub fn new(account: TwilioAccount, most: usize) -> Arc<Self> {
        let line = Line::new(most);
        line.courier.set_patience(Patience::TWILIO);
        Arc::new(Self {
            account,
            line,
            base: OnceLock::new(),
        })
    }

    /// Where it listens, for the addresses of media.
    pub(crate) fn listens_at(&self, base: String) {
        let _ = self.base.set(base);
    }

    /// The clinic's sender and its secret.
    pub fn account(&self) -> &TwilioAccount {
        &self.account
    }

    /// Faults, records, webhooks.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// The signed webhook of a message.
    pub fn webhook(&self, message: &Message) -> Webhook {
        let phone = message.customer.address();
        let mut fields: Vec<(String, String)> = [
            ("AccountSid", self.account.account_sid.as_str()),
            ("ApiVersion", "2010-04-01"),
            ("From", &format!("whatsapp:+{phone}")),
            ("MessageSid", &message.id),
            ("NumMedia", &message.media.len().to_string()),
            ("NumSegments", "1"),
            ("ProfileName", &message.customer.name),
            ("SmsMessageSid", &message.id),
            ("SmsSid", &message.id),
            ("SmsStatus", "received"),
            ("To", &format!("whatsapp:{}", self.account.from)),
            ("WaId", phone),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (index, file) in message.media.iter().enumerate() {
            let base = self.base.get().map_or("", String::as_str);
            let account = &self.account.account_sid;
            let url = format!(
                "{base}/2010-04-01/Accounts/{account}/Messages/{}/Media/ME{}",
                message.id, file.id
            );
            fields.push((format!("MediaUrl{index}"), url));
            fields.push((format!("MediaContentType{index}"), file.mime_type.clone()));
        }
        fields.extend(message.fields.iter().cloned());
        self.signed(&self.line.webhook(), &fields)
    }

    /// A signed webhook with any fields.
    fn signed(&self, address: &Address, fields: &[(String, String)]) -> Webhook {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let signature = signature::twilio(&self.account.auth_token, &address.signed, fields);
        Webhook {
            url: address.url.clone(),
            headers: vec![
                (header::CONTENT_TYPE.as_str(), kind.to_owned()),
                ("x-twilio-signature", signature),
            ],
            body: body.into(),
        }
    }

    /// Sends a message in the background until it is taken, and returns its id. Two of them can come in any order.
    pub fn send(&self, message: &Message) -> String {
        self.line.courier.post(self.webhook(message));
        message.id.clone()
    }

    /// Sends a message until it is taken; `false` where patience ended first.
    pub async fn deliver(&self, message: &Message) -> bool {
        self.line.courier.deliver(&self.webhook(message)).await
    }

    /// Sends messages in the background, repeated and shuffled, up to 256 at once. Twilio knows no batches.
    pub fn send_disordered(&self, messages: impl IntoIterator<Item = Message>, disorder: &Disorder) {
        for message in disorder.arrange(messages).concat() {
            self.send(&message);
        }
    }

    /// An answer of the API with a message in it.
    pub(super) fn resource(&self, accepted: &Accepted, status: &str) -> Value {
        let account = &self.account.account_sid;
        json!({
            "account_sid": account,
            "api_version": "2010-04-01",
            "body": accepted.text,
            "date_created": accepted.at.format(&Rfc2822).unwrap_or_default(),
            "date_sent": null,
            "date_updated": accepted.at.format(&Rfc2822).unwrap_or_default(),
            "direction": "outbound-api",
            "error_code": null,
            "error_message": null,
            "from": format!("whatsapp:{}", self.account.from),
            "messaging_service_sid": null,
            "num_media": "0",
            "num_segments": "1",
            "price": null,
            "price_unit": null,
            "sid": accepted.id,
            "status": status,
            "subresource_uris": {
                "media": format!("/2010-04-01/Accounts/{account}/Messages/{}/Media.json", accepted.id),
            },
            "to": format!("whatsapp:+{}", accepted.to),
            "uri": format!("/2010-04-01/Accounts/{account}/Messages/{}.json", accepted.id),
        })
    }
}

impl Provider for Twilio {
    fn line(&self) -> &Line {
        &self.line
    }

    fn status(
        &self,
        accepted: &Accepted,
        state: State,
        code: Option<i64>,
        _at: OffsetDateTime,
    ) -> Option<Webhook> {
        let callback = accepted.body["StatusCallback"].as_str()?;
        // WhatsApp's refusals are `undelivered` or `failed`, without a rule to tell which.
        let name = if code.is_some_and(|code| code % 2 == 0) {
            "undelivered"
        } else {
            state.name()
        };
        let mut fields: Vec<(String, String)> = [
            ("AccountSid", self.account.account_sid.as_str()),
            ("ApiVersion", "2010-04-01"),
            ("ChannelInstallSid", &sid("XE")),
            ("ChannelPrefix", "whatsapp"),
            ("ChannelToAddress", &format!("whatsapp:+{}", accepted.to)),
            ("From", &format!("whatsapp:{}", self.account.from)),
            ("MessageSid", &accepted.id),
            ("MessageStatus", name),
            ("SmsSid", &accepted.id),
            ("SmsStatus", name),
            ("To", &format!("whatsapp:+{}", accepted.to)),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if let Some(code) = code {
            fields.push(("ErrorCode".to_owned(), code.to_string()));
        }
        if state == State::Read {
            fields.push(("EventType".to_owned(), "READ".to_owned()));
        }
        let address = Address {
            url: callback.to_owned(),
            signed: callback.to_owned(),
        };
        Some(self.signed(&self.line.past_the_proxy(address), &fields))
    }

    fn refusal(&self, code: i64) -> Response {
        error::refusal(code)
    }

    fn confirmation(&self, accepted: &Accepted) -> Response {
        let resource = self.resource(accepted, "queued");
        (StatusCode::CREATED, axum::Json(resource)).into_response()
    }
}

/// A running Twilio; it ends with the value.
#[derive(Debug)]
pub struct FakeTwilio {
    twilio: Arc<Twilio>,
    server: Server,
}

impl FakeTwilio {
    /// Starts one on a free port of this machine.
    ///
    /// # Errors
    /// There is none.
    pub async fn start(account: TwilioAccount) -> io::Result<Self> {
        Self::start_on(([127, 0, 0, 1], 0).into(), account).await
    }

    /// Starts one at `address`.
    ///
    /// # Errors
    /// It is taken.
    pub async fn start_on(address: SocketAddr, account: TwilioAccount) -> io::Result<Self> {
        let twilio = Twilio::new(account, MOST);
        let server = Server::start(address, api::router(Arc::clone(&twilio))).await?;
        twilio.listens_at(server.url());
        Ok(Self { twilio, server })
    }

    /// What `TWILIO_BASE_URL` is to be.
    pub fn base_url(&self) -> String {
        self.server.url()
    }
}

impl Deref for FakeTwilio {
    type Target = Twilio;

    fn deref(&self) -> &Twilio {
        &self.twilio
    }
}

impl Drop for FakeTwilio {
    fn drop(&mut self) {
        self.twilio.line.courier.close();
    }
}
