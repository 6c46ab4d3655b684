//! What Meta sends: every entry, every change of it, every message and every status.

use bytes::Bytes;
use serde_json::Value;
use shared::ids::SessionKey;
use shared::whatsapp::{Address, Change, DeliveryState, MetaSender, Provider, Recipient, Status};
use time::OffsetDateTime;
use uuid::Uuid;

use super::meta_content::{content, is_silent, unreadable};
use super::{Said, envelope, surrogates, text};
use crate::webhooks::contents::{Contents, Dead, Reason};

/// What a person wrote who answers from the clinic's own phone, and what such a phone had before: never for us.
const NOT_FOR_US: [&str; 4] = [
    "smb_message_echoes",
    "message_echoes",
    "smb_app_state_sync",
    "history",
];

/// Reads a body whose signature is right, for the numbers of the app that signed it.
pub fn read(body: &Bytes, senders: &[&MetaSender], now: OffsetDateTime) -> Contents {
    let mended = || serde_json::from_slice(&surrogates::replaced(body)?).ok();
    let Some(whole) = serde_json::from_slice::<Value>(body).ok().or_else(mended) else {
        return Contents::dead(Reason::Unparseable, body.clone());
    };
    let is_whatsapp = whole["object"] == "whatsapp_business_account";
    let (true, Some(entries)) = (is_whatsapp, whole["entry"].as_array()) else {
        return Contents::dead(Reason::UnknownShape, body.clone());
    };
    let mut walk = Walk {
        senders,
        now,
        contents: Contents::default(),
    };
    for entry in entries {
        match entry["changes"].as_array() {
            Some(changes) => changes.iter().for_each(|change| walk.change(change)),
            None => walk.bury(Reason::UnknownShape, None, entry),
        }
    }
    let mut contents = walk.contents;
    // A batch has no order; what Meta knows of one is the second.
    contents
        .messages
        .sort_by_key(|message| message.whatsapp.as_ref().map(|whatsapp| whatsapp.sent_at));
    contents
}

struct Walk<'s> {
    senders: &'s [&'s MetaSender],
    now: OffsetDateTime,
    contents: Contents,
}

impl Walk<'_> {
    fn bury(&mut self, reason: Reason, session: Option<SessionKey>, part: &Value) {
        self.contents.dead.push(Dead {
            session,
            ..Dead::new(reason, part.to_string())
        });
    }

    fn change(&mut self, change: &Value) {
        let (field, value) = (change["field"].as_str().unwrap_or_default(), &change["value"]);
        if NOT_FOR_US.contains(&field) {
            self.contents.ignored += 1;
            return;
        }
        let list = |name: &str| match &value[name] {
            Value::Null => Some(&[][..]),
            list => list.as_array().map(Vec::as_slice),
        };
        let (Some(messages), Some(statuses), Some(errors)) =
            (list("messages"), list("statuses"), list("errors"))
        else {
            return self.bury(Reason::UnknownShape, None, change);
        };
        if field != "messages" || (messages.is_empty() && statuses.is_empty() && errors.is_empty()) {
            return self.bury(Reason::UnknownShape, None, change);
        }
        let number = value["metadata"]["phone_number_id"].as_str().unwrap_or_default();
        let ours = self
            .senders
            .iter()
            .find(|sender| sender.phone_number_id == number);
        let Some(sender) = ours.copied() else {
            if messages.is_empty() {
                self.contents.ignored += statuses.len() + errors.len();
                return;
            }
            return self.bury(Reason::NotOurNumber, None, change);
        };
        let complaints = errors.iter().filter_map(|error| error["code"].as_i64());
        self.contents.complaints.extend(complaints);
        for message in messages {
            self.message(sender, value, message);
        }
        for status in statuses {
            self.status(status);
        }
    }

    fn message(&mut self, sender: &MetaSender, value: &Value, message: &Value) {
        let id = message["id"].as_str().and_then(text::id);
        let (Some(id), Some(to)) = (id, writer(message, &value["contacts"])) else {
            return self.bury(Reason::UnknownShape, None, message);
        };
        let shown = value["metadata"]["display_phone_number"].as_str();
        let digits: String = shown
            .unwrap_or_default()
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        if Recipient::read(&digits).as_ref() == Some(&to) {
            self.contents.ignored += 1;
            return;
        }
        let address = Address {
            provider: Provider::Meta,
            sender: sender.phone_number_id.clone(),
            to,
        };
        let session = Some(address.session());
        if !message["group_id"].is_null() {
            return self.bury(Reason::Group, session, message);
        }
        let kind = message["type"].as_str().unwrap_or_default();
        if is_silent(kind) {
            self.contents.ignored += 1;
            return;
        }
        let original = |kind: &str| {
            let original = message[kind]["original_message_id"].as_str();
            original
                .and_then(text::id)
                .map(|original| address.request(original))
        };
        let number = &sender.phone_number_id;
        let (change, said) = match kind {
            "edit" => {
                let edited = &message["edit"]["message"];
                let kind = edited["type"].as_str().unwrap_or_default();
                // An edit that cannot be read must not take away what could.
                let (Some(of), Some(said)) = (original("edit"), content(kind, edited, number)) else {
                    return self.bury(Reason::UnknownShape, session, message);
                };
                (Change::Edit { of }, said)
            }
            "revoke" => {
                let Some(of) = original("revoke") else {
                    return self.bury(Reason::UnknownShape, session, message);
                };
                (Change::Revoke { of }, Said::default())
            }
            kind => (
                Change::New,
                content(kind, message, number).unwrap_or_else(|| unreadable(kind, message)),
            ),
        };
        let sent_at = seconds(&message["timestamp"]).unwrap_or(self.now);
        let envelope = envelope(address, id.to_owned(), sent_at, change, said, self.now);
        self.contents.messages.push(envelope);
    }

    fn status(&mut self, status: &Value) {
        let (Some(id), Some(word)) = (
            status["id"].as_str().and_then(text::id),
            status["status"].as_str(),
        ) else {
            return self.bury(Reason::UnknownShape, None, status);
        };
        let state = match word {
            "sent" => DeliveryState::Sent,
            "delivered" => DeliveryState::Delivered,
            "read" | "played" => DeliveryState::Read,
            "failed" => DeliveryState::Failed,
            _ => {
                self.contents.ignored += 1;
                return;
            }
        };
        let ours = status["biz_opaque_callback_data"].as_str();
        self.contents.statuses.push(Status {
            provider: Provider::Meta,
            provider_id: id.to_owned(),
            delivery: ours.and_then(|ours| Uuid::try_parse(ours).ok()),
            state,
            code: status["errors"][0]["code"].as_i64(),
            at: seconds(&status["timestamp"]).unwrap_or(self.now),
        });
    }
}

/// Who wrote it. Somebody with a username has no number here, but an id, in the message or beside it.
fn writer(message: &Value, contacts: &Value) -> Option<Recipient> {
    let alone = match contacts.as_array().map(Vec::as_slice) {
        Some([contact]) => contact,
        _ => &Value::Null,
    };
    let names = [
        &message["from"],
        &message["from_user_id"],
        &alone["wa_id"],
        &alone["user_id"],
    ];
    let mut names = names.into_iter().filter_map(Value::as_str);
    names.find_map(Recipient::read)
}

/// A time in whole seconds since 1970, which Meta writes as a text.
fn seconds(value: &Value) -> Option<OffsetDateTime> {
    let seconds = match value {
        Value::String(text) => text.parse().ok()?,
        number => number.as_i64()?,
    };
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

#[cfg(test)]
mod tests;
