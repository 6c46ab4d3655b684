//! The names of subjects, streams and consumers under one prefix.

use std::fmt;
use std::str::FromStr;

use crate::ids::{Channel, RequestId, SessionKey, WorkerId};
use crate::whatsapp::Provider;

/// The prefix that leaves stream names as they are in the documentation.
pub const DEFAULT_PREFIX: &str = "chat";

/// All names of one deployment. Several can share a server, each with a prefix of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    prefix: String,
}

/// A prefix that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subject prefix has 1 to 64 characters of a-z, 0-9, - and _")]
pub struct BadPrefix;

impl FromStr for Subjects {
    type Err = BadPrefix;

    fn from_str(prefix: &str) -> Result<Self, BadPrefix> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(allowed) {
            return Err(BadPrefix);
        }
        Ok(Self {
            prefix: prefix.to_owned(),
        })
    }
}

impl fmt::Display for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix)
    }
}

impl Subjects {
    /// Where a session's messages are queued.
    pub fn incoming(&self, channel: Channel, session: SessionKey) -> String {
        format!("{}.incoming.{}.{session}", self.prefix, channel.as_str())
    }

    /// Everything that is queued.
    pub fn all_incoming(&self) -> String {
        format!("{}.incoming.>", self.prefix)
    }

    /// Where a worker journals a reply.
    pub fn tokens(&self, session: SessionKey, request: RequestId) -> String {
        format!("{}.tokens.{session}.{request}", self.prefix)
    }

    /// Every journalled reply.
    pub fn all_tokens(&self) -> String {
        format!("{}.tokens.*.*", self.prefix)
    }

    /// Every journalled reply of one session.
    pub fn all_tokens_of(&self, session: SessionKey) -> String {
        format!("{}.tokens.{session}.*", self.prefix)
    }

    /// Where readers hear what the journal has stored, in stored order.
    pub fn live(&self, session: SessionKey, request: RequestId) -> String {
        format!("{}.live.{session}.{request}", self.prefix)
    }

    /// The republish target, with the two tokens of the source.
    pub fn live_template(&self) -> String {
        format!("{}.live.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}", self.prefix)
    }

    /// Where a message goes that cannot be worked on; `session` where it is known whose it was.
    pub fn dead(&self, reason: &str, session: Option<SessionKey>) -> String {
        session.map_or_else(
            || format!("{}.dead.{reason}", self.prefix),
            |session| format!("{}.dead.{reason}.{session}", self.prefix),
        )
    }

    /// Everything that could not be worked on.
    pub fn all_dead(&self) -> String {
        format!("{}.dead.>", self.prefix)
    }

    /// What could not be worked on of one session.
    pub fn all_dead_of(&self, session: SessionKey) -> String {
        format!("{}.dead.*.{session}", self.prefix)
    }

    /// Where a provider's word about a message of ours is queued.
    pub fn status(&self, provider: Provider) -> String {
        format!("{}.status.{provider}", self.prefix)
    }

    /// Every such word.
    pub fn all_status(&self) -> String {
        format!("{}.status.>", self.prefix)
    }

    /// Hints to whoever runs the session.
    pub fn control(&self, session: SessionKey) -> String {
        format!("{}.control.{session}", self.prefix)
    }

    /// Hints of every session.
    pub fn all_control(&self) -> String {
        format!("{}.control.*", self.prefix)
    }

    /// A worker's sign of life.
    pub fn worker(&self, worker: WorkerId) -> String {
        format!("{}.worker.{worker}", self.prefix)
    }

    /// Where the mark of the server's process lies.
    pub fn boot(&self) -> String {
        format!("{}.boot", self.prefix)
    }

    /// The work queue's stream.
    pub fn chat_stream(&self) -> String {
        self.named("CHAT")
    }

    /// The journal's stream.
    pub fn tokens_stream(&self) -> String {
        self.named("TOKENS")
    }

    /// The stream of what could not be worked on.
    pub fn dead_stream(&self) -> String {
        self.named("DEAD")
    }

    /// The stream of what providers say about our messages.
    pub fn status_stream(&self) -> String {
        self.named("STATUS")
    }

    /// The stream of the mark.
    pub fn boot_stream(&self) -> String {
        self.named("BOOT")
    }

    /// The work queue's durable consumer.
    pub fn workers_consumer(&self) -> String {
        self.consumer("workers")
    }

    /// The durable consumer of [`Self::status_stream`].
    pub fn statuses_consumer(&self) -> String {
        self.consumer("statuses")
    }

    fn consumer(&self, name: &str) -> String {
        if self.prefix == DEFAULT_PREFIX {
            name.to_owned()
        } else {
            format!("{}_{name}", self.prefix)
        }
    }

    fn named(&self, name: &str) -> String {
        if self.prefix == DEFAULT_PREFIX {
            name.to_owned()
        } else {
            format!("{}_{name}", self.prefix.to_uppercase())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_prefix_gives_the_documented_names() {
        let subjects: Subjects = DEFAULT_PREFIX.parse().unwrap();
        let session = SessionKey::derive(Channel::Web, "d", None);
        assert_eq!(
            subjects.incoming(Channel::Web, session),
            format!("chat.incoming.web.{session}")
        );
        assert_eq!(subjects.chat_stream(), "CHAT");
        assert_eq!(subjects.workers_consumer(), "workers");
        assert_eq!(subjects.status(Provider::Meta), "chat.status.meta");
    }

    #[test]
    fn another_prefix_shares_no_name() {
        let subjects: Subjects = "t-1".parse().unwrap();
        assert_eq!(subjects.chat_stream(), "T-1_CHAT");
        assert_eq!(subjects.all_tokens(), "t-1.tokens.*.*");
        assert_eq!(subjects.statuses_consumer(), "t-1_statuses");
        for bad in ["", "A", "a.b", "a*", "a>", "a b"] {
            assert_eq!(bad.parse::<Subjects>(), Err(BadPrefix));
        }
    }
}
