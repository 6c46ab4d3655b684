//! How Meta tells a clinic: one body with entries, changes, and in them messages and statuses.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::account::MetaAccount;
use super::error;
use super::message::Message;
use crate::whatsapp::record::Accepted;
use crate::whatsapp::statuses::State;

/// One thing that Meta tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A message.
    Message(Message),
    /// The object of a status.
    Status(Value),
}

impl From<Message> for Item {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

/// The status of a message that Meta has accepted.
pub fn status(accepted: &Accepted, state: State, code: Option<i64>, at: OffsetDateTime) -> Value {
    let mut status = json!({
        "id": accepted.id,
        "status": state.name(),
        "timestamp": at.unix_timestamp().to_string(),
    });
    let by_number = accepted.to.bytes().all(|byte| byte.is_ascii_digit());
    let recipient = if by_number {
        "recipient_id"
    } else {
        "recipient_user_id"
    };
    status[recipient] = json!(accepted.to);
    if let Some(our_id) = &accepted.our_id {
        status["biz_opaque_callback_data"] = json!(our_id);
    }
    if state == State::Sent || state == State::Delivered {
        status["pricing"] = json!({"billable": false, "pricing_model": "PMP", "category": "service"});
    }
    if let Some(code) = code {
        let (title, details) = error::words(code);
        status["errors"] = json!([{
            "code": code, "title": title, "message": title, "error_data": {"details": details},
            "href": "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes/",
        }]);
    }
    status
}

/// The body of one webhook. Many items are spread over several entries and changes: at most three of a kind in a change,
/// two changes in an entry.
pub fn body(account: &MetaAccount, items: &[Item]) -> Value {
    let changes: Vec<_> = items
        .chunk_by(|a, b| field(a) == field(b))
        .flat_map(|alike| alike.chunks(3))
        .map(|items| json!({"field": field(&items[0]), "value": value(account, items)}))
        .collect();
    let entries: Vec<_> = changes
        .chunks(2)
        .map(|changes| json!({"id": account.business_id, "changes": changes}))
        .collect();
    json!({"object": "whatsapp_business_account", "entry": entries})
}

fn field(item: &Item) -> &'static str {
    match item {
        Item::Message(message) if message.echo => "smb_message_echoes",
        Item::Message(_) | Item::Status(_) => "messages",
    }
}

fn value(account: &MetaAccount, items: &[Item]) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {
            "display_phone_number": account.display_phone_number,
            "phone_number_id": account.phone_number_id,
        },
    });
    let (mut contacts, mut messages, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Status(status) => statuses.push(status.clone()),
            Item::Message(message) => {
                let customer = &message.customer;
                let mut contact = json!({"profile": {"name": customer.name}});
                if let Some(phone) = &customer.phone {
                    contact["wa_id"] = json!(phone);
                }
                if let Some(user_id) = &customer.user_id {
                    contact["user_id"] = json!(user_id);
                }
                if !message.echo && !contacts.contains(&contact) {
                    contacts.push(contact);
                }
                messages.push(message.json.clone());
            }
        }
    }
    let echoes = field(&items[0]) == "smb_message_echoes";
    let name = if echoes { "message_echoes" } else { "messages" };
    for (name, list) in [("contacts", contacts), (name, messages), ("statuses", statuses)] {
        if !list.is_empty() {
            value[name] = json!(list);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whatsapp::Customer;

    #[test]
    fn a_message_comes_as_in_the_sample() {
        let sample = json!({"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{
            "field":"messages","value":{"messaging_product":"whatsapp",
            "metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},
            "contacts":[{"profile":{"name":"Sheena Nelson"},"wa_id":"16505551234"}],
            "messages":[{"from":"16505551234","id":"wamid.x","timestamp":"1749416383","type":"text",
                "text":{"body":"Do you have a date in May?"}}]}}]}]});
        let customer = Customer::with_phone("16505551234");
        let time = OffsetDateTime::from_unix_timestamp(1_749_416_383).unwrap();
        let message = Message::text(&customer, "Do you have a date in May?")
            .with_id("wamid.x")
            .at(time);
        assert_eq!(body(&MetaAccount::sample(), &[message.into()]), sample);
    }

    #[test]
    fn many_messages_and_statuses_are_spread_over_entries_and_changes() {
        let customer = Customer::with_user_id("IN.2081978709341936");
        let mut items: Vec<Item> = (0..8).map(|_| Message::text(&customer, "Hi").into()).collect();
        items.insert(4, Item::Status(json!({"id": "wamid.y", "status": "read"})));
        items.push(Message::echo(&customer, "15550783881", "Me").into());
        let body = body(&MetaAccount::sample(), &items);
        let entries = body["entry"].as_array().unwrap();
        let changes: Vec<&Value> = entries
            .iter()
            .flat_map(|entry| entry["changes"].as_array().unwrap())
            .collect();
        let count = |name: &str| -> usize {
            changes
                .iter()
                .filter_map(|change| change["value"][name].as_array())
                .map(Vec::len)
                .sum()
        };
        assert_eq!((entries.len(), changes.len()), (2, 4));
        assert_eq!(
            (count("messages"), count("statuses"), count("message_echoes")),
            (8, 1, 1)
        );
        let first = &changes[0]["value"];
        assert_eq!(first["contacts"][0]["user_id"], "IN.2081978709341936");
        assert_eq!(first["messages"][0]["from_user_id"], "IN.2081978709341936");
        assert!(first["messages"][0].get("from").is_none());
    }
}
