//! What one of Meta's messages says, type by type.

use serde_json::Value;
use shared::media::{Media, MediaKind};

use super::{Said, text};

/// Whether messages of this type want no answer.
pub(super) fn is_silent(kind: &str) -> bool {
    // A thumb, a changed number, a chat that was opened and in which nothing is said yet.
    matches!(kind, "reaction" | "system" | "request_welcome")
}

/// What a message says that is of a type that we know, and has what this type needs.
pub(super) fn content(kind: &str, message: &Value, phone_number_id: &str) -> Option<Said> {
    let part = &message[kind];
    let text = match kind {
        "text" => part["body"].as_str()?.to_owned(),
        "audio" | "voice" => return media(MediaKind::Audio, part, phone_number_id),
        "image" | "video" | "document" | "sticker" => {
            return media(MediaKind::Media, part, phone_number_id);
        }
        "location" => {
            let number = |name: &str| part[name].as_f64().map(|number| number.to_string());
            let names = [part["name"].as_str(), part["address"].as_str()];
            text::place(&number("latitude")?, &number("longitude")?, &names)?
        }
        "contacts" => lines(part.as_array()?.iter().filter_map(contact)),
        "interactive" => match part["type"].as_str()? {
            reply @ ("button_reply" | "list_reply") => part[reply]["title"].as_str()?.to_owned(),
            "nfm_reply" => form(&part["nfm_reply"]),
            _ => return None,
        },
        "button" => {
            let text = part["text"].as_str().or(part["payload"].as_str());
            text?.to_owned()
        }
        _ => return None,
    };
    let is_something = !text
        .trim_matches(|c: char| c.is_whitespace() || c == '\0')
        .is_empty();
    is_something.then_some(Said {
        content: text,
        media: Vec::new(),
    })
}

/// A message that nobody can read, so that its writer is told so; with what is written beside it.
pub(super) fn unreadable(kind: &str, message: &Value) -> Said {
    let part = &message[kind];
    let beside = part["caption"].as_str().or(part["text"].as_str());
    Said {
        content: beside.unwrap_or_default().to_owned(),
        media: vec![Media::new(MediaKind::Unreadable, "")],
    }
}

fn media(kind: MediaKind, part: &Value, phone_number_id: &str) -> Option<Said> {
    let is_name = |id: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !id.is_empty() && id.len() <= 255 && id.bytes().all(allowed)
    };
    let id = part["id"].as_str().filter(is_name)?;
    let named = |name: &str| part[name].as_str().and_then(text::name);
    Some(Said {
        content: part["caption"].as_str().unwrap_or_default().to_owned(),
        media: vec![Media {
            mime_type: named("mime_type"),
            sha256: named("sha256"),
            filename: named("filename"),
            ..Media::new(kind, format!("meta:{phone_number_id}/{id}"))
        }],
    })
}

/// Somebody's card: `Jane Doe: +1 650 555 1234, +1 650 555 1235`.
fn contact(card: &Value) -> Option<String> {
    let name = &card["name"];
    let parts = [name["first_name"].as_str(), name["last_name"].as_str()];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    let name = name["formatted_name"]
        .as_str()
        .map_or_else(|| parts.join(" "), str::to_owned);
    let phones = card["phones"].as_array().map(Vec::as_slice).unwrap_or_default();
    let phones: Vec<&str> = phones
        .iter()
        .filter_map(|phone| phone["phone"].as_str().or(phone["wa_id"].as_str()))
        .collect();
    let parts = [name.trim(), &phones.join(", ")].map(str::to_owned);
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// A form that was filled in: what was entered, or else what stands above it.
fn form(reply: &Value) -> String {
    let entered = reply["response_json"].as_str();
    let entered = entered.and_then(|json| serde_json::from_str::<Value>(json).ok());
    let mut fields = Vec::new();
    if let Some(entered) = &entered {
        collect("", entered, &mut fields);
    }
    if fields.is_empty() {
        let text = reply["body"].as_str().or(reply["response_json"].as_str());
        return text.unwrap_or_default().to_owned();
    }
    lines(fields)
}

/// The fields of a form, one a line; the one by which Meta knows the form is nobody's answer.
fn collect(name: &str, value: &Value, fields: &mut Vec<String>) {
    let mut add = |text: &str| fields.push(format!("{name}: {text}"));
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(name, _)| *name != "flow_token");
            members.for_each(|(name, value)| collect(name, value, fields));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(name, item, fields)),
        Value::String(text) => add(text),
        Value::Number(number) => add(&number.to_string()),
        Value::Bool(yes) => add(if *yes { "yes" } else { "no" }),
        Value::Null => {}
    }
}

fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<Vec<_>>().join("\n")
}
