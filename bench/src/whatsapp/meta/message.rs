//! What customers write to a clinic at Meta: every type of message.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::whatsapp::customer::Customer;
use crate::whatsapp::media::File;

/// A new message id, as Meta makes them.
pub(crate) fn wamid() -> String {
    format!("wamid.{}", STANDARD.encode(rand::random::<[u8; 36]>()))
}

/// One message, as it will stand in a webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who writes.
    pub customer: Customer,
    /// The message's object; change it for what has no constructor.
    pub json: Value,
    /// Written by the clinic from its own phone: then it comes under another field.
    pub echo: bool,
}

impl Message {
    /// One of any type, with what stands under the type's name.
    pub fn new(customer: &Customer, kind: &str, content: Value) -> Self {
        let mut json = json!({
            "id": wamid(),
            "timestamp": OffsetDateTime::now_utc().unix_timestamp().to_string(),
            "type": kind,
        });
        if let Some(phone) = &customer.phone {
            json["from"] = json!(phone);
        }
        if let Some(user_id) = &customer.user_id {
            json["from_user_id"] = json!(user_id);
        }
        if !content.is_null() {
            json[kind] = content;
        }
        Self {
            customer: customer.clone(),
            json,
            echo: false,
        }
    }

    /// A text.
    pub fn text(customer: &Customer, body: &str) -> Self {
        Self::new(customer, "text", json!({ "body": body }))
    }

    /// `image`, `video`, `document` or `sticker`, with a caption or without.
    pub fn media(customer: &Customer, kind: &str, file: &File, caption: Option<&str>) -> Self {
        let mut content = json!({"id": file.id, "mime_type": file.mime_type, "sha256": file.sha256_base64()});
        if let Some(caption) = caption {
            content["caption"] = json!(caption);
        }
        match kind {
            "document" => content["filename"] = json!("report.pdf"),
            "sticker" => content["animated"] = json!(false),
            _ => {}
        }
        Self::new(customer, kind, content)
    }

    /// A picture.
    pub fn image(customer: &Customer, file: &File, caption: Option<&str>) -> Self {
        Self::media(customer, "image", file, caption)
    }

    /// A film.
    pub fn video(customer: &Customer, file: &File, caption: Option<&str>) -> Self {
        Self::media(customer, "video", file, caption)
    }

    /// A document; its name is `report.pdf`.
    pub fn document(customer: &Customer, file: &File, caption: Option<&str>) -> Self {
        Self::media(customer, "document", file, caption)
    }

    /// A sticker.
    pub fn sticker(customer: &Customer, file: &File) -> Self {
        Self::media(customer, "sticker", file, None)
    }

    /// A voice note.
    pub fn voice(customer: &Customer, file: &File) -> Self {
        Self::sound(customer, file, true)
    }

    /// A sound that is no voice note.
    pub fn audio(customer: &Customer, file: &File) -> Self {
        Self::sound(customer, file, false)
    }

    fn sound(customer: &Customer, file: &File, voice: bool) -> Self {
        let content = json!({
            "id": file.id, "mime_type": file.mime_type, "sha256": file.sha256_base64(), "voice": voice,
        });
        Self::new(customer, "audio", content)
    }

    /// A place, with a name or without.
    pub fn location(customer: &Customer, latitude: f64, longitude: f64, name: Option<&str>) -> Self {
        let mut content = json!({"latitude": latitude, "longitude": longitude});
        if let Some(name) = name {
            content["name"] = json!(name);
            content["address"] = json!("Sultan Ahmet, Ayasofya Meydani 1");
        }
        Self::new(customer, "location", content)
    }

    /// A contact: `contacts` is a list.
    pub fn contact(customer: &Customer, name: &str, phone: &str) -> Self {
        let content = json!([{
            "name": {"formatted_name": name, "first_name": name},
            "phones": [{"phone": phone, "wa_id": phone.trim_start_matches('+'), "type": "CELL"}],
        }]);
        Self::new(customer, "contacts", content)
    }

    /// A button of ours was pressed.
    pub fn button_reply(customer: &Customer, id: &str, title: &str) -> Self {
        let content = json!({"type": "button_reply", "button_reply": {"id": id, "title": title}});
        Self::new(customer, "interactive", content)
    }

    /// A row of a list was chosen.
    pub fn list_reply(customer: &Customer, id: &str, title: &str) -> Self {
        let row = json!({"id": id, "title": title, "description": "A row of the list"});
        let content = json!({"type": "list_reply", "list_reply": row});
        Self::new(customer, "interactive", content)
    }

    /// A form was filled in.
    pub fn form_reply(customer: &Customer, response: &Value) -> Self {
        let form = json!({"name": "flow", "body": "Sent", "response_json": response.to_string()});
        let content = json!({"type": "nfm_reply", "nfm_reply": form});
        Self::new(customer, "interactive", content)
    }

    /// A button of a template was pressed.
    pub fn template_button(customer: &Customer, payload: &str, text: &str) -> Self {
        Self::new(customer, "button", json!({"payload": payload, "text": text}))
    }

    /// A reaction to a message; without an emoji it is taken back.
    pub fn reaction(customer: &Customer, to: &str, emoji: &str) -> Self {
        let mut content = json!({ "message_id": to });
        if !emoji.is_empty() {
            content["emoji"] = json!(emoji);
        }
        Self::new(customer, "reaction", content)
    }

    /// Something of the catalogue.
    pub fn order(customer: &Customer) -> Self {
        let item =
            json!({"product_retailer_id": "p-1", "quantity": 1, "item_price": 30.0, "currency": "EUR"});
        let content = json!({"catalog_id": "1", "text": "This, please", "product_items": [item]});
        Self::new(customer, "order", content)
    }

    /// The customer has another number now.
    pub fn system(customer: &Customer, new: &str) -> Self {
        let body = format!("User changed to {new}");
        let content = json!({"body": body, "wa_id": new, "type": "user_changed_number"});
        Self::new(customer, "system", content)
    }

    /// The text of an earlier message is another now.
    pub fn edit(customer: &Customer, original: &str, body: &str) -> Self {
        let content = json!({
            "original_message_id": original,
            "message": {"type": "text", "text": {"body": body}},
        });
        Self::new(customer, "edit", content)
    }

    /// An earlier message was deleted for everyone.
    pub fn revoke(customer: &Customer, original: &str) -> Self {
        Self::new(customer, "revoke", json!({ "original_message_id": original }))
    }

    /// Something that the Cloud API does not pass on, such as a poll.
    pub fn unsupported(customer: &Customer) -> Self {
        let mut message = Self::new(customer, "unsupported", Value::Null);
        message.json["errors"] = json!([{
            "code": 131051,
            "title": "Message type unknown",
            "message": "Message type unknown",
            "error_data": {"details": "Message type is currently not supported."},
        }]);
        message
    }

    /// What a person at the clinic wrote to the customer from the clinic's phone, whose number is `clinic`.
    pub fn echo(customer: &Customer, clinic: &str, body: &str) -> Self {
        let mut message = Self::text(customer, body);
        message.json["from"] = json!(clinic);
        message.json["to"] = json!(customer.address());
        Self {
            echo: true,
            ..message
        }
    }

    /// One of each type, all from the same customer.
    pub fn all(customer: &Customer, picture: &File, voice: &File) -> Vec<Self> {
        let original = Self::text(customer, "Do you have a date in May?");
        let id = original.id().to_owned();
        vec![
            original,
            Self::voice(customer, voice),
            Self::audio(customer, voice),
            Self::image(customer, picture, Some("My teeth")),
            Self::video(customer, picture, None),
            Self::document(customer, picture, Some("My report")),
            Self::sticker(customer, picture),
            Self::location(customer, 41.0082, 28.9784, Some("Hagia Sophia")),
            Self::contact(customer, "Barbara", "+16505557777"),
            Self::button_reply(customer, "yes", "Yes"),
            Self::list_reply(customer, "row-1", "Hair transplant"),
            Self::form_reply(customer, &json!({"name": "Sheena"})),
            Self::template_button(customer, "p", "Confirm"),
            Self::reaction(customer, &id, "👍"),
            Self::order(customer),
            Self::system(customer, "16505559999"),
            Self::edit(customer, &id, "Do you have a date in June?"),
            Self::revoke(customer, &id),
            Self::unsupported(customer),
            Self::echo(customer, "15550783881", "A person answers"),
        ]
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.json["id"].as_str().unwrap_or_default()
    }

    /// The same with another id.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.json["id"] = json!(id);
        self
    }

    /// The same, written at another time.
    #[must_use]
    pub fn at(mut self, time: OffsetDateTime) -> Self {
        self.json["timestamp"] = json!(time.unix_timestamp().to_string());
        self
    }

    /// The same as an answer to a message of the clinic.
    #[must_use]
    pub fn replying_to(mut self, clinic: &str, id: &str) -> Self {
        self.json["context"] = json!({"from": clinic, "id": id});
        self
    }
}
