//! What the offline engine remembers between two turns: `conversation_states.state`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::media::Media;

/// How many attachments a session keeps.
pub(crate) const MAX_MEDIA: usize = 50;

/// Beginnings of Arabic names: "عبد الرحمن" is one name.
const HALVES: [&str; 5] = ["عبد", "أبو", "ابو", "أم", "ام"];

/// A session as the offline engine knows it. Missing fields have their defaults, unknown ones are dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Conversation {
    /// The tag of the language that the visitor writes in, once it was clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) language: Option<String>,
    /// Whether the assistant has said who it is.
    pub(crate) greeted: bool,
    pub(crate) consent: Consent,
    /// The question that waits for an answer.
    pub(crate) asked: Option<Ask>,
    /// How often it has been asked in a row.
    pub(crate) times: u8,
    pub(crate) details: Details,
    /// The treatment that was talked about last.
    pub(crate) topic: Option<String>,
    /// What the visitor attached, in order.
    pub(crate) media: Vec<Media>,
    /// The details that were sent to the clinic.
    pub(crate) submitted: Option<Details>,
    /// The name as it was last given to be stored.
    pub(crate) stored_name: Option<String>,
    /// Whether an emergency was reported.
    pub(crate) emergency: bool,
    /// When, as RFC 3339.
    pub(crate) emergency_at: Option<String>,
}

/// Where the consent question stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Consent {
    #[default]
    Unasked,
    Asked,
    Given,
    Refused,
}

/// A question of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ask {
    Consent,
    Name,
    Treatment,
    Contact,
    Time,
    /// Is the summary right?
    Confirm,
    /// What is wrong with it?
    Change,
    /// Shall a consultation be arranged?
    Offer,
    /// A second request?
    Another,
}

/// The details of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    pub(crate) name: Option<String>,
    pub(crate) treatments: Vec<String>,
    pub(crate) phone: Option<String>,
    pub(crate) email: Option<String>,
    /// In the visitor's words.
    pub(crate) time: Option<String>,
    /// The dates in it, as far as they could be understood, as `YYYY-MM-DD`.
    pub(crate) dates: Vec<String>,
}

impl Conversation {
    /// Reads a state; what cannot be read is a new session.
    pub(crate) fn read(state: &Value) -> Self {
        serde_json::from_value(state.clone()).unwrap_or_default()
    }

    /// The state to be stored.
    pub(crate) fn write(&self) -> Value {
        serde_json::to_value(self).unwrap_or_else(|_| Value::Object(serde_json::Map::new()))
    }

    /// Whether a booking is under way.
    pub(crate) fn is_booking(&self) -> bool {
        !matches!(self.asked, None | Some(Ask::Offer | Ask::Another))
    }

    /// Forgets what the visitor said of themselves.
    pub(crate) fn forget(&mut self) {
        self.details = Details::default();
        self.media.clear();
        self.topic = None;
        self.asked = None;
        self.times = 0;
    }

    /// The question that comes next on the way to a request.
    pub(crate) fn next_ask(&self) -> Ask {
        let details = &self.details;
        match () {
            () if self.consent != Consent::Given => Ask::Consent,
            () if details.name.is_none() => Ask::Name,
            () if details.treatments.is_empty() => Ask::Treatment,
            () if details.contact().is_none() => Ask::Contact,
            () if details.time.is_none() => Ask::Time,
            () => Ask::Confirm,
        }
    }
}

impl Details {
    /// Telephone number and e-mail address, as far as they are known.
    pub(crate) fn contact(&self) -> Option<String> {
        match (&self.phone, &self.email) {
            (Some(phone), Some(email)) => Some(format!("{phone}, {email}")),
            (phone, email) => phone.clone().or_else(|| email.clone()),
        }
    }

    /// The first word of the name; the first two where the first one is none by itself.
    pub(crate) fn first_name(&self) -> Option<&str> {
        let name = self.name.as_deref()?;
        let words = if name
            .split(' ')
            .next()
            .is_some_and(|first| HALVES.contains(&first))
        {
            2
        } else {
            1
        };
        let end = name
            .match_indices(' ')
            .nth(words - 1)
            .map_or(name.len(), |(at, _)| at);
        Some(&name[..end])
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Ask, Consent, Conversation};

    #[test]
    fn a_state_of_another_version_is_read_as_far_as_it_goes() {
        assert_eq!(Conversation::read(&json!({})), Conversation::default());
        let state = json!({"greeted": true, "consent": "given", "asked": "name", "later": {"x": 1}, "details": {"email": "a@b.co"}});
        let read = Conversation::read(&state);
        assert_eq!(
            (read.greeted, read.consent, read.asked),
            (true, Consent::Given, Some(Ask::Name))
        );
        assert_eq!(read.details.contact().as_deref(), Some("a@b.co"));
        assert_eq!(Conversation::read(&read.write()), read);
        for broken in [
            json!(null),
            json!([1]),
            json!("x"),
            json!({"consent": "perhaps"}),
            json!({"media": 3}),
        ] {
            assert_eq!(Conversation::read(&broken), Conversation::default(), "{broken}");
        }
    }
}
