//! What the owner of a phone does.

use std::sync::Arc;

use serde::Deserialize;
use time::OffsetDateTime;

use super::book::Bubble;
use crate::whatsapp::customer::Customer;
use crate::whatsapp::line::Line;
use crate::whatsapp::media::File;
use crate::whatsapp::meta::{self, Item, Meta};
use crate::whatsapp::twilio::{self, Twilio};

/// Which provider the clinic's number is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Meta's Cloud API.
    #[default]
    Meta,
    /// Twilio.
    Twilio,
}

/// Something that is done on a phone.
#[derive(Clone, Debug, Deserialize)]
pub struct Act {
    /// Whom it is done to.
    #[serde(default)]
    pub provider: Provider,
    /// The phone's number, with or without `+`; or, at Meta, a user id such as `IN.2081`.
    pub number: String,
    /// The name in the profile.
    #[serde(default = "name")]
    pub name: String,
    /// So many seconds ago, as if it came late.
    #[serde(default)]
    pub seconds_ago: u32,
    /// Sent so often: providers repeat themselves.
    #[serde(default = "once")]
    pub copies: u8,
    /// What is done.
    #[serde(flatten)]
    pub what: What,
}

fn name() -> String {
    "Sheena Nelson".to_owned()
}

fn once() -> u8 {
    1
}

/// What is done.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum What {
    /// A text is sent.
    Text {
        /// It.
        text: String,
    },
    /// A button is pressed.
    Button {
        /// Its id.
        id: String,
        /// What it says.
        title: String,
    },
    /// A sample picture is sent.
    Picture,
    /// A sample voice note is sent.
    Voice,
    /// A file is sent that was uploaded before.
    File {
        /// Its id.
        media: String,
    },
    /// A place is sent.
    Location,
    /// A contact is sent; Twilio knows none.
    Contact,
    /// A sticker is sent.
    Sticker,
    /// A reaction to a message; Twilio knows none.
    Reaction {
        /// The message.
        of: String,
    },
    /// Something that is not passed on is sent; Twilio does not even say so.
    Unsupported,
    /// A message gets another text; Twilio does not pass that on.
    Edit {
        /// The message.
        of: String,
        /// The text.
        text: String,
    },
    /// A message is deleted; Twilio does not pass that on.
    Delete {
        /// The message.
        of: String,
    },
}

impl Act {
    /// The number without `+`, or the user id.
    fn customer(&self) -> Result<Customer, &'static str> {
        let digits = self.number.trim_start_matches('+');
        let is_number = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number {
            return Ok(Customer::with_phone(digits).named(&self.name));
        }
        let is_user_id = self.number.split_once('.').is_some_and(|(country, id)| {
            country.len() == 2 && !id.is_empty() && self.number.len() <= 100 && self.number.is_ascii()
        });
        if is_user_id && self.provider == Provider::Meta {
            return Ok(Customer::with_user_id(&self.number).named(&self.name));
        }
        Err("the number has 7 to 15 digits, with the country's code")
    }

    /// What the phone's own screen shows of it, besides what it changes there.
    fn shown(&self, line: &Line, id: &str, file: Option<&File>) -> Option<Bubble> {
        let mut bubble = match &self.what {
            What::Text { text } => Bubble::mine(id, text),
            What::Button { title, .. } => Bubble::mine(id, title),
            What::Location => Bubble::mine(id, "📍 Hagia Sophia"),
            What::Contact => Bubble::mine(id, "👤 Barbara"),
            What::Unsupported => Bubble::mine(id, "📊 a poll"),
            What::Reaction { .. } => Bubble::mine(id, "reacted with 👍"),
            What::Picture | What::Voice | What::Sticker | What::File { .. } => Bubble::mine(id, ""),
            What::Edit { of, text } => {
                line.book.edited(of, text);
                return None;
            }
            What::Delete { of } => {
                line.book.deleted(of);
                return None;
            }
        };
        bubble.media = file.map(|file| (file.id.clone(), file.mime_type.clone()));
        Some(bubble)
    }

    fn file(&self, line: &Line) -> Result<Option<File>, &'static str> {
        match &self.what {
            What::Picture | What::Sticker => Ok(Some(line.media.picture())),
            What::Voice => Ok(Some(line.media.voice())),
            What::File { media } => line.media.file(media).map(Some).ok_or("there is no such file"),
            _ => Ok(None),
        }
    }
}

/// Does it at Meta, and returns the message's id.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn at_meta(meta: &Arc<Meta>, act: &Act) -> Result<String, &'static str> {
    let customer = act.customer()?;
    let file = act.file(meta.line())?;
    let from = &customer;
    let message = match (&act.what, &file) {
        (What::Text { text }, _) => meta::Message::text(from, text),
        (What::Button { id, title }, _) => meta::Message::button_reply(from, id, title),
        (What::Location, _) => meta::Message::location(from, 41.0082, 28.9784, Some("Hagia Sophia")),
        (What::Contact, _) => meta::Message::contact(from, "Barbara", "+16505557777"),
        (What::Reaction { of }, _) => meta::Message::reaction(from, of, "👍"),
        (What::Edit { of, text }, _) => meta::Message::edit(from, of, text),
        (What::Delete { of }, _) => meta::Message::revoke(from, of),
        (What::Sticker, Some(file)) => meta::Message::sticker(from, file),
        (_, Some(file)) => match file.mime_type.split('/').next() {
            Some("image") => meta::Message::image(from, file, None),
            Some("audio") => meta::Message::voice(from, file),
            Some("video") => meta::Message::video(from, file, None),
            _ => meta::Message::document(from, file, None),
        },
        (_, None) => meta::Message::unsupported(from),
    };
    let message = message.at(act.at());
    let id = message.id().to_owned();
    if let Some(bubble) = act.shown(meta.line(), &id, file.as_ref()) {
        meta.line().book.customer_said(customer.address(), bubble);
    }
    let webhook = meta.webhook(&[Item::Message(message)]);
    for _ in 0..act.copies.clamp(1, 9) {
        let (meta, webhook, id) = (Arc::clone(meta), webhook.clone(), id.clone());
        let courier = meta.line().courier.clone();
        courier.clone().spawn(async move {
            if courier.deliver(&webhook).await {
                meta.line().book.taken(&id);
            }
        });
    }
    Ok(id)
}

/// Does it at Twilio, and returns the message's id.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn at_twilio(twilio: &Arc<Twilio>, act: &Act) -> Result<String, &'static str> {
    let customer = act.customer()?;
    let file = act.file(twilio.line())?;
    let from = &customer;
    let message = match (&act.what, &file) {
        (What::Text { text }, _) => twilio::Message::text(from, text),
        (What::Button { id, title }, _) => twilio::Message::button(from, id, title),
        (What::Location, _) => twilio::Message::location(from, 41.0082, 28.9784, Some("Hagia Sophia")),
        (_, Some(file)) => twilio::Message::media(from, std::slice::from_ref(file), None),
        (_, None) => return Err("Twilio does not pass that on"),
    };
    let id = message.id.clone();
    if let Some(bubble) = act.shown(twilio.line(), &id, file.as_ref()) {
        twilio.line().book.customer_said(customer.address(), bubble);
    }
    let webhook = twilio.webhook(&message);
    for _ in 0..act.copies.clamp(1, 9) {
        let (twilio, webhook, id) = (Arc::clone(twilio), webhook.clone(), id.clone());
        let courier = twilio.line().courier.clone();
        courier.clone().spawn(async move {
            if courier.deliver(&webhook).await {
                twilio.line().book.taken(&id);
            }
        });
    }
    Ok(id)
}

impl Act {
    fn at(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() - time::Duration::seconds(self.seconds_ago.into())
    }
}
