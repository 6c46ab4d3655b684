//! Who writes to the clinic.

/// A customer, as the provider shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Digits without `+`; none where the customer is known by a username.
    pub phone: Option<String>,
    /// WhatsApp's own id, such as `IN.2081978709341936`.
    pub user_id: Option<String>,
    /// The name in their profile.
    pub name: String,
}

impl Customer {
    /// One with a number, with or without `+`.
    pub fn with_phone(phone: &str) -> Self {
        Self {
            phone: Some(phone.trim_start_matches('+').to_owned()),
            user_id: None,
            name: "Sheena Nelson".to_owned(),
        }
    }

    /// One with a username: their number is nowhere.
    pub fn with_user_id(user_id: &str) -> Self {
        Self {
            phone: None,
            user_id: Some(user_id.to_owned()),
            name: "Sheena Nelson".to_owned(),
        }
    }

    /// The same with another name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    /// To whom a reply goes: digits, or the user id.
    pub fn address(&self) -> &str {
        self.phone
            .as_deref()
            .or(self.user_id.as_deref())
            .unwrap_or_default()
    }
}
