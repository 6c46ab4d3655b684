//! The words of Meta's Cloud API.

use serde_json::{Value, json};
use shared::whatsapp::{MetaSender, Recipient, Template};

use super::provider::Message;

/// Where messages and read marks of a sender go.
pub(super) fn messages_url(sender: &MetaSender) -> String {
    let MetaSender {
        base_url,
        api_version,
        phone_number_id,
        ..
    } = sender;
    format!("{base_url}/{api_version}/{phone_number_id}/messages")
}

/// Where a medium is described.
pub(super) fn media_url(sender: &MetaSender, id: &str) -> String {
    format!("{}/{}/{id}", sender.base_url, sender.api_version)
}

/// A text, with reply buttons where it has some.
pub(super) fn text(message: &Message<'_>) -> Value {
    let mut body = addressed(message.to);
    // It comes back with each status, and tells what became of a message whose answer got lost.
    body["biz_opaque_callback_data"] = json!(message.id);
    if let Some(answers) = message.answers {
        body["context"] = json!({"message_id": answers});
    }
    if message.buttons.is_empty() {
        body["type"] = json!("text");
        body["text"] = json!({"preview_url": false, "body": message.body});
        return body;
    }
    let buttons = message.buttons.iter().enumerate();
    let buttons: Value = buttons
        .map(|(index, title)| json!({"type": "reply", "reply": {"id": index.to_string(), "title": title}}))
        .collect();
    body["type"] = json!("interactive");
    body["interactive"] =
        json!({"type": "button", "body": {"text": message.body}, "action": {"buttons": buttons}});
    body
}

/// A template. It has no name of ours: what becomes of it says nothing about the text that waits behind it.
pub(super) fn template(to: &Recipient, template: &Template) -> Value {
    let mut body = addressed(to);
    body["type"] = json!("template");
    body["template"] = json!({"name": template.name, "language": {"code": template.language}});
    body
}

/// The mark that a message was read, and that somebody writes.
pub(super) fn read_and_typing(message_id: &str) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": message_id,
        "typing_indicator": {"type": "text"},
    })
}

fn addressed(to: &Recipient) -> Value {
    let mut body = json!({"messaging_product": "whatsapp", "recipient_type": "individual"});
    match to {
        Recipient::Phone(phone) => body["to"] = json!(phone.trim_start_matches('+')),
        Recipient::UserId(id) => body["recipient"] = json!(id),
    }
    body
}

/// The name of the message in an answer that accepts it.
pub(super) fn accepted(answer: &Value) -> Option<&str> {
    answer["messages"][0]["id"].as_str()
}

/// The code in an answer that refuses it.
pub(super) fn code(answer: &Value) -> Option<i64> {
    answer["error"]["code"].as_i64()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn message<'m>(to: &'m Recipient, answers: Option<&'m str>, buttons: &'m [String]) -> Message<'m> {
        Message {
            id: Uuid::from_u128(7),
            to,
            body: "Hi",
            buttons,
            answers,
        }
    }

    #[test]
    fn a_message_is_written_as_meta_documents_it() {
        let (phone, user) = (
            Recipient::Phone("+1650".into()),
            Recipient::UserId("IN.2081".into()),
        );
        assert_eq!(
            text(&message(&phone, Some("wamid.in"), &[])),
            json!({
                "messaging_product": "whatsapp", "recipient_type": "individual", "to": "1650", "type": "text",
                "context": {"message_id": "wamid.in"},
                "biz_opaque_callback_data": "00000000-0000-0000-0000-000000000007",
                "text": {"preview_url": false, "body": "Hi"},
            })
        );
        assert_eq!(
            text(&message(&user, None, &["Yes".into()])),
            json!({
                "messaging_product": "whatsapp", "recipient_type": "individual", "recipient": "IN.2081",
                "type": "interactive", "biz_opaque_callback_data": "00000000-0000-0000-0000-000000000007",
                "interactive": {"type": "button", "body": {"text": "Hi"}, "action": {"buttons": [
                    {"type": "reply", "reply": {"id": "0", "title": "Yes"}},
                ]}},
            })
        );
    }
}
