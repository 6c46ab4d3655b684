//! The few sentences that visitors read where the model has failed, in the language of the conversation.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::agents::Turn;
use crate::agents::offline::joint;

/// The sentences of one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sentences {
    pub(crate) by_rules: String,
    pub(crate) interrupted: String,
    pub(crate) medical: String,
}

static SENTENCES: LazyLock<HashMap<String, Sentences>> = LazyLock::new(|| {
    toml::from_str(include_str!("prompts/sentences.toml"))
        .expect("a test reads the sentences of every language")
});

/// The sentences for whoever wrote this turn's messages.
pub(crate) fn sentences(turn: &Turn) -> &'static Sentences {
    SENTENCES
        .get(joint::desk(turn).language.tag)
        .unwrap_or_else(|| &SENTENCES["en"])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use shared::clinic::Clinic;
    use time::macros::datetime;
    use uuid::Uuid;

    use super::{SENTENCES, sentences};
    use crate::agents::{AlreadySent, IncomingMessage, Profile, Turn};

    #[test]
    fn the_sentences_are_in_the_language_of_the_conversation() {
        for (language, text, expected) in [
            (None, "Hello, how much is it?", "en"),
            (None, "Merhaba, fiyat ne kadar?", "tr"),
            (None, "Guten Tag, was kostet das?", "de"),
            (None, "مرحبا", "ar"),
            (Some("de"), "Hans Müller", "de"),
            (Some("tr"), "ok", "tr"),
            (None, "ok", "en"),
        ] {
            let turn = Turn {
                clinic: Arc::new(Clinic::shipped()),
                user: Profile::default(),
                active_agent: None,
                state: json!({ "language": language }),
                history: Vec::new(),
                requests: vec![IncomingMessage {
                    request_id: Uuid::from_u128(7),
                    content: text.to_owned(),
                    media: Vec::new(),
                }],
                now: datetime!(2026-11-25 09:00 UTC),
                already_sent: AlreadySent::default(),
            };
            let found = sentences(&turn);
            assert!(
                std::ptr::eq(found, &raw const SENTENCES[expected]),
                "{text}: {found:?}"
            );
        }
    }
}
