//! What an agent is given.

use std::sync::Arc;

use serde_json::Value;
use shared::clinic::Clinic;
use shared::media::Media;
use time::OffsetDateTime;
use uuid::Uuid;

/// One run of the agent: everything it may know.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The clinic it speaks for.
    pub clinic: Arc<Clinic>,
    /// What is known of the visitor beyond this session.
    pub user: Profile,
    /// The agent to which the session is pinned; `None` in a session that is new or has expired.
    pub active_agent: Option<String>,
    /// The session's state as the last turn left it; an empty object in a session that is new or has expired.
    pub state: Value,
    /// Earlier messages of the session, oldest first, bounded in number.
    pub history: Vec<PastMessage>,
    /// The messages to answer, oldest first: one on the web, a burst on WhatsApp. Never empty.
    pub requests: Vec<IncomingMessage>,
    /// When the turn began. The only clock an agent has, so that a turn that is run again says the same.
    pub now: OffsetDateTime,
    /// Whether a message was written so long ago that the reply says so (on WhatsApp).
    pub is_late: bool,
    /// What readers have of this reply already, from a run that was cut off. An agent that ignores it must say the same again.
    pub already_sent: AlreadySent,
}

impl Turn {
    /// A turn that knows nothing but the message.
    pub fn bare(clinic: Arc<Clinic>, request: IncomingMessage, now: OffsetDateTime) -> Self {
        Self {
            clinic,
            user: Profile::default(),
            active_agent: None,
            state: Value::Object(serde_json::Map::new()),
            history: Vec::new(),
            requests: vec![request],
            now,
            is_late: false,
            already_sent: AlreadySent::default(),
        }
    }

    /// What the visitor writes in this turn, as one text.
    pub fn said(&self) -> String {
        let said: Vec<&str> = self
            .requests
            .iter()
            .map(|request| request.content.as_str())
            .collect();
        said.join("\n")
    }

    /// When each line of [`Turn::said`] was written.
    pub fn written(&self) -> Vec<OffsetDateTime> {
        let lines = |request: &IncomingMessage| request.content.split('\n').count();
        self.requests
            .iter()
            .flat_map(|request| std::iter::repeat_n(request.written, lines(request)))
            .collect()
    }

    /// When the first of the messages was written.
    pub fn began(&self) -> OffsetDateTime {
        let written = self.requests.iter().map(|request| request.written);
        written.min().unwrap_or(self.now)
    }
}

/// The beginning of a reply whose run was cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlreadySent {
    /// Its text.
    pub text: String,
    /// What the agent noted last with [`Reply::note`](super::Reply::note).
    pub note: Option<String>,
}

/// What is stored of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Name, stored only after the user's consent.
    pub name: Option<String>,
    /// The number that the visitor writes from, on WhatsApp.
    pub phone: Option<String>,
    /// BCP 47 language tag, where one is known.
    pub language: Option<String>,
    /// Whether the latest answer to the consent question was a yes.
    pub consented: bool,
}

/// A message to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingMessage {
    /// Its id; `messages.id` of the incoming row.
    pub request_id: Uuid,
    /// What the visitor wrote; may be empty where there is media.
    pub content: String,
    /// What the visitor attached, in order.
    pub media: Vec<Media>,
    /// When it was written: "tomorrow" is the day after. The same as the turn's `now` on the web.
    pub written: OffsetDateTime,
}

/// A message of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastMessage {
    /// Whether the visitor wrote it (else we did).
    pub incoming: bool,
    /// Its text.
    pub body: String,
}
