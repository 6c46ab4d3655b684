//! The words of Twilio's API.

use serde_json::Value;
use shared::whatsapp::TwilioSender;
use url::form_urlencoded;

use super::provider::Message;

/// Where messages of a sender go.
pub(super) fn messages_url(sender: &TwilioSender) -> String {
    format!(
        "{}/2010-04-01/Accounts/{}/Messages.json",
        sender.base_url, sender.account_sid
    )
}

/// A message's form. The address that Twilio tells of it has our own name of it.
pub(super) fn form(sender: &TwilioSender, message: &Message<'_>) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("From", &format!("whatsapp:{}", sender.from))
        .append_pair("To", &format!("whatsapp:{}", message.to.as_str()))
        .append_pair("Body", message.body)
        .append_pair("StatusCallback", &sender.status_callback(message.id))
        .finish()
}

/// The name of the message in an answer that accepts it.
pub(super) fn accepted(answer: &Value) -> Option<&str> {
    answer["sid"].as_str()
}

/// The code in an answer that refuses it.
pub(super) fn code(answer: &Value) -> Option<i64> {
    answer["code"].as_i64()
}
