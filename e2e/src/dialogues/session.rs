//! What the worker and its commits keep between two turns of a conversation, kept in memory.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use shared::clinic::Clinic;
use shared::media::{Media, MediaKind};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use uuid::Uuid;
use worker::agents::{AlreadySent, Effect, IncomingMessage, Outcome, PastMessage, Profile, Turn};

use super::file::{Dialogue, Say, Step};

/// Wednesday, noon in Istanbul.
const NOW: OffsetDateTime = datetime!(2026-11-25 09:00 UTC);

/// The history that a turn is given, as `begin_turn` reads it: messages, characters of each, characters of all.
const HISTORY: (usize, usize, usize) = (40, 8_000, 16_000);

/// The shipped clinic, read once.
static CLINIC: LazyLock<Arc<Clinic>> = LazyLock::new(|| Arc::new(Clinic::shipped()));

/// A conversation as far as it has come.
pub struct Session {
    user: Profile,
    active_agent: Option<String>,
    state: Value,
    history: Vec<PastMessage>,
    now: OffsetDateTime,
}

impl Session {
    /// The session that a dialogue begins with.
    ///
    /// # Panics
    /// `now` of the dialogue is no RFC 3339.
    #[must_use]
    pub fn of(dialogue: &Dialogue) -> Self {
        let now = dialogue.now.as_deref().map_or(NOW, |now| {
            OffsetDateTime::parse(now, &Rfc3339).expect("an RFC 3339 time")
        });
        Self {
            user: Profile {
                phone: None,
                name: dialogue.user_name.clone(),
                language: dialogue.user_language.clone(),
                consented: dialogue.user_consented,
            },
            active_agent: None,
            state: dialogue.state.clone().unwrap_or_else(|| json!({})),
            history: Vec::new(),
            now,
        }
    }

    /// Whether the visitor knows already with whom they speak.
    #[must_use]
    pub fn greeted(&self) -> bool {
        self.state["greeted"] == true
    }

    /// The turn over what the visitor says next.
    #[must_use]
    pub fn turn(&self, step: &Step) -> Turn {
        Turn {
            clinic: Arc::clone(&CLINIC),
            user: self.user.clone(),
            active_agent: self.active_agent.clone(),
            state: self.state.clone(),
            history: self.recent(),
            requests: requests(step, self.now),
            now: self.now,
            is_late: false,
            already_sent: AlreadySent::default(),
        }
    }

    /// Keeps what came of a turn, as its commit would.
    pub fn commit(&mut self, turn: &Turn, text: &str, outcome: Outcome) {
        for effect in &outcome.effects {
            match effect {
                Effect::Consent { given, .. } => self.user.consented = *given,
                Effect::Name { name } => self.user.name = Some(name.clone()),
                Effect::Consultation(_) => {}
            }
        }
        let said = turn
            .requests
            .iter()
            .map(|request| (true, request.content.clone()));
        for (incoming, body) in said.chain([(false, text.to_owned())]) {
            self.history.push(PastMessage { incoming, body });
        }
        if outcome.language.is_some() {
            self.user.language = outcome.language;
        }
        self.state = outcome.state;
        self.active_agent = Some(outcome.active_agent);
    }

    fn recent(&self) -> Vec<PastMessage> {
        let (messages, each, mut left) = HISTORY;
        let short = |message: &PastMessage| PastMessage {
            incoming: message.incoming,
            body: message.body.chars().take(each).collect(),
        };
        let mut recent: Vec<PastMessage> = self
            .history
            .iter()
            .rev()
            .take(messages)
            .map(short)
            .map_while(|message| {
                left = left.checked_sub(message.body.chars().count())?;
                Some(message)
            })
            .collect();
        recent.reverse();
        recent
    }
}

fn requests(step: &Step, written: OffsetDateTime) -> Vec<IncomingMessage> {
    let texts: Vec<String> = match &step.say {
        Say::One(text) => vec![text.repeat(step.times.unwrap_or(1))],
        Say::Burst(texts) => texts.clone(),
    };
    let last = texts.len().saturating_sub(1);
    let media: Vec<Media> = step.media.iter().map(|link| attachment(link)).collect();
    let request = |(index, content)| IncomingMessage {
        request_id: Uuid::from_u128(7),
        content,
        media: if index == last { media.clone() } else { Vec::new() },
        written,
    };
    texts.into_iter().enumerate().map(request).collect()
}

fn attachment(link: &str) -> Media {
    let (kind, url) = match link.strip_prefix("audio:") {
        Some(url) => (MediaKind::Audio, url),
        None => (MediaKind::Media, link),
    };
    Media::new(kind, url)
}
