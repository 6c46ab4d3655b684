//! What customers see on their phones: conversations with their bubbles and ticks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::whatsapp::record::Accepted;
use crate::whatsapp::statuses::State;

/// How far a message of the customer has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ticks {
    /// The clinic has not taken it yet.
    #[default]
    Waiting,
    /// The clinic has taken it.
    Taken,
    /// The clinic has read it.
    Read,
}

/// A message as a phone shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Bubble {
    /// The provider's id of it.
    pub id: String,
    /// Whether the customer wrote it.
    pub mine: bool,
    /// The text.
    pub text: String,
    /// The file's id, and its type.
    pub media: Option<(String, String)>,
    /// What can be pressed: (id, title).
    pub buttons: Vec<(String, String)>,
    /// Of the customer's own messages.
    pub ticks: Ticks,
    /// What the clinic was told of its message.
    pub told: Vec<State>,
    /// Whether it was edited.
    pub edited: bool,
    /// Whether it was deleted.
    pub deleted: bool,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Bubble {
    /// One of the customer.
    pub fn mine(id: &str, text: &str) -> Self {
        Self {
            id: id.to_owned(),
            mine: true,
            text: text.to_owned(),
            media: None,
            buttons: Vec::new(),
            ticks: Ticks::default(),
            told: Vec::new(),
            edited: false,
            deleted: false,
            at: OffsetDateTime::now_utc(),
        }
    }
}

/// What a phone shows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct View {
    /// Grows with each change of any phone.
    pub version: u64,
    /// Whether the clinic is typing.
    pub typing: bool,
    /// The messages, oldest first.
    pub bubbles: Vec<Bubble>,
}

#[derive(Debug, Default)]
struct Conversation {
    bubbles: VecDeque<Bubble>,
    typing_until: Option<Instant>,
    touched: u64,
}

/// All phones.
#[derive(Debug, Default)]
pub struct Book {
    conversations: Mutex<HashMap<String, Conversation>>,
    version: watch::Sender<u64>,
}

impl Book {
    /// A phone shows so many messages,
    const MOST_BUBBLES: usize = 200;
    /// and there are so many phones: the one that was quiet longest is forgotten.
    const MOST_PHONES: usize = 100;
    /// How long an indicator shows, as WhatsApp says.
    const TYPING: Duration = Duration::from_secs(25);

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<String, Conversation>) -> T) -> T {
        let mut conversations = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut conversations);
        drop(conversations);
        self.version.send_modify(|version| *version += 1);
        changed
    }

    fn add(&self, number: &str, bubble: Bubble) {
        let touched = *self.version.borrow();
        self.change(|conversations| {
            if !conversations.contains_key(number) && conversations.len() >= Self::MOST_PHONES {
                let quiet = conversations
                    .iter()
                    .min_by_key(|(_, conversation)| conversation.touched);
                if let Some(quiet) = quiet.map(|(number, _)| number.clone()) {
                    conversations.remove(&quiet);
                }
            }
            let conversation = conversations.entry(number.to_owned()).or_default();
            conversation.touched = touched;
            if !bubble.mine {
                conversation.typing_until = None;
            }
            if conversation.bubbles.len() == Self::MOST_BUBBLES {
                conversation.bubbles.pop_front();
            }
            conversation.bubbles.push_back(bubble);
        });
    }

    fn change_bubble(&self, id: &str, change: impl FnOnce(&mut Bubble, &mut Option<Instant>)) {
        self.change(|conversations| {
            for conversation in conversations.values_mut() {
                if let Some(bubble) = conversation
                    .bubbles
                    .iter_mut()
                    .rev()
                    .find(|bubble| bubble.id == id)
                {
                    change(bubble, &mut conversation.typing_until);
                    return;
                }
            }
        });
    }

    /// The clinic's message arrives.
    pub(crate) fn clinic_said(&self, message: &Accepted) {
        let text = if message.kind == "template" {
            format!("[template {}]", message.text)
        } else {
            message.text.clone()
        };
        self.add(
            &message.to,
            Bubble {
                mine: false,
                buttons: message.buttons.clone(),
                ..Bubble::mine(&message.id, &text)
            },
        );
    }

    /// The clinic was told how far its message has come.
    pub(crate) fn told(&self, id: &str, state: State) {
        self.change_bubble(id, |bubble, _| bubble.told.push(state));
    }

    /// The customer writes.
    pub(crate) fn customer_said(&self, number: &str, bubble: Bubble) {
        self.add(number, bubble);
    }

    /// The clinic has taken the customer's message.
    pub(crate) fn taken(&self, id: &str) {
        self.change_bubble(id, |bubble, _| {
            if bubble.ticks == Ticks::Waiting {
                bubble.ticks = Ticks::Taken;
            }
        });
    }

    /// The clinic has read the customer's message, and may be typing.
    pub(crate) fn marked(&self, id: &str, typing: bool) {
        self.change_bubble(id, |bubble, typing_until| {
            bubble.ticks = Ticks::Read;
            if typing {
                *typing_until = Some(Instant::now() + Self::TYPING);
            }
        });
    }

    /// The customer writes something else instead.
    pub(crate) fn edited(&self, id: &str, text: &str) {
        self.change_bubble(id, |bubble, _| {
            text.clone_into(&mut bubble.text);
            bubble.edited = true;
        });
    }

    /// The customer takes it back.
    pub(crate) fn deleted(&self, id: &str) {
        self.change_bubble(id, |bubble, _| {
            bubble.text.clear();
            bubble.media = None;
            bubble.deleted = true;
        });
    }

    /// What a phone shows now.
    pub fn view(&self, number: &str) -> View {
        let version = *self.version.borrow();
        let conversations = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(conversation) = conversations.get(number) else {
            return View {
                version,
                ..View::default()
            };
        };
        View {
            version,
            typing: conversation.typing_until.is_some_and(|end| end > Instant::now()),
            bubbles: conversation.bubbles.iter().cloned().collect(),
        }
    }

    /// Waits until any phone shows something else than in that version.
    pub(crate) async fn changed(&self, version: u64) {
        let _ = self.version.subscribe().wait_for(|now| *now != version).await;
    }
}
