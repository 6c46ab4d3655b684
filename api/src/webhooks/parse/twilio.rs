//! What Twilio sends: a message or a status, as the fields of a form. New fields appear without notice.

use bytes::Bytes;
use shared::media::{Media, MediaKind};
use shared::whatsapp::{Address, Change, DeliveryState, Provider, Recipient, Status, TwilioSender};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Said, envelope, text};
use crate::webhooks::contents::{Contents, Reason};

/// Files of a message at most: what Twilio says, and what the website allows.
const MAX_MEDIA: usize = 10;

/// Characters of a link at most.
const MAX_URL: usize = 2048;

/// Reads a form whose signature is right, for the numbers of the account that signed it. `delivery` is our own name of the
/// message that a status is about.
pub fn read(
    body: &Bytes,
    fields: &[(String, String)],
    delivery: Option<Uuid>,
    senders: &[&TwilioSender],
    now: OffsetDateTime,
) -> Contents {
    let form = Form(fields);
    let Some(id) = form.get("MessageSid").and_then(text::id) else {
        return Contents::dead(Reason::UnknownShape, body.clone());
    };
    if let Some(word) = form.get("MessageStatus").filter(|word| *word != "received") {
        let ours = form.get("From").and_then(|from| sender(from, senders));
        let state = ours.and_then(|_| state(word));
        return match state {
            Some(state) => Contents {
                statuses: vec![Status {
                    provider: Provider::Twilio,
                    provider_id: id.to_owned(),
                    delivery,
                    state,
                    code: form.get("ErrorCode").and_then(|code| code.parse().ok()),
                    at: now,
                }],
                ..Contents::default()
            },
            None => ignored(),
        };
    }
    let (from, to) = (
        form.get("From").and_then(whatsapp),
        form.get("To").filter(|to| whatsapp(to).is_some()),
    );
    let (Some(from), Some(to)) = (from, to) else {
        return Contents::dead(Reason::UnknownShape, body.clone());
    };
    let Some(sender) = sender(to, senders) else {
        return Contents::dead(Reason::NotOurNumber, body.clone());
    };
    if form.get("MessageType") == Some("reaction") {
        return ignored();
    }
    let address = Address {
        provider: Provider::Twilio,
        sender: sender.from.clone(),
        to: from,
    };
    let said = said(&form, &sender.from);
    Contents {
        // Twilio does not say when it was written.
        messages: vec![envelope(address, id.to_owned(), now, Change::New, said, now)],
        ..Contents::default()
    }
}

fn ignored() -> Contents {
    Contents {
        ignored: 1,
        ..Contents::default()
    }
}

/// The fields as they were sent.
struct Form<'f>(&'f [(String, String)]);

impl<'f> Form<'f> {
    /// The first one of this name, where it is not empty.
    fn get(&self, name: &str) -> Option<&'f str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (!value.is_empty()).then_some(value)
    }
}

/// Somebody on WhatsApp: Twilio has other channels, too.
fn whatsapp(address: &str) -> Option<Recipient> {
    Recipient::read(address.strip_prefix("whatsapp:")?.trim())
}

/// Which of our numbers this is.
fn sender<'s>(address: &str, senders: &[&'s TwilioSender]) -> Option<&'s TwilioSender> {
    let number = whatsapp(address)?;
    let mut senders = senders.iter().copied();
    senders.find(|sender| sender.from == number.as_str())
}

/// What a word of Twilio's says; `None` where nothing has happened yet.
fn state(word: &str) -> Option<DeliveryState> {
    match word {
        "sent" => Some(DeliveryState::Sent),
        "delivered" => Some(DeliveryState::Delivered),
        "read" => Some(DeliveryState::Read),
        "failed" | "undelivered" | "canceled" => Some(DeliveryState::Failed),
        _ => None,
    }
}

/// What the message says. Of what cannot be read its writer is told.
fn said(form: &Form<'_>, from: &str) -> Said {
    let count: usize = form
        .get("NumMedia")
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    let file = |index| {
        let url = form.get(&format!("MediaUrl{index}")).unwrap_or_default();
        let kind = form.get(&format!("MediaContentType{index}"));
        file(url, kind, from)
    };
    let mut media: Vec<Media> = (0..count.min(MAX_MEDIA)).map(file).collect();
    let written = form.get("ButtonText").or(form.get("Body"));
    let written = written.or(form.get("ButtonPayload"));
    let place = form.get("Latitude").zip(form.get("Longitude"));
    let names = [form.get("Label"), form.get("Address")];
    let place = place.and_then(|(latitude, longitude)| text::place(latitude, longitude, &names));
    let parts = [written.map(str::to_owned), place];
    let content = parts.into_iter().flatten().collect::<Vec<_>>().join("\n");
    if media.is_empty() && text::clean(&content).trim().is_empty() {
        media.push(Media::new(MediaKind::Unreadable, ""));
    }
    Said { content, media }
}

fn file(url: &str, kind: Option<&str>, from: &str) -> Media {
    let is_link = url.chars().count() <= MAX_URL
        && (url.starts_with("https://") || url.starts_with("http://"))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control());
    if !is_link {
        return Media::new(MediaKind::Unreadable, "");
    }
    let is_audio = kind.is_some_and(|kind| kind.starts_with("audio/"));
    let media_kind = if is_audio {
        MediaKind::Audio
    } else {
        MediaKind::Media
    };
    Media {
        mime_type: kind.and_then(text::name),
        ..Media::new(media_kind, format!("twilio:{from}/{url}"))
    }
}

#[cfg(test)]
mod tests;
