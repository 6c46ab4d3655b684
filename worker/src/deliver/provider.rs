//! The HTTP client of both providers: what it may cost in time and memory, and what is known after each way in which it can fail.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, redirect};
use serde_json::Value;
use shared::db::delivery::Verdict;
use shared::whatsapp::{Address, MetaSender, Provider, Recipient, Sender, SenderKey, Senders};
use tokio::time::timeout;
use uuid::Uuid;

use super::errors::classify;
use super::outcome::{Outcome, Refusal};
use super::{meta, twilio};

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// For a whole call. Shorter than the time after which a part is sent again.
pub const DEADLINE: Duration = Duration::from_secs(15);
/// For a call that nobody waits for.
const TYPING_DEADLINE: Duration = Duration::from_secs(5);
/// The largest answer that is read.
const MAX_ANSWER: usize = 64 << 10;
/// A wait that a provider asks for counts up to this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

/// The providers, with our numbers there.
#[derive(Debug)]
pub struct Providers {
    http: reqwest::Client,
    senders: Senders,
    deadline: Duration,
}

/// A message to be sent.
#[derive(Clone, Copy)]
pub(super) struct Message<'m> {
    /// Our own name of it.
    pub(super) id: Uuid,
    pub(super) to: &'m Recipient,
    pub(super) body: &'m str,
    pub(super) buttons: &'m [String],
    /// The provider's name of the message that it answers.
    pub(super) answers: Option<&'m str>,
}

/// The names of those that have a template.
pub(super) fn with_template(senders: &Senders) -> Vec<String> {
    let has_one =
        |key: &SenderKey| matches!(senders.sender(key), Some(Sender::Meta(meta)) if meta.template.is_some());
    senders
        .keys()
        .filter(has_one)
        .map(|key| key.to_string())
        .collect()
}

impl Providers {
    /// A client for these senders, whose calls may take so long.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new(senders: Senders, deadline: Duration) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            // Meta gives what visitors sent to nobody who does not say what program asks.
            .user_agent(crate::USER_AGENT)
            .connect_timeout(CONNECT_DEADLINE)
            // A redirect would carry the token to where nobody has sent it.
            .redirect(redirect::Policy::none())
            .referer(false)
            .build()
            .context("the client for WhatsApp's providers")?;
        Ok(Self {
            http,
            senders,
            deadline,
        })
    }

    /// Our numbers.
    pub fn senders(&self) -> &Senders {
        &self.senders
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends a message.
    pub(super) async fn send(&self, from: &SenderKey, message: Message<'_>) -> Outcome {
        let request = match self.senders.sender(from) {
            Some(Sender::Meta(sender)) => self
                .http
                .post(meta::messages_url(sender))
                .bearer_auth(sender.access_token.expose())
                .json(&meta::text(&message)),
            Some(Sender::Twilio(sender)) => self
                .http
                .post(twilio::messages_url(sender))
                .basic_auth(&sender.account_sid, Some(sender.auth_token.expose()))
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(twilio::form(sender, &message)),
            None => return unsendable("unknown_sender"),
        };
        self.call(from.provider, request).await
    }

    /// Sends the sender's template.
    pub(super) async fn send_template(&self, from: &SenderKey, to: &Recipient) -> Outcome {
        let Some(Sender::Meta(sender)) = self.senders.sender(from) else {
            return unsendable("no_template");
        };
        let Some(template) = &sender.template else {
            return unsendable("no_template");
        };
        let request = self
            .http
            .post(meta::messages_url(sender))
            .bearer_auth(sender.access_token.expose())
            .json(&meta::template(to, template));
        self.call(from.provider, request).await
    }

    /// Makes a call that sends something. Only what failed before there was a connection is sure not to have been sent.
    async fn call(&self, provider: Provider, request: RequestBuilder) -> Outcome {
        let answered = async {
            let response = request.send().await.map_err(|error| match error {
                error if error.is_builder() => unsendable("unsendable"),
                error if error.is_connect() => Outcome::NotSent {
                    code: "unreachable",
                    verdict: Verdict::BackOff,
                },
                error if error.is_timeout() => Outcome::Unknown { code: "timeout" },
                _ => Outcome::Unknown { code: "broken" },
            })?;
            let (status, retry_after) = (response.status(), retry_after(&response));
            let body = match body(response).await {
                Some(body) => body,
                // The status alone says that it was refused.
                None if !status.is_success() => Value::Null,
                None => return Err(Outcome::Unknown { code: "broken" }),
            };
            Ok((status.as_u16(), retry_after, body))
        };
        match timeout(self.deadline, answered).await {
            Ok(Ok((status, retry_after, body))) => read(provider, status, retry_after, &body),
            Ok(Err(outcome)) => outcome,
            Err(_) => Outcome::Unknown { code: "timeout" },
        }
    }

    /// The sender at Meta that an address belongs to.
    pub(super) fn meta(&self, address: &Address) -> Option<&MetaSender> {
        match self.senders.sender(&address.sender_key()) {
            Some(Sender::Meta(sender)) => Some(sender),
            _ => None,
        }
    }

    /// Marks a message as read and shows that somebody writes, for up to 25 s; false where that went wrong.
    pub(super) async fn show_typing(&self, sender: &MetaSender, message_id: &str) -> bool {
        let shown = self
            .http
            .post(meta::messages_url(sender))
            .bearer_auth(sender.access_token.expose())
            .json(&meta::read_and_typing(message_id))
            .timeout(TYPING_DEADLINE)
            .send();
        shown.await.is_ok_and(|response| response.status().is_success())
    }
}

fn unsendable(code: &'static str) -> Outcome {
    Outcome::NotSent {
        code,
        verdict: Verdict::Final,
    }
}

/// What an answer says.
fn read(provider: Provider, status: u16, retry_after: Option<Duration>, body: &Value) -> Outcome {
    let (accepted, code) = match provider {
        Provider::Meta => (meta::accepted(body), meta::code(body)),
        Provider::Twilio => (twilio::accepted(body), twilio::code(body)),
    };
    if (200..300).contains(&status) {
        return match accepted {
            Some(name) if !name.is_empty() && !name.contains('\0') => Outcome::Accepted(name.to_owned()),
            _ => Outcome::Unknown { code: "unreadable" },
        };
    }
    Outcome::Refused(Refusal {
        verdict: classify(provider, Some(status), code),
        code: code.map_or_else(|| format!("http_{status}"), |code| code.to_string()),
        retry_after,
    })
}

/// An answer's JSON; `None` where it broke off, is none, or is too long.
async fn body(response: Response) -> Option<Value> {
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        body.extend_from_slice(&chunk.ok()?);
        if body.len() > MAX_ANSWER {
            return None;
        }
    }
    serde_json::from_slice(&body).ok()
}

/// `Retry-After` in seconds (RFC 9110, 10.2.3); both providers write it so.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = Duration::from_secs(value.trim().parse().ok()?);
    Some(seconds.min(MAX_RETRY_AFTER))
}

/// So many permits for each sender.
pub(super) fn slots<T>(senders: &Senders, slot: impl Fn() -> T) -> HashMap<SenderKey, T> {
    senders.keys().map(|key| (key, slot())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_accepted_refused_or_unknown_and_never_in_between() {
        let meta = |status, body| read(Provider::Meta, status, None, &body);
        assert_eq!(
            meta(200, json!({"messages": [{"id": "wamid.1"}]})),
            Outcome::Accepted("wamid.1".into())
        );
        for unreadable in [
            json!({}),
            json!({"messages": []}),
            json!({"messages": [{"id": ""}]}),
            Value::Null,
        ] {
            assert_eq!(meta(200, unreadable), Outcome::Unknown { code: "unreadable" });
        }
        let refused = |code: &str, verdict| {
            Outcome::Refused(Refusal {
                verdict,
                code: code.into(),
                retry_after: None,
            })
        };
        assert_eq!(
            meta(400, json!({"error": {"code": 131_047, "message": "private"}})),
            refused("131047", Verdict::WindowClosed)
        );
        assert_eq!(meta(502, Value::Null), refused("http_502", Verdict::BackOff));
        let twilio = |status, body| read(Provider::Twilio, status, None, &body);
        assert_eq!(
            twilio(201, json!({"sid": "SM1"})),
            Outcome::Accepted("SM1".into())
        );
        assert_eq!(
            twilio(400, json!({"code": 21_617})),
            refused("21617", Verdict::Final)
        );
    }
}
