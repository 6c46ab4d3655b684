//! What customers write to a clinic at Twilio: forms.

use crate::whatsapp::customer::Customer;
use crate::whatsapp::media::File;

/// A new id: `SM`, `MM`, `ME` and 32 hex digits.
pub(crate) fn sid(kind: &str) -> String {
    format!("{kind}{}", hex::encode(rand::random::<[u8; 16]>()))
}

/// One message, as the fields that belong to it; account, numbers and the like are added when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who writes.
    pub customer: Customer,
    /// `MessageSid`.
    pub id: String,
    /// Its own fields; change them for what has no constructor.
    pub fields: Vec<(String, String)>,
    /// The files.
    pub media: Vec<File>,
}

impl Message {
    /// One with these fields.
    pub fn new(customer: &Customer, fields: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            customer: customer.clone(),
            id: sid("SM"),
            fields: fields.iter().map(owned).collect(),
            media: Vec::new(),
        }
    }

    /// A text.
    pub fn text(customer: &Customer, body: &str) -> Self {
        Self::new(customer, &[("MessageType", "text"), ("Body", body)])
    }

    /// Files, with a caption; without one there is no field `Body` at all.
    pub fn media(customer: &Customer, files: &[File], caption: Option<&str>) -> Self {
        let kind = files
            .first()
            .map_or("document", |file| match file.mime_type.split('/').next() {
                Some(kind @ ("image" | "audio" | "video")) => kind,
                _ => "document",
            });
        let mut message = Self::new(customer, &[("MessageType", kind)]);
        if let Some(caption) = caption {
            message.fields.push(("Body".to_owned(), caption.to_owned()));
        }
        message.media = files.to_vec();
        message
    }

    /// A place.
    pub fn location(customer: &Customer, latitude: f64, longitude: f64, name: Option<&str>) -> Self {
        let (latitude, longitude) = (latitude.to_string(), longitude.to_string());
        let mut message = Self::new(
            customer,
            &[
                ("MessageType", "location"),
                ("Latitude", &latitude),
                ("Longitude", &longitude),
                ("Body", ""),
            ],
        );
        if let Some(name) = name {
            message.fields.push(("Label".to_owned(), name.to_owned()));
        }
        message
    }

    /// A button of a template was pressed.
    pub fn button(customer: &Customer, payload: &str, text: &str) -> Self {
        Self::new(
            customer,
            &[
                ("MessageType", "button"),
                ("ButtonPayload", payload),
                ("ButtonText", text),
                ("Body", text),
            ],
        )
    }

    /// The same with another id.
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..self
        }
    }

    /// The same with another field, such as one that nobody knows yet.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One of each kind, all from the same customer.
    pub fn all(customer: &Customer, picture: &File, voice: &File) -> Vec<Self> {
        vec![
            Self::text(customer, "Do you have a date in May?"),
            Self::media(customer, std::slice::from_ref(picture), Some("My teeth")),
            Self::media(customer, &[picture.clone(), picture.clone()], None),
            Self::media(customer, std::slice::from_ref(voice), None),
            Self::location(customer, 41.0082, 28.9784, Some("Hagia Sophia")),
            Self::button(customer, "p", "Confirm"),
            Self::text(customer, "A field from tomorrow").with("ChannelMood", "good & new"),
        ]
    }
}
